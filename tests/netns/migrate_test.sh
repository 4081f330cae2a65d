#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Updates to a version with another layout of its state: every key is taken over, by
# faas_on_migrate, or the version before goes on with the state that it had.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

VERSIONS=$FIXTURES/migrate
generation() { faas list --json | jq -r '.[0].generation // 0'; }
load_first() { faas load --netns "$GATEWAY" --set "sinks.records.file.path=$CASE/records.jsonl" "$@" "$VERSIONS/first/growth.yaml"; }
update_to() { # VERSION OPTION...
	local version=$1
	shift
	faas update --set "sinks.records.file.path=$CASE/records.jsonl" "$@" "$VERSIONS/$version/growth.yaml"
}
send() { traffic --to 10.77.0.1:5005 --count "$1" --keys 10 --first-port 40000; }
# Behind 50 that were sent before; how many of each key that makes is in $EACH.
begin_traffic() { traffic_begin growth --to 10.77.0.1:5005 --keys 10 --first-port 40000 --rate "${1:-1000}"; }
end_traffic() {
	traffic_flows 100
	traffic_end
	EACH=$((5 + $(sent sent) / 10))
}
# state MEMBER: of all keys, each value once.
state() { faas state list growth total --all --json | jq -c "[.entries[].value.$1] | unique"; }

taken_over() {
	network
	load_first
	send 50
	settle growth
	faas build --set "sinks.records.file.path=$CASE/records.jsonl" --output "$CASE/second" \
		"$VERSIONS/second/growth.yaml"
	begin_traffic
	fails 0 faas update "$CASE/second"
	end_traffic
	settle growth
	same "generation" 2 "$(generation)"
	same "processed" $((10 * EACH)) "$(counted processed)"
	same "counts" "[$EACH]" "$(state count)"
	same "they were taken over" true "$(faas state list growth total --json |
		jq "[.entries[].value.taken_over | . >= 5 and . < $EACH] | all")"
	exactly_once 10 "$EACH"
	same "no table is left beside" state.0 "$(ls /run/ebpf-faas/workflows/growth | grep '^state')"
	fails 0 update_to second --set version=again
	same "an update without a change keeps them" "[$EACH]" "$(state count)"
	fails 0 faas rollback growth
	fails 1 update_to first
	says 'version of the state: 2 there, 1 here'
	says 'FAAS_MIGRATE with faas_on_migrate let growth take it over'
	same "counts" "[$EACH]" "$(state count)"
	fails 0 update_to first --reset-state total
	send 10
	settle growth
	same "begun anew" '[1]' "$(state count)"
}

key_refused() {
	network
	load_first
	send 50
	traffic --to 10.77.0.1:5005 --count 2 --keys 1 --first-port 40007
	settle growth
	fails 1 update_to second --set functions.total.params.refuse=7
	says 'not migrated from version 1 to 2: faas_on_migrate returned -34 for key 40007'
	fails 1 update_to second --set functions.total.params.sleeps=1
	says 'it called clock_nanosleep while states were moved, which functions may not'
	same "generation" 1 "$(generation)"
	same "the state is as it was" '[5,7]' "$(state count)"
	send 50
	settle growth
	same "and goes on" '[10,12]' "$(state count)"
	same "no table is left beside" state.0 "$(ls /run/ebpf-faas/workflows/growth | grep '^state')"
	fails 0 update_to second
	same "counts" '[10,12]' "$(state count)"
}

refused_at_once() {
	network
	load_first
	send 50
	settle growth
	fails 1 update_to third
	says 'version of the state: 1 there, 3 here'
	says 'FAAS_MIGRATE'
	says 'reset-state total'
	same "generation" 1 "$(generation)"
	fails 0 update_to third --reset-state total
	same "begun anew" '[]' "$(state count)"
}

number_of_keys() {
	network
	load_first
	send 50
	settle growth
	fails 0 update_to first --set functions.total.keys=100000
	same "more keys" '[5]' "$(state count)"
	fails 0 update_to first --set functions.total.keys=10
	same "as many as there are" '[5]' "$(state count)"
	fails 1 update_to first --set functions.total.keys=9
	says 'the state of total has 10 keys, and there is room for 9'
	send 50
	settle growth
	same "fewer are refused" '[10]' "$(state count)"
	same "keys that fit" 10 "$(faas state list growth total --json | jq .keys_max)"
}

# What fails behind the migration: the version before has its state back.
fails_later() {
	network
	load_first
	send 50
	settle growth
	faas build --set "sinks.records.file.path=/nowhere/at/all" --output "$CASE/second" \
		"$VERSIONS/second/growth.yaml"
	begin_traffic
	fails 1 faas update "$CASE/second"
	end_traffic
	settle growth
	same "generation" 1 "$(generation)"
	same "the state is as it was, and goes on" "[$EACH]" "$(state count)"
	same "lost" 0 "$(counted lost.error)"
	exactly_once 10 "$EACH"
	same "no table is left beside" state.0 "$(ls /run/ebpf-faas/workflows/growth | grep '^state')"
}

# What is beside the tables of the version that runs.
beside() { find /run/ebpf-faas/workflows/growth -name 'state.*' ! -name state.0 -printf '%f ' | sort; }

# On trial: back to the states as they were before it; the events of the trial are
# processed and delivered, and in no state.
trial_goes_back() {
	network
	load_first
	send 50
	settle growth
	fails 0 update_to second --confirm 600s
	send 50
	settle growth
	same "counts of the version on trial" '[10]' "$(state count)"
	same "they were taken over" '[5]' "$(state taken_over)"
	same "the tables of before are kept" 'state.0.before ' "$(beside)"
	fails 0 faas rollback growth
	same "generation" 1 "$(generation)"
	same "counts" '[5]' "$(state count)"
	same "nothing is kept" '' "$(beside)"
	send 50
	settle growth
	same "processed" 150 "$(counted processed)"
	same "counts go on" '[10]' "$(state count)"
	wait_for 10 lines_are "$CASE/records.jsonl" 150 || true
	same "delivered by all" 150 "$(lines_of "$CASE/records.jsonl")"
	fails 0 update_to second
	same "and once more" '[10]' "$(state taken_over)"
}

trial_is_confirmed() {
	network
	load_first
	send 50
	settle growth
	fails 0 update_to second --confirm 600s
	send 50
	kill -KILL "$(runtime_pid)"
	send 50
	fails 0 faas confirm growth
	settle growth
	same "generation" 2 "$(generation)"
	same "counts" '[15]' "$(state count)"
	same "nothing is kept" '' "$(beside)"
	exactly_once 10 15
}

# Health is bad: it goes back by itself, with events on their way all the time.
trial_under_traffic() {
	network
	load_first
	send 50
	settle growth
	begin_traffic 2000
	fails 1 update_to second --set health.for=10s --set health.max_lost=1000000 \
		--set health.max_drop_ratio=0 --set triggers.in.mode=take
	says 'went back'
	end_traffic
	settle growth
	same "generation" 1 "$(generation)"
	same "processed" $((10 * EACH)) "$(counted processed)"
	wait_for 30 lines_are "$CASE/records.jsonl" $((10 * EACH)) || true
	same "delivered" $((10 * EACH)) "$(lines_of "$CASE/records.jsonl")"
	same "nothing is kept" '' "$(beside)"
}

# A state that begins anew is kept for the way back, too.
trial_begins_anew() {
	network
	load_first
	send 50
	settle growth
	fails 0 update_to first --reset-state total --confirm 600s
	send 10
	settle growth
	same "counts" '[1]' "$(state count)"
	fails 0 faas rollback growth
	same "as before" '[5]' "$(state count)"
	fails 0 update_to first --reset-state total
	same "begun anew" '[]' "$(state count)"
	same "nothing is kept" '' "$(beside)"
}

# Killed at any time, whoever it is: the one or the other, and the next command goes on.
killed() {
	local victim round sent=5
	network
	load_first
	send 50
	settle growth
	command_pid() { echo "$COMMAND"; }
	for victim in command runtime worker; do
		for round in 1 2; do
			background "$FAAS" update --set "sinks.records.file.path=$CASE/records.jsonl" \
				--set functions.total.params.pause_us=300000 "$VERSIONS/second/growth.yaml"
			COMMAND=$LAST
			wait_for 10 growing || fail "no state was moved"
			[ "$round" != 2 ] || sleep 0.15
			wait_for 20 kill_those "${victim}_pid"
			wait "$COMMAND" || true
			# The next command finishes it, forward or back.
			update_to first >"$CASE/next" 2>&1 || update_to second
			send 10
			settle growth
			sent=$((sent + 1))
			same "count after the $victim was killed" "[$sent]" "$(state count)"
			if faas state list growth total --json | jq -e '.version == 2' >/dev/null; then
				faas unload growth
				load_first
				send 50
				settle growth
				sent=5
			fi
		done
	done
}
growing() { [ -e /run/ebpf-faas/workflows/growth/state.0.next ]; }

test_case "taken over, under traffic" taken_over
test_case "a key that is refused" key_refused
test_case "what is refused at once" refused_at_once
test_case "another number of keys" number_of_keys
test_case "a failure behind the migration" fails_later
test_case "a trial goes back to its states" trial_goes_back
test_case "a trial is confirmed" trial_is_confirmed
test_case "a trial goes back under traffic" trial_under_traffic
test_case "a trial that begins anew goes back" trial_begins_anew
test_case "killed in between" killed
tests_done
