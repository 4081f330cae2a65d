#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Durable state on a disk that cannot be written for a while: one of memory, thinly
# provided as some are, so that what is written needs room even where a file has it.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

STATE=/var/lib/ebpf-faas/state
KEYS=10

# disk SIZE: the state directory is on one of its own. It goes with the case.
disk() {
	mkdir -p "$STATE"
	echo "$STATE" >>"$CASE/mounts"
	mount -t tmpfs -o "mode=700,size=$1" ef_disk "$STATE"
}
no_disk() {
	umount "$STATE"
	rmdir "$STATE" "${STATE%/*}"
}

# No more than so many KiB can be written from now on, wherever they go.
scarce() { # KIB
	local used snapshot
	# What was never written gives its room back.
	fallocate --dig-holes "$STATE/meter/log"
	for snapshot in "$STATE"/meter/snapshot.?; do
		fallocate --punch-hole --offset 0 --length "$(stat -c %s "$snapshot")" "$snapshot"
	done
	used=$(df --output=used -k "$STATE" | tail -n 1)
	mount -o "remount,size=$((used + $1))k" "$STATE"
}
plenty() { mount -o remount,size=256m "$STATE"; }

load_durable() { # OPTION...
	load meter --set functions.total.state=durable --set storage.size=16Mi "$@"
}

send() { traffic --to 10.77.0.1:5005 --count "$1" --keys "$KEYS" --rate 10000; }

storage() { faas status meter --json | jq -r ".storage.$1"; }
storage_is() { [ "$(storage state)" = "$1" ]; }
now() { ledger_get "$(ledger meter)" "$1"; }
all_is_processed() { [ "$(now processed)" = "$1" ]; }

# loaded OPTION...: so many events are processed, and then the disk is nearly full.
loaded_and_nearly_full() {
	network
	disk 256m
	load_durable "$@"
	send 500
	settle meter
	same "the disk" "written" "$(storage state)"
	same "snapshots" 0 "$(storage snapshots)"
	scarce 128
}

# Events wait in the ring until there is room again, and nothing is lost of them.
held_until_there_is_room() {
	local processed
	loaded_and_nearly_full --set storage.when_unwritable=wait
	send 10000
	wait_for 10 storage_is "not written, waiting" || fail "status does not say that it waits: $(storage state)"
	same "the error" "No space left on device" "$(storage error)"
	faas status meter | tee "$CASE/status"
	grep -q "not written, waiting" "$CASE/status" || fail "status does not say it in words"
	grep -q "No space left on device" "$CASE/status" || fail "status does not say why"
	processed=$(now processed)
	sleep 1
	same "processed a second later" "$processed" "$(now processed)"
	same "in flight" $((10500 - processed)) "$(now in_flight)"
	[ "$processed" -lt 10500 ] || fail "nothing waits"
	wait_for 20 lines_are "$CASE/records.jsonl" "$processed" || true
	same "delivered" "$processed" "$(lines_of "$CASE/records.jsonl")"
	plenty
	settle meter
	same "the disk" "written" "$(storage state)"
	same "the error" "" "$(storage error)"
	same "processed" 10500 "$(counted processed)"
	same "lost for want of room in the ring" 0 "$(counted lost.ring_full)"
	exactly_once "$KEYS" 1050
	faas unload --purge meter
	no_disk
}

# Events go on without the disk; when it is back, it catches up: all in memory may go.
went_on_without() {
	local durable
	loaded_and_nearly_full --set storage.when_unwritable=continue
	send 10000
	settle meter
	same "processed" 10500 "$(counted processed)"
	same "the disk" "not written, going on without" "$(storage state)"
	same "the error" "No space left on device" "$(storage error)"
	durable=$(storage durable_position)
	exactly_once "$KEYS" 1050
	same "what is on the disk" "$durable" "$(storage durable_position)"
	plenty
	wait_for 10 storage_is written || fail "it does not catch up: $(storage state)"
	[ "$(storage durable_position)" -gt "$durable" ] || fail "nothing was caught up"
	send 500
	settle meter
	all_die
	rm -rf /run/ebpf-faas/workflows/meter
	faas unload --now meter || true
	load_durable --set storage.when_unwritable=continue
	send 500
	settle meter
	same "what was damaged" 0 "$(storage corrupt)"
	# Some lines may be there twice; no count is missing, and none is too high.
	wait_for 20 different_counts_are 11500 || true
	same "different counts" 11500 "$(different_counts)"
	same "the highest" 1150 "$(jq -s 'map(.fields.count) | max' "$CASE/records.jsonl")"
	faas unload --purge meter
	no_disk
}

# A full disk is said so when the workflow is loaded, and nothing stays of it: by what is
# reckoned before, or else by the file system.
refused_on_a_full_disk() {
	network
	disk 8m
	fails 1 load_durable
	says "$STATE: .* needed .*: DOES NOT FIT"
	[ -z "$(ls -A "$STATE")" ] || fail "files stay: $(ls -R "$STATE")"
	fails 1 load_durable --overcommit
	says "$STATE/meter/.*: the file system is full"
	says 'make room there, or lower .storage: \{size\}.'
	[ -z "$(ls -A "$STATE")" ] || fail "files stay: $(ls -R "$STATE")"
	plenty
	load_durable
	send 100
	settle meter
	exactly_once "$KEYS" 10
	faas unload --purge meter
	no_disk
}

test_case "a disk that cannot be written holds events up" held_until_there_is_room
test_case "a workflow goes on without its disk and catches up" went_on_without
test_case "a workflow is refused on a full disk" refused_on_a_full_disk
tests_done
