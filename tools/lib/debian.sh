# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Packages of other releases and architectures of Debian, unpacked below the cache and
# never installed. They come from the mirror that this machine's apt is configured for.

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/ebpf-faas
DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# Base address of the apt sources with a label (Debian, Debian-Security).
debian_mirror() {
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
		awk -F'|' -v label="$1" '$1 == label {print $2; exit}'
}

# debian_apt SUITE ARCH apt-get|apt-cache ARGUMENT...: with sources and a state of its
# own, in which nothing is installed.
debian_apt() {
	local state=$CACHE/apt/$1-$2 arch=$2 command=$3
	shift 3
	"$command" -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferencesparts=/dev/null -o Dir::State="$state" \
		-o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" \
		-o APT::Architecture="$arch" -o APT::Architectures::="$arch" -o APT::Sandbox::User=root "$@"
}

# debian_sources SUITE ARCH: begin afresh, with the newest index. A release comes with
# its security updates.
debian_sources() {
	local state=$CACHE/apt/$1-$2 debian security
	debian=$(debian_mirror Debian)
	security=$(debian_mirror Debian-Security)
	[ -n "$debian" ] || {
		echo "no Debian mirror in the apt configuration" >&2
		return 1
	}
	rm -rf "$state"
	mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
	: >"$state/status"
	{
		echo "deb [arch=$2 signed-by=$DEBIAN_KEYRING] $debian $1 main"
		case $1 in
		*-* | sid | unstable) ;;
		*) [ -z "$security" ] || echo "deb [arch=$2 signed-by=$DEBIAN_KEYRING] $security $1-security main" ;;
		esac
	} >"$state/sources.list"
	debian_apt "$1" "$2" apt-get -qq update
}

# debian_unpack ARCHIVE... DIRECTORY: without running what is in them. Links that are
# absolute would lead out of the directory: they become relative.
debian_unpack() {
	local root=${!#} archive link target
	while [ $# -gt 1 ]; do
		archive=$1
		shift
		dpkg-deb --fsys-tarfile "$archive" | tar -x --keep-directory-symlink -C "$root" || return 1
	done
	find "$root" -type l -lname '/*' -printf '%p\t%l\n' | while IFS=$'\t' read -r link target; do
		case $target in
		/dev/* | /proc/* | /run/* | /etc/*) continue ;;
		esac
		ln -sfn "$(realpath -m --no-symlinks --relative-to="${link%/*}" "$root$target")" "$link"
	done
}

# debian_kernel SUITE ARCH DIRECTORY: the stock kernel of a suite, as boot/ and
# lib/modules/. Its release is in $KERNEL_RELEASE.
debian_kernel() {
	local suite=$1 arch=$2 directory=$3 package=linux-image-$2 next
	if [ ! -e "$directory/.ready" ]; then
		echo "fetching the kernel of $suite for $arch (once)" >&2
		debian_sources "$suite" "$arch" || return 1
		# The package without a version depends on the newest one with.
		if next=$(kernel_depends linux-image "$suite" "$arch" "$package"); then
			package=$next
		fi
		rm -rf "$directory" "$directory.new"
		mkdir -p "$directory.new/archives"
		(
			cd "$directory.new/archives" || exit 1
			# Newer releases have parts of a kernel in packages of their own.
			# shellcheck disable=SC2046
			debian_apt "$suite" "$arch" apt-get -qq download "$package" \
				$(kernel_depends 'linux-(binary|modules)' "$suite" "$arch" "$package")
		) && debian_unpack "$directory.new"/archives/*.deb "$directory.new" || return 1
		if [ -d "$directory.new/usr/lib/modules" ] && [ ! -d "$directory.new/lib/modules" ]; then
			mkdir -p "$directory.new/lib"
			mv "$directory.new/usr/lib/modules" "$directory.new/lib/"
		fi
		KERNEL_RELEASE=$(ls "$directory.new/lib/modules")
		[ -n "$KERNEL_RELEASE" ] && depmod -b "$directory.new" "$KERNEL_RELEASE" || return 1
		rm -rf "$directory.new/archives" "$directory.new/usr/share" "$CACHE/apt/$suite-$arch"
		echo "$KERNEL_RELEASE" >"$directory.new/.ready"
		mv "$directory.new" "$directory"
	fi
	KERNEL_RELEASE=$(cat "$directory/.ready")
}

# What PACKAGE depends on whose name is PREFIX, a hyphen and a digit.
kernel_depends() { # PREFIX SUITE ARCH PACKAGE
	debian_apt "$2" "$3" apt-cache show --no-all-versions "$4" | sed -n 's/^Depends: *//p' |
		tr ',|' '\n\n' | sed 's/ *(.*//; s/^ *//' | sort -u | grep -E "^$1-[0-9]"
}

# debian_root SUITE ARCH DIRECTORY PACKAGE...: the essential packages and those named,
# unpacked only: no program of another architecture runs here.
debian_root() {
	local suite=$1 arch=$2 directory=$3 link ready
	shift 3
	ready="$*, with cc"
	[ "$(cat "$directory/.ready" 2>/dev/null)" != "$ready" ] || return 0
	echo "making a user land of $suite for $arch (once)" >&2
	debian_sources "$suite" "$arch" || return 1
	rm -rf "$directory" "$directory.new"
	mkdir -p "$directory.new/usr"
	for link in bin sbin lib; do
		mkdir "$directory.new/usr/$link"
		ln -s "usr/$link" "$directory.new/$link"
	done
	debian_apt "$suite" "$arch" apt-get -qqy --no-install-recommends --download-only install \
		'?essential' "$@" || return 1
	debian_unpack "$CACHE/apt/$suite-$arch/cache/archives"/*.deb "$directory.new" || return 1
	# What maintainer scripts would have made.
	cp "$directory.new/usr/share/base-passwd/passwd.master" "$directory.new/etc/passwd"
	cp "$directory.new/usr/share/base-passwd/group.master" "$directory.new/etc/group"
	[ -e "$directory.new/usr/bin/awk" ] || ln -s mawk "$directory.new/usr/bin/awk"
	[ -e "$directory.new/usr/bin/sh" ] || ln -s dash "$directory.new/usr/bin/sh"
	[ -e "$directory.new/usr/bin/cc" ] || ln -s gcc "$directory.new/usr/bin/cc"
	rm -rf "$CACHE/apt/$suite-$arch"
	echo "$ready" >"$directory.new/.ready"
	mv "$directory.new" "$directory"
}
