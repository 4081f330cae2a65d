#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What is in bpffs cannot be read, or not all of it is there: that is no host without
# workflows. The command says so, and takes nothing away.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Gate drops every packet.
load_gate() {
	faas load --netns "$GATEWAY" --set functions.readings.params.min=4294967294 \
		--set functions.readings.params.max=4294967295 "$FIXTURES/gate.yaml"
}

with_files() { # COUNT COMMAND...: with at most so many open files
	(
		ulimit -n "$1"
		shift
		"$FAAS" "$@" 9<&-
	)
}

pins() { MACHINE_PARTS=pins machine_snapshot "$1"; }
same_pins() { # DIRECTORY
	MACHINE_PARTS=pins machine_same "$1" "$CASE" || {
		fail "the pins changed:"
		cat "$CASE/differences"
	}
}

still_drops() {
	traffic --to 10.77.0.1:5005 --count 20
	settle gate
	same "dropped" 20 "$(counted dropped)"
}

# At each number of files that is too small, another open() is the one that fails.
too_few_files() {
	local files
	network
	load_gate
	pins "$CASE/before"
	for files in 4 5 6 7 8 9; do
		fails 1 with_files "$files" confirm gate
		says 'Too many open files'
		same_pins "$CASE/before"
		[ "$files" -lt 9 ] || continue # enough for looking
		fails 1 with_files "$files" list
		says 'Too many open files'
	done
	still_drops
}

pin_removed() {
	local pin
	network
	load_gate
	for pin in barrier slots tc_slots; do
		mv "$PIN_ROOT/$pin" "$PIN_ROOT/away"
		pins "$CASE/before"
		fails 1 faas confirm gate
		says 'some of the host.s pins'
		fails 1 faas unload gate
		fails 1 load_gate
		fails 1 faas gc
		same_pins "$CASE/before"
		mv "$PIN_ROOT/away" "$PIN_ROOT/$pin"
	done
	still_drops
}

# The registry of a version with entries of another size.
other_version() {
	network
	load_gate
	mv "$PIN_ROOT/registry" "$PIN_ROOT/away"
	bpftool map create "$PIN_ROOT/registry" type array key 4 value 64 entries 16384 \
		name registry flags 0x400
	pins "$CASE/before"
	fails 1 faas unload gate
	says 'another version'
	fails 1 load_gate
	same_pins "$CASE/before"
	rm "$PIN_ROOT/registry"
	mv "$PIN_ROOT/away" "$PIN_ROOT/registry"
	still_drops
}

# A command that was killed while it took the last pins away: nothing was loaded.
half_removed() {
	network
	load_gate
	faas unload gate
	mkdir -p "$PIN_ROOT"
	bpftool map create "$PIN_ROOT/registry" type array key 4 value 128 entries 16384 \
		name registry flags 0x400
	load_gate
	still_drops
}

# Rules that cannot be taken out keep the slot: the next workflow in it would get the
# packets of this one.
too_few_files_to_unload() {
	local files stays=0
	network
	load_gate
	faas load --netns "$GATEWAY" --set workflow=other \
		--set triggers.in.packet.match.destination_port=5006 "$FIXTURES/gate.yaml"
	# How many it needs until there depends on what it inherits.
	for files in 10 11 12 13; do
		fails 1 with_files "$files" unload gate
		says 'Too many open files'
		! grep -q 'workflow gate stays' "$CASE/output" || stays=$((stays + 1))
	done
	[ "$stays" -gt 0 ] || fail "the rules were never what could not be taken out"
	still_drops
	fails 0 faas load --netns "$GATEWAY" --set workflow=third \
		--set triggers.in.packet.match.destination_port=5007 "$FIXTURES/gate.yaml"
	says 'gate was left half unloaded'
	traffic --to 10.77.0.1:5005 --count 20
	settle third
	same "packets of another workflow" 0 "$(counted matched)"
}

test_case "too few files: nothing is taken away" too_few_files
test_case "too few files to unload: the slot stays taken" too_few_files_to_unload
test_case "a pin was removed: nothing more is taken away" pin_removed
test_case "pins of another version are left alone" other_version
test_case "half removed pins, and no workflow: a load makes them" half_removed
tests_done
