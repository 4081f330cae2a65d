#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The power goes while the command works, or right after it: what it had said is stored,
# is stored whole, and under no number lies half a bundle. The disk is a file system of
# its own, which forgets what nobody had written out. What is damaged in spite of all is
# named, and unloads.
# shellcheck source=../netns/lib.sh
. "$(dirname "$(readlink -f "$0")")/../netns/lib.sh"

FAULTS_BUILD=$BUILD/faults
STORE=/var/lib/ebpf-faas
STORED=$STORE/workflows/gate

if [ ! -x "$FAULTS_BUILD/ebpf-faas" ]; then
	echo "fault points need: make BUILD=$FAULTS_BUILD FAULTS=1 all" >&2
	exit 1
fi

# disk: what the command stores is on it. It goes with the case.
disk() {
	mkdir -p "$STORE"
	truncate -s 48M "$CASE/disk"
	mkfs.ext4 -q -F "$CASE/disk" || skip "no ext4 here"
	echo "$STORE" >>"$CASE/mounts"
	begin_disk || skip "no loop device"
}
# Commits of the file system's own are minutes away.
begin_disk() { mount -o loop,commit=600 "$CASE/disk" "$STORE"; }
no_disk() {
	umount "$STORE"
	rmdir "$STORE"
}

power_loss() {
	local status=0
	"$TEST_LIB/power_loss" "$STORE" || status=$?
	[ "$status" != 77 ] || skip "no way to take the power from a file system"
	same "the file system ended" 0 "$status"
	umount "$STORE"
	begin_disk
}

make_bundles() {
	local version
	for version in 1 2; do
		[ -d "$SCRATCH/gate-$version" ] ||
			faas build --output "$SCRATCH/gate-$version" --set "version=$version" \
				"$FIXTURES/gate.yaml" >/dev/null
	done
}

# whole COUNT: so many are stored, each a bundle without a fault.
whole() {
	local number numbers
	numbers=$(find "$STORED/generations" -mindepth 1 -maxdepth 1 -name '[0-9]*' -printf '%f\n' 2>/dev/null | sort -n)
	same "stored" "$1" "$(wc -w <<<"$numbers")"
	for number in $numbers; do
		fails 0 faas validate "$STORED/generations/$number"
	done
}

# What a command said it did, stays done.
after_the_command() {
	network
	disk
	make_bundles
	faas load --netns "$GATEWAY" "$SCRATCH/gate-1"
	power_loss
	whole 1
	same "the version that runs" 1 "$(jq -r .version "$STORED/bundle/manifest.json")"
	same "status" 1 "$(faas status --json gate | jq -r .version)"
	faas update "$SCRATCH/gate-2"
	power_loss
	whole 2
	same "the version that runs" 2 "$(jq -r .version "$STORED/bundle/manifest.json")"
	same "what was done" "loaded updated" "$(jq -r .event "$STORED/history.jsonl" | xargs)"
	faas unload gate
	power_loss
	[ ! -e "$STORED/bundle" ] || fail "the unloaded workflow is back"
	no_disk
}

# killed_and_dark POINT COMMAND...
killed_and_dark() {
	local status=0 point=$1
	shift
	EBPF_FAAS_FAULT=$point:1 "$FAULTS_BUILD/ebpf-faas" "$@" >"$CASE/killed" 2>&1 9<&- || status=$?
	same "$1 was killed at $point: status" 137 "$status"
	power_loss
}

# Whatever it was doing.
during_the_command() {
	local point
	network
	disk
	make_bundles
	for point in load.pinned load.copied load.stored load.published; do
		echo "== $point"
		killed_and_dark "$point" load --netns "$GATEWAY" "$SCRATCH/gate-1"
		case $point in
		load.stored | load.published) whole 1 ;;
		*) whole 0 ;;
		esac
		fails 5 faas unload nothing-here # what was half done goes
	done
	faas load --netns "$GATEWAY" "$SCRATCH/gate-1"
	for point in update.carried load.copied update.stored settle.published; do
		echo "== $point"
		killed_and_dark "$point" update "$SCRATCH/gate-2"
		case $point in
		update.stored | settle.published) whole 2 ;;
		*) whole 1 ;;
		esac
		fails 5 faas unload nothing-here
		same "status" loaded "$(faas list --json | jq -r '.[0].state')"
		[ "$point" = settle.published ] || continue
		same "the version that runs" 2 "$(faas status --json gate | jq -r .version)"
	done
	[ ! -e "$STORED/generations/new" ] || fail "what was being stored stays"
	faas unload gate
	no_disk
}

# Files that are empty, as a disk without barriers leaves them.
damaged() {
	local file
	network
	make_bundles
	for file in manifest.json kernel.bpf.o; do
		faas load --netns "$GATEWAY" "$SCRATCH/gate-1"
		truncate -s 0 "$STORED/bundle/$file"
		fails 3 faas status gate
		says "$file"
		says 'what is stored of workflow gate in .*/gate/bundle is damaged'
		says 'ebpf-faas unload'
		fails 3 faas update "$SCRATCH/gate-2"
		says 'is damaged'
		traffic --to 10.77.0.1:5005 --count 5 # it still runs
		fails 3 faas unload gate
		says 'was removed without its last figures'
		same "what is loaded" "[]" "$(faas list --json | jq -c .)"
	done
}

test_case "the power goes after load, update and unload" after_the_command
test_case "the power goes in the middle of them" during_the_command
test_case "a bundle that is damaged on the disk" damaged
tests_done
