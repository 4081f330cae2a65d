#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What does not fit on the machine is refused before anything is made, with the
# arithmetic; what fits takes what the arithmetic says.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# A file system of $2 bytes in the place of a directory, until the case ends.
small() {
	mkdir -p "$1"
	mount -t tmpfs -o "size=$2,mode=755" tmpfs "$1"
	echo "$1" >>"$CASE/mounts"
}

# What was put in its place goes before the directory, once the runtime has ended.
away() {
	wait_for 15 umount "$1"
	rmdir "$1"
}

nothing_was_made() {
	[ ! -e "$PIN_ROOT/workflows/$1" ] || fail "$1 is loaded"
	same "workflows" 0 "$(faas list --json | jq length)"
}

# Kernel memory: a queue of 256 MiB on a machine whose cgroup may have 64.
no_memory() {
	local group=/sys/fs/cgroup/memory/ef_$$
	network
	[ -d /sys/fs/cgroup/memory ] || group=/sys/fs/cgroup/ef_$$
	# In version 2 a group has what the one above gives.
	[ ! -e /sys/fs/cgroup/cgroup.subtree_control ] ||
		echo +memory >/sys/fs/cgroup/cgroup.subtree_control || true
	mkdir "$group" || skip "no control groups can be made here"
	if [ -e "$group/memory.limit_in_bytes" ]; then
		echo 64M >"$group/memory.limit_in_bytes"
	elif [ -e "$group/memory.max" ]; then
		echo 64M >"$group/memory.max"
	else
		rmdir "$group"
		skip "no memory controller"
	fi
	status=0
	# shellcheck disable=SC2016
	bash -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$group" "$FAAS" load --netns "$GATEWAY" \
		--set workers.queue=1048576 "$FIXTURES/meter.yaml" >"$CASE/output" 2>&1 9<&- || status=$?
	rmdir "$group"
	sed 's/^/  | /' "$CASE/output"
	same "exit status" 1 "$status"
	says "workflow meter does not fit on this machine"
	says "memory below the limit of the cgroup: 2[67][0-9.]+ MiB needed; [0-9.]+ MiB left: DOES NOT FIT"
	says "lower .queue., .*--overcommit"
	nothing_was_made meter
}

# States of a million keys in a /run of 24 MiB. With --overcommit it is tried, and fails
# where it does, without leaving anything.
no_room_in_run() {
	network
	small /run/ebpf-faas 24M
	fails 1 load meter --set functions.total.keys=1000000
	says "/run/ebpf-faas/workflows: [0-9.]+ MiB needed \(states [0-9.]+, log 8.0\); 2[34].[0-9] MiB left: DOES NOT FIT"
	nothing_was_made meter
	fails 1 load meter --set functions.total.keys=1000000 --overcommit
	says "warning: workflow meter does not fit on this machine"
	says "file system is full"
	nothing_was_made meter
	# What it needs without is there.
	fails 0 load meter --set functions.total.keys=1000
	traffic --to 10.77.0.1:5005 --count 100
	settle meter
	same "processed" 100 "$(counted processed)"
	# An update needs what it adds: the log and what is kept of the states are there.
	fails 1 faas update --set "sinks.records.file.path=$CASE/records.jsonl" \
		--set functions.total.keys=1000000 "$FIXTURES/meter.yaml"
	says "beside the version that runs, the new one of meter does not fit on this machine"
	says "/run/ebpf-faas/workflows: [0-9.]+ MiB needed \(states [0-9.]+, log 0.0\); 1[45].[0-9] MiB left: DOES NOT FIT"
	fails 1 faas update --set "sinks.records.file.path=$CASE/records.jsonl" --overcommit \
		--set functions.total.keys=1000000 "$FIXTURES/meter.yaml"
	says "warning: beside the version that runs"
	says "make room in /run"
	same "generation" 1 "$(faas list --json | jq '.[0].generation')"
	fails 0 faas update --set "sinks.records.file.path=$CASE/records.jsonl" \
		--set functions.total.keys=2000 "$FIXTURES/meter.yaml"
	faas unload --now meter
	away /run/ebpf-faas
}

no_room_on_disk() {
	network
	small /var/lib/ebpf-faas 64M
	fails 1 load meter --set functions.total.state=durable
	says "/var/lib/ebpf-faas/state: [0-9.]+ MiB needed \(durable log, two snapshots\); 6[0-9.]+ MiB left, of which 1.0 MiB stay free: DOES NOT FIT"
	nothing_was_made meter
	fails 0 load meter --set functions.total.state=durable --set 'storage={size: 16Mi}' \
		--set functions.total.keys=1000
	faas unload --now --purge meter
	away /var/lib/ebpf-faas
}

# The arithmetic against what is made: files to the byte, maps as the kernel accounts them.
as_it_says() {
	local bytes maps
	network
	bytes=$(faas load --dry-run --json --netns "$GATEWAY" --set functions.total.state=durable "$FIXTURES/meter.yaml" | jq -c .bytes)
	echo "arithmetic: $bytes"
	nothing_was_made meter
	load meter --set functions.total.state=durable
	same "files of states and log" "$(jq '.states + .log' <<<"$bytes")" \
		"$(stat -c %s /run/ebpf-faas/workflows/meter/{state.*,log,*.page} | awk '{sum += $1} END {print sum}')"
	same "files on the disk" "$(jq .disk <<<"$bytes")" \
		"$(stat -c %s /var/lib/ebpf-faas/state/meter/{log,snapshot.*,damage} | awk '{sum += $1} END {print sum}')"
	maps=$(for pin in "$PIN_ROOT"/workflows/meter/*; do
		bpftool --json map show pinned "$pin" 2>/dev/null | jq .bytes_memlock
	done | awk '{sum += $1} END {print sum}')
	echo "maps as the kernel counts them: $maps"
	[ "$(jq '.queue + .maps' <<<"$bytes")" -ge $((maps * 3 / 4)) ] || fail "that is more than the arithmetic says"
	[ "$(jq '.queue + .maps' <<<"$bytes")" -le $((maps * 3 / 2)) ] || fail "that is less than the arithmetic says"
	# What the worker has of its own.
	same "the worker fits" 1 "$(awk -v most="$(jq .worker <<<"$bytes")" \
		'/^Anonymous/ {print $2 * 1024 <= most ? 1 : $2 " KiB"}' "/proc/$(worker_pid)/smaps_rollup")"
	# It is on the disk now: loaded again, that costs nothing.
	faas unload meter
	same "disk, the second time" 0 "$(faas load --dry-run --json --netns "$GATEWAY" --set functions.total.state=durable "$FIXTURES/meter.yaml" | jq .bytes.disk)"
	load meter --set functions.total.state=durable
	faas unload --now --purge meter
}

test_case "a queue larger than the memory that is left" no_memory
test_case "states larger than the room for run-time files" no_room_in_run
test_case "durable state larger than the disk" no_room_on_disk
test_case "what fits takes what the arithmetic says" as_it_says
tests_done
