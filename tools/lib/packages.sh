# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The Debian packages that the project needs, in one place, and their
# installation: without questions, without recommended packages, and nothing at
# all if everything is there. "a|b" is satisfied by either; the first one that
# the distribution has is installed.

PACKAGES_BUILD='gcc make pkg-config|pkgconf libc6-dev clang llvm llvm-14-dev|llvm-dev
	libbpf-dev liburing-dev libseccomp-dev libelf-dev libdw-dev zlib1g-dev libyaml-dev libjansson-dev libssl-dev libpcap-dev'
# libcmocka: the plant and the collector are linked with the tests' library.
PACKAGES_DEMO='iproute2 util-linux bpftool jq tshark tcpreplay libcmocka-dev'
PACKAGES_CHECK='git g++ python3 nodejs ethtool e2fsprogs libclang-rt-dev clang-format clang-tidy cppcheck'
# What benchmarks compare with: libraries to build them, and programs that they run, one with
# a configuration of its own (where there is systemd, its package also starts the service, so
# that only tools/bench installs it).
PACKAGES_BENCH='libsqlite3-dev liblmdb-dev'
PACKAGES_BENCH_RUN='rsyslog python3'
PACKAGES_CLEANROOM='debootstrap slirp4netns'
# For virtual machines of this machine's architecture, and of others.
PACKAGES_VM="busybox-static cpio kmod xz-utils zstd debian-archive-keyring
	$(case $(dpkg --print-architecture 2>/dev/null) in arm64) echo qemu-system-arm ;; *) echo qemu-system-x86 ;; esac)"
PACKAGES_VM_ARM64='qemu-system-arm gcc-aarch64-linux-gnu g++-aarch64-linux-gnu'
PACKAGES_VM_AMD64='qemu-system-x86 gcc-x86-64-linux-gnu g++-x86-64-linux-gnu'
PACKAGES_VM_USER_LAND='busybox-static kmod mount procps ethtool'

package_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The packages of "a|b|c" words that nothing installed satisfies, first choice each.
packages_missing() {
	local word alternative
	for word; do
		for alternative in ${word//|/ }; do
			package_installed "$alternative" && continue 2
		done
		echo "$word"
	done
}

package_known() {
	apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'
}

# Put the first alternative that the distribution has for each word into `chosen`.
packages_choose() {
	local word alternative
	chosen=()
	for word; do
		for alternative in ${word//|/ }; do
			if package_known "$alternative"; then
				chosen+=("$alternative")
				continue 2
			fi
		done
		echo "no package source of this machine has ${word//|/ or }" >&2
		return 1
	done
}

# packages_install GROUP...: build, demo, check, cleanroom.
packages_install() {
	local group wanted='' missing chosen log
	for group; do
		group=PACKAGES_${group^^}
		wanted+=" ${!group}"
	done
	command -v dpkg-query >/dev/null ||
		die "this is not Debian; what is needed, by Debian's names:" $wanted
	# shellcheck disable=SC2086
	missing=$(packages_missing $wanted)
	[ -n "$missing" ] || return 0
	[ "$(id -u)" = 0 ] || die "must be root to install:" $missing

	echo "installing" $missing
	log=$(mktemp)
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086
	if apt-get -q update >"$log" 2>&1 && packages_choose $missing 2>>"$log" &&
		apt-get -qy -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold \
			--no-install-recommends install "${chosen[@]}" >>"$log" 2>&1; then
		rm -f "$log"
		return 0
	fi
	tail -n 15 "$log" >&2
	rm -f "$log"
	die "packages could not be installed. Is a Debian mirror reachable? Needed:" $missing
}
