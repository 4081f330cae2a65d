#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What is installed is whole, works from where it is installed, and is removed
# without a rest; the source archive builds.
# shellcheck source=../netns/lib.sh
. "$(dirname "$(readlink -f "$0")")/../netns/lib.sh"

MAKE=(make -C "$TOP" --no-print-directory "BUILD=$BUILD")

installs() {
	local file
	"${MAKE[@]}" install DESTDIR="$CASE/root"
	for file in usr/sbin/ebpf-faas usr/libexec/ebpf-faas/ebpf-faas-runtime \
		usr/libexec/ebpf-faas/ebpf-faas-worker usr/libexec/ebpf-faas/ebpf-faas-courier \
		usr/libexec/ebpf-faas/ebpf-faas-program usr/include/ebpf_faas/exec/ebpf_faas.py \
		usr/libexec/ebpf-faas/root.bpf.o usr/share/ebpf-faas/funcs/range_filter/range_filter.bpf.o \
		usr/share/ebpf-faas/funcs/ewma/ewma.so usr/include/ebpf_faas/kernel.h \
		usr/lib/systemd/system/ebpf-faas.service usr/lib/systemd/system/ebpf-faas-restore.service; do
		[ -e "$CASE/root/$file" ] || fail "not installed: $file"
	done
	for file in "$CASE/root/usr/lib/systemd/system"/ebpf-faas*.service; do
		! grep -n '@' "$file" || fail "not filled in: $file"
	done
	[ -d "$CASE/root/etc/ebpf-faas" ] || fail "no directory /etc/ebpf-faas"
	same "files of the build tree named in what is installed" "" \
		"$(grep -rlaF "$BUILD/" "$CASE/root/usr/sbin" | head)"
	"${MAKE[@]}" uninstall DESTDIR="$CASE/root"
	same "files left by uninstall" "" "$(find "$CASE/root" ! -type d)"
}

# The installed command finds the installed parts: on an overlay of /usr, in a
# mount namespace of its own, so that the machine's /usr stays as it is.
works_installed() {
	local overlay=$CASE/overlay
	mkdir "$overlay"
	mount -t tmpfs none "$overlay"
	echo "$overlay" >>"$CASE/mounts"
	mkdir "$overlay/upper" "$overlay/work" "$overlay/root"
	"${MAKE[@]}" install DESTDIR="$overlay/root" >/dev/null
	cp -a "$overlay/root/usr/." "$overlay/upper/"
	unshare --mount sh -ec '
		mount -t overlay overlay -o "lowerdir=/usr,upperdir=$1/upper,workdir=$1/work" /usr
		ebpf-faas version
		ebpf-faas functions | grep -q range_filter
		ebpf-faas build --output "$2/bundle" "$3/vibration-watch.yaml"
		ebpf-faas validate "$2/bundle"
		! command -v systemd-analyze >/dev/null ||
			systemd-analyze verify --man=no ebpf-faas.service ebpf-faas-restore.service' - "$overlay" "$CASE" "$TOP/tests/data/workflows"
	umount "$overlay"
}

archive_builds() {
	local name
	git -C "$TOP" rev-parse -q --verify HEAD >/dev/null || {
		echo "no commit to make an archive of"
		return 1
	}
	"${MAKE[@]}" dist
	mkdir "$CASE/source"
	tar -xf "$(ls -t "$BUILD"/ebpf-faas-*.tar.gz | head -n 1)" -C "$CASE/source" --strip-components=1
	for name in README.md LICENSE Makefile tools/check; do
		[ -e "$CASE/source/$name" ] || fail "not in the archive: $name"
	done
	env -u BUILD make -C "$CASE/source" --no-print-directory -j2 all
	"$CASE/source/build/ebpf-faas" version
	"$CASE/source/build/ebpf-faas" validate "$CASE/source/tests/data/workflows/coap-meter.yaml"
}

test_case "install is whole, uninstall leaves nothing" installs
test_case "the installed command works" works_installed
test_case "the source archive builds" archive_builds
tests_done
