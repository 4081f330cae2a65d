#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Timers of keys and triggers of time, from the workflow file to the sink.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

timers() { ledger lull | jq -c .timers; }
timers_are() { [ "$(ledger lull | jq ".timers.processed")" -ge "$1" ]; }
records() { jq -c "$1" "$CASE/records.jsonl"; }
worker_is_another() { [ -n "$(worker_pid)" ] && [ "$(worker_pid)" != "$1" ]; }

# Each key once, after its last packet, though the worker that armed it is dead.
silent_keys() {
	local after
	network
	# Longer where a machine stood still for so long.
	for after in 8 16 32; do
		load lull --set "functions.watch.params.after=${after}s" --set workers.instances.min=1
		traffic --to 10.77.0.1:5005 --count 20 --keys 5 --first-port 40000
		settle lull
		wait_for 10 kill_those worker_pid
		[ "$(timers)" != '{"processed":0,"dead_lettered":0}' ] || break
		faas unload lull
		rm -f "$CASE/records.jsonl"
	done
	wait_for 5 worker_is_another "$KILLED"
	wait_for $((after + 20)) lines_are "$CASE/records.jsonl" 5
	settle lull
	same "timers" '{"processed":5,"dead_lettered":0}' "$(timers)"
	same "events are counted apart" 20 "$(counted processed)"
	same "each key once" '["40000 4","40001 4","40002 4","40003 4","40004 4"]' \
		"$(jq -sc '[.[] | "\(.key) \(.fields.events)"] | sort' "$CASE/records.jsonl")"
	same "a record of a timer" '["fields","function","generation","id","key","output","time","workflow"]' \
		"$(jq -sc '.[0] | keys' "$CASE/records.jsonl")"
	faas status lull | tee "$CASE/output"
	says '^  timers: processed 5, dead_lettered 0$'
	says '^  timer clock: watch every 1h$'
	grep -F 'workflow=lull function=watch text=\"silent after 4 events\"' /run/ebpf-faas/runtime.log ||
		fail "the runtime's log has no line of the function"
}

# Each key once for each tick; an update changes the period. No tick comes before all keys are
# there.
ticks() {
	network
	load lull --set functions.watch.params.after=1h --set triggers.clock.timer.every=1h
	traffic --to 10.77.0.1:5005 --count 20 --keys 5 --first-port 40000
	settle lull
	ticks_every 2s
	wait_for 10 lines_are "$CASE/records.jsonl" 5
	same "each key once" '["40000 1","40001 1","40002 1","40003 1","40004 1"]' \
		"$(head -n 5 "$CASE/records.jsonl" | jq -sc '[.[] | "\(.key) \(.fields.count)"] | sort')"
	ticks_every 1h
	faas status lull | tee "$CASE/output"
	says '^  timer clock: watch every 1h$'
	settle lull
	same "all keys at each tick" 0 $(($(timers | jq .processed) % 5))
	# By the next version: at most an hour from now, and none at once.
	wait_for 20 lines_are "$CASE/records.jsonl" "$(timers | jq .processed)" || true
	same "lines in the file" "$(timers | jq .processed)" "$(lines_of "$CASE/records.jsonl")"
}

ticks_every() {
	faas update --set "sinks.records.file.path=$CASE/records.jsonl" --set "triggers.clock.timer.every=$1" \
		--set functions.watch.params.after=1h "$FIXTURES/lull.yaml"
}

refused() {
	fails 3 faas validate --set triggers.clock.to=nobody "$FIXTURES/lull.yaml"
	says 'no function is named .nobody.'
	fails 3 faas validate --set triggers.clock.timer.every=0s "$FIXTURES/lull.yaml"
	says 'out of range'
}

test_case "a silent key is told once, also by the next worker" silent_keys
test_case "a trigger of time calls each key" ticks
test_case "what is no timer is refused" refused
tests_done
