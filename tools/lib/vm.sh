# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A virtual machine that boots a stock Debian kernel on this machine's own root
# directory, read-only, with a layer of memory above it. See tools/vm.
. "$TOP/tools/lib/debian.sh"

# Modules that the first steps need, until the root directory is there.
VM_MODULES='virtio_pci virtio_mmio virtio_console virtio_rng 9pnet_virtio 9p overlay'

# vm_suite KERNEL: the Debian suite that has it.
vm_suite() {
	case $1 in
	6.1) echo bookworm ;;
	6.12) echo trixie ;;
	backports) echo trixie-backports ;;
	*) echo "$1" ;;
	esac
}

# vm_kernel KERNEL ARCH BUSYBOX: its directory in $KERNEL, its release in $KERNEL_RELEASE.
vm_kernel() {
	KERNEL=$CACHE/vm/$1-$2
	mkdir -p "$CACHE/vm"
	{
		flock 8
		debian_kernel "$(vm_suite "$1")" "$2" "$KERNEL" && vm_initrd "$3"
	} 8>>"$CACHE/vm/.lock"
}

# vm_user_land ARCH: a root directory for another architecture, in $USER_LAND.
vm_user_land() {
	local packages word
	# shellcheck disable=SC1091
	USER_LAND=$CACHE/vm/root-$(. /etc/os-release && echo "$VERSION_CODENAME")-$1
	mkdir -p "$CACHE/vm"
	for word in $PACKAGES_BUILD $PACKAGES_DEMO $PACKAGES_VM_USER_LAND; do
		packages+=" ${word%%|*}"
	done
	{
		flock 8
		# shellcheck disable=SC1091,SC2086
		debian_root "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$1" "$USER_LAND" $packages
	} 8>>"$CACHE/vm/.lock"
}

# vm_initrd BUSYBOX: made once for each kernel.
vm_initrd() {
	local busybox=$1 scratch file name number=0 status=0
	[ ! "$KERNEL/initrd" -nt "${BASH_SOURCE[0]}" ] || return 0
	scratch=$(mktemp -d "$KERNEL/initrd.XXXXXX") || return 1
	mkdir "$scratch"/{bin,dev,proc,sys,modules,root,lower,layer,vm}
	cp "$busybox" "$scratch/bin/busybox"
	while read -r file; do
		number=$((number + 1))
		name=$scratch/modules/$(printf %03d $number).ko
		case $file in
		*.xz) xz -dc "$file" >"$name" ;;
		*.zst) zstd -qdc "$file" >"$name" ;;
		*) cp "$file" "$name" ;;
		esac || status=1
	done < <(for name in $VM_MODULES; do
		modprobe -d "$KERNEL" -S "$KERNEL_RELEASE" --show-depends "$name" 2>/dev/null
	done | awk '$1 == "insmod" && !seen[$2]++ {print $2}')
	vm_init >"$scratch/init"
	chmod 755 "$scratch/init"
	(cd "$scratch" && find . | cpio -o -H newc --quiet | gzip -1) >"$KERNEL/initrd.new" &&
		[ "$status" = 0 ] && mv "$KERNEL/initrd.new" "$KERNEL/initrd" || status=1
	rm -rf "$scratch"
	return "$status"
}

# The first process: puts the root directory together. In `layer` is what is written;
# it is memory. The directory `vm` is shared with the host: what to run is in it,
# where the rest goes, and the exit status when it is done.
vm_init() {
	cat <<-'INIT'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		export PATH=/bin:/sbin
		mount -t proc proc /proc
		mount -t sysfs sysfs /sys
		mount -t devtmpfs dev /dev 2>/dev/null
		for module in /modules/*.ko; do insmod "$module" 2>/dev/null; done
		failed() { echo "vm: $*" >/dev/console; poweroff -f; }
		share() { mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$3" "$1" "$2"; }
		above() { # LOWER NAME WHERE
			mkdir -p "/layer/$2/upper" "/layer/$2/work"
			mount -t overlay -o "lowerdir=$1,upperdir=/layer/$2/upper,workdir=/layer/$2/work" "$2" "$3"
		}
		mount -t tmpfs -o mode=755 layer /layer
		share vm /vm cache=none || failed "no share"
		share root /lower ro,cache=loose && above /lower root /root || failed "no root directory"
		cd /root
		mkdir -p proc sys dev run tmp usr/lib/modules
		mount -t tmpfs -o mode=755 run run
		mount -t tmpfs tmp tmp
		mkdir -p run/lock run/netns run/vm
		# Where this machine's tests have their rooms, which go while the guest looks.
		mkdir /layer/empty && above /layer/empty var-tmp /root/var/tmp && chmod 1777 var/tmp ||
			failed "no /var/tmp"
		share modules usr/lib/modules ro,cache=loose || failed "no modules"
		# Trees that are not of the root directory, or hidden by the mounts above.
		while read -r name where; do
			mkdir -p "/lower-$name" "/root$where"
			share "$name" "/lower-$name" ro,cache=loose && above "/lower-$name" "$name" "/root$where" ||
				failed "no $where"
		done </vm/trees
		# What this machine's workflows keep is no concern of the guest's.
		[ ! -d var/lib/ebpf-faas ] || mount -t tmpfs -o mode=755 state var/lib/ebpf-faas
		for directory in proc sys dev; do mount -o move /$directory /root/$directory; done
		mount -o move /vm /root/run/vm
		mkdir -p dev/pts dev/shm
		mount -t devpts -o ptmxmode=666 devpts dev/pts
		mount -t tmpfs shm dev/shm
		ln -s /proc/self/fd dev/fd
		mount -t bpf bpf sys/fs/bpf
		mount -t tracefs tracefs sys/kernel/tracing
		mount -t debugfs debugfs sys/kernel/debug 2>/dev/null
		mount -t cgroup2 cgroup2 sys/fs/cgroup
		hostname vm
		exec switch_root /root /bin/sh /run/vm/start
	INIT
}

# What the guest runs after that. The command's output goes through a console of its
# own; the kernel's messages have another.
vm_start() {
	cat <<-'START'
		export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
		export HOME=/root LANG=C.UTF-8 TERM=dumb
		# Kept open: the console forgets its settings with its last user.
		exec 3<>/dev/hvc0
		stty raw -echo <&3
		ip link set lo up
		setsid bash /run/vm/command </dev/null >&3 2>&1 3>&-
		echo $? >/run/vm/status.new
		mv /run/vm/status.new /run/vm/status
		sync
		echo o >/proc/sysrq-trigger
		sleep 60
	START
}

# Hardware acceleration, where the processor offers it to this system: a device file
# alone does not say so.
vm_accelerator() { # ARCH
	if [ "$1" = "$(dpkg --print-architecture)" ] && [ -w /dev/kvm ] &&
		{ [ "$1" = arm64 ] || grep -qwE 'vmx|svm' /proc/cpuinfo; }; then
		echo '-accel kvm -cpu host'
	elif [ "$1" = arm64 ]; then
		echo '-accel tcg,thread=multi,tb-size=256 -cpu neoverse-n1'
	else
		echo '-accel tcg,thread=multi,tb-size=256 -cpu max,la57=off'
	fi
}

# vm_share TAG DIRECTORY [OPTION]: the arguments of QEMU, added to $shares.
vm_share() {
	shares+=(-fsdev "local,id=$1,path=$2,security_model=none,multidevs=remap${3:-}"
		-device "virtio-9p-pci,fsdev=$1,mount_tag=$1")
}

# vm_run ARCH ROOT SECONDS MEMORY_MIB CPUS: the guest, with what is in $VM (command,
# trees). Output of the command on stdout; the kernel's in $VM/console. The exit
# status of QEMU; what the command's was is in $VM/status. To be called in the
# background: it becomes what ends QEMU when it is ended itself.
vm_run() {
	local arch=$1 root=$2 seconds=$3 memory=$4 cpus=$5 machine image shares=() name where
	image=$(find "$KERNEL/boot" "$KERNEL/lib/modules/$KERNEL_RELEASE" -name 'vmlinuz*' | head -n 1)
	case $arch in
	amd64) machine='qemu-system-x86_64 -M q35' console=ttyS0 ;;
	arm64) machine='qemu-system-aarch64 -M virt' console=ttyAMA0 ;;
	esac
	vm_start >"$VM/start"
	vm_share vm "$VM"
	vm_share root "$root" ,readonly=on
	vm_share modules "$KERNEL/lib/modules" ,readonly=on
	while read -r name where; do
		vm_share "$name" "$where" ,readonly=on
	done <"$VM/trees"
	# An oops is a panic, a panic ends the guest. The kernel does not look whether the timer
	# ticks: where others compute, it comes too late for that. Programs lie at the same
	# addresses each time: the emulator knows what it translated by its address, and
	# translates it once.
	# shellcheck disable=SC2046,SC2086
	exec setpriv --pdeathsig TERM timeout --foreground -k 5 "$seconds" \
		$machine $(vm_accelerator "$arch") -m "$memory" -smp "$cpus" -display none -nodefaults -no-reboot -kernel "$image" -initrd "$KERNEL/initrd" \
		-append "console=$console panic=-1 oops=panic quiet nowatchdog no_timer_check norandmaps mitigations=off random.trust_cpu=on" \
		-serial "file:$VM/console" -device virtio-rng-pci -device virtio-serial-pci \
		-chardev stdio,id=output,signal=off -device virtconsole,chardev=output "${shares[@]}" </dev/null
}
