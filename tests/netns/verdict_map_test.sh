#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Verdicts: what a user function decides, the kernel does with the next packet.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

verdicts() { ledger banned | jq -c .verdicts; }
written() { [ "$(verdicts | jq ".written + .refused")" -ge "$1" ]; }
courier_is_another() { [ -n "$(courier_pid)" ] && [ "$(courier_pid)" != "$1" ]; }
send() { traffic --to 10.77.0.1:5005 --count "$1" --keys 1 --first-port "$2"; } # COUNT PORT
dropped() { settle banned && counted dropped; }

# The sixth packet brings the ban, the seventh is dropped in the kernel, another key
# is not, and when the time of a ban is over the gate is open again.
opens_and_shuts() {
	local pid
	network
	load banned --set functions.judge.params.time=600s
	send 5 40000
	same "dropped before the ban" 0 "$(dropped)"
	send 1 40000
	wait_for 5 written 1
	same "verdicts" '{"written":1,"refused":0}' "$(verdicts)"
	send 7 40000
	same "dropped while it lasts" 7 "$(dropped)"
	send 3 40001
	same "another key" 7 "$(dropped)"
	bpf_map "$PIN_ROOT"/workflows/banned/*verdicts >"$CASE/map"
	same "in the map by names" '[{"port":40000,"value":1}]' \
		"$(jq -c '[.[] | {port: .key.source_port, value: .value.value}]' "$CASE/map")"
	wait_for 20 lines_are "$CASE/records.jsonl" 1 || true
	same "told" '["40000 6"]' "$(jq -sc '[.[] | "\(.key) \(.fields.events)"]' "$CASE/records.jsonl")"
	# A courier that comes after takes nothing back and gives nothing twice.
	pid=$(courier_pid)
	kill -KILL "$pid"
	wait_for 5 courier_is_another "$pid"
	same "verdicts after a killed courier" '{"written":1,"refused":0}' "$(verdicts)"
	faas update --set "sinks.records.file.path=$CASE/records.jsonl" --set functions.judge.params.time=2s \
		"$FIXTURES/banned.yaml"
	send 6 40002
	wait_for 5 written 2
	wait_for 10 opens_again
	faas status banned | tee "$CASE/output"
	says '^  verdicts: written 2, refused 0$'
}
# One more packet of the banned key comes through to the user tier.
opens_again() {
	local before
	before=$(counted emitted)
	send 1 40002
	settle banned
	[ "$(counted emitted)" -gt "$before" ]
}

# Given while no courier lives: written by the next one.
no_courier() {
	network
	load banned
	kill -STOP "$(courier_pid)"
	send 6 40000
	settle banned
	same "not written yet" '{"written":0,"refused":0}' "$(verdicts)"
	kill -KILL "$(courier_pid)"
	wait_for 10 written 1
	send 4 40000
	same "dropped" 4 "$(dropped)"
}

# A map that is full of verdicts that count refuses, and says so; one whose time is over
# makes room.
full_map() {
	network
	load banned --set functions.door.params.entries=2 --set functions.judge.params.time=20s
	send 6 40000
	send 6 40001
	send 6 40002
	wait_for 5 written 3
	same "no room" '{"written":2,"refused":1}' "$(verdicts)"
	wait_for 60 room_again # three times as long as a verdict counts
}
room_again() {
	send 6 40003
	settle banned
	[ "$(verdicts | jq .written)" -gt 2 ]
}

# An update keeps what was decided.
update() {
	network
	load banned
	send 6 40000
	wait_for 5 written 1
	faas update --set "sinks.records.file.path=$CASE/records.jsonl" --set functions.judge.params.limit=9 \
		"$FIXTURES/banned.yaml"
	send 4 40000
	same "dropped by the new version" 4 "$(dropped)"
	send 10 40001
	wait_for 5 written 2
	send 1 40001
	same "and what it decided itself" 5 "$(dropped)"
}

refused() {
	fails 3 faas validate --set 'functions.judge.key=source_address' "$FIXTURES/banned.yaml"
	says 'judge decides about the key source_address, and .by. of door is another: '
	fails 3 faas validate --set 'functions.judge.verdicts.ban=judge' "$FIXTURES/banned.yaml"
	says 'judge .ban. takes no verdicts'
	fails 3 faas validate --set 'functions.judge.verdicts={bann: door}' "$FIXTURES/banned.yaml"
	says 'ban has no verdict .bann.; did you mean .ban.'
	fails 3 faas validate --set 'functions.door.verdicts={ban: door}' "$FIXTURES/banned.yaml"
	says 'is for user functions'
}

test_case "the gate shuts for a key, and opens when the time is over" opens_and_shuts
test_case "a verdict waits for the courier" no_courier
test_case "a full map" full_map
test_case "an update keeps verdicts" update
test_case "what is no verdict is refused" refused
tests_done
