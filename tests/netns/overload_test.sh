#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# More comes than the worker manages: what is accepted meets its deadline, what is not
# is in the ledger by reason and trigger, and the packet goes as declared.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Every datagram of $1 is accounted for: an event each, that was emitted, lost or shed.
all_accounted() {
	local shed
	settle labour
	same "matched" "$1" "$(counted matched)"
	shed=$(jq '[.shed[]] | add' <<<"$LEDGER")
	same "emitted, lost and shed" "$1" \
		$(($(counted emitted) + shed + $(jq '[.lost[]] | add' <<<"$LEDGER")))
	same "shed by the triggers" "$shed" \
		"$(faas status --json labour | jq '[.overload.triggers[] | .deadline + .sampled] | add')"
	wait_for 30 lines_are "$CASE/records.jsonl" "$(counted emitted)" || true
	same "lines in the file" "$(counted emitted)" "$(lines_of "$CASE/records.jsonl")"
}
shed_of() { faas status --json labour | jq ".overload.triggers[\"$1\"] | .deadline + .sampled"; }

# The part of the records, in percent, whose event was not older than that many us.
percent_within() {
	jq ".fields.age" "$CASE/records.jsonl" |
		awk -v most="$1" '$1 <= most {good++} END {printf "%d\n", NR ? 100 * good / NR : 0}'
}

# What it manages easily is accepted, but for what a machine that stood still shed.
accepts_again() {
	local before
	before=$(counted emitted)
	traffic --to 10.77.0.1:5005 --count 500 --rate 1000 --keys 16
	settle labour
	[ $(($(counted emitted) - before)) -ge 250 ] ||
		fail "of 500 more only $(($(counted emitted) - before)) were accepted"
}

# Five times of what it manages, 5000 a second.
five_times() {
	local within
	network
	load labour
	traffic --to 10.77.0.1:5005 --count 50000 --rate 25000 --keys 16
	all_accounted 50000
	same "lost" 0 "$(jq '[.lost[]] | add' <<<"$LEDGER")"
	# A machine that others use stands still at times: then all of it is shed, and what was
	# accepted just before is late. Without a deadline not 20 of a hundred are in time.
	[ "$(counted shed.sampled)" -gt 500 ] || fail "only $(counted shed.sampled) were shed by sampling"
	[ "$(counted emitted)" -gt 500 ] || fail "only $(counted emitted) were accepted"
	within=$(percent_within 20000)
	echo "within the deadline: $within %"
	[ "$within" -ge 40 ] || fail "only $within % of what was accepted met the deadline"
	accepts_again
}

# Without a deadline: the same fills the queue, and events grow old in it.
nothing_shed() {
	local within
	network
	fails 3 load labour --set 'overload={event: lose}'
	says "importance. says whose events are shed first, and none are"
	sed -e '/importance/d' -e '/^overload/d' "$FIXTURES/labour.yaml" >"$CASE/labour.yaml"
	faas load --netns "$GATEWAY" --funcs "$FIXTURES/funcs" \
		--set "sinks.records.file.path=$CASE/records.jsonl" "$CASE/labour.yaml"
	traffic --to 10.77.0.1:5005 --count 50000 --rate 25000 --keys 16
	settle labour
	[ "$(counted lost.ring_full)" -gt 10000 ] || fail "only $(counted lost.ring_full) were lost"
	wait_for 30 lines_are "$CASE/records.jsonl" "$(counted emitted)" || true
	within=$(percent_within 20000)
	echo "within 20 ms: $within %"
	[ "$within" -le 20 ] || fail "$within % within 20 ms: the load is none"
}

# The least important goes first. Where others use the machine, the worker stands still
# now and then for longer than the deadline, and then all of it goes.
by_importance() {
	local chatter alarms
	network
	load labour
	start_in_netns "$PLANT" "$TEST_LIB/traffic" --to 10.77.0.1:5007 --count 40000 \
		--rate 20000 --keys 16 >"$CASE/sent"
	chatter=$STARTED
	echo "$chatter" >>"$CASE/pids"
	traffic --to 10.77.0.1:5006 --count 2000 --rate 1000 --keys 4 --first-port 30000
	wait "$chatter"
	all_accounted 42000
	chatter=$(shed_of chatter) alarms=$(shed_of alarms)
	echo "shed: $chatter of 40000 of the least important, $alarms of 2000 of the most important"
	[ "$chatter" -gt 20000 ] || fail "only $chatter of the least important were shed"
	# Where others use the machine both have less; of the one a part that is times larger.
	[ $(((2000 - alarms) * 20)) -ge $((3 * (40000 - chatter))) ] ||
		fail "$alarms of 2000 of the most important were shed"
}

# A worker that dies says nothing any more. What it said neither shuts the door for ever
# nor leaves it open.
killed() {
	local sender
	network
	load labour
	WORKER=
	start_in_netns "$PLANT" "$TEST_LIB/traffic" --to 10.77.0.1:5005 --count 75000 \
		--rate 25000 --keys 16 >"$CASE/sent"
	sender=$STARTED
	echo "$sender" >>"$CASE/pids"
	wait_for 10 shed_more_than 5000
	for _ in 1 2 3; do
		wait_for 10 another_worker "$WORKER"
		kill -KILL "$WORKER" || fail "it ended by itself"
	done
	wait "$sender"
	all_accounted 75000
	accepts_again
}
shed_more_than() { [ "$(ledger labour | jq '[.shed[]] | add')" -gt "$1" ]; }
# Its PID is in $WORKER.
another_worker() {
	WORKER=$(worker_pid)
	[ -n "$WORKER" ] && [ "$WORKER" != "$1" ]
}

# overload.packet: a packet of which no event could be made is dropped.
packet_dropped() {
	network
	load labour --set overload.packet=drop
	stack_listen 10.77.0.1:5005
	traffic --to 10.77.0.1:5005 --count 20000 --rate 20000 --keys 16
	all_accounted 20000
	same "dropped" $((20000 - $(counted emitted))) "$(counted dropped)"
	[ "$(counted dropped)" -gt 5000 ] || fail "only $(counted dropped) were dropped"
	same "received by the stack" "$(counted emitted)" "$(stack_received)"
}

# A version that sheds counts in other meters than one that does not: the ledger goes on.
updated() {
	local event
	network
	load meter
	traffic --to 10.77.0.1:5005 --count 1000 --keys 10
	for event in '{event: shed, deadline: 1s}' '{event: shed, deadline: 2s}' '{event: lose}'; do
		faas update --set "sinks.records.file.path=$CASE/records.jsonl" \
			--set "overload=$event" "$FIXTURES/meter.yaml"
		traffic --to 10.77.0.1:5005 --count 1000 --keys 10
		settle meter
	done
	same "matched" 4000 "$(counted matched)"
	same "emitted" 4000 "$(counted emitted)"
	same "passed" 4000 "$(counted passed)"
	exactly_once 10 400
}

# limits.outputs: a second's worth at once, then that rate; what is above is counted.
outputs_limited() {
	local sinks begin=$SECONDS
	network
	load meter --set 'limits.outputs=200/s'
	traffic --to 10.77.0.1:5005 --count 5000 --rate 2500 --keys 10
	settle meter
	same "processed" 5000 "$(counted processed)"
	wait_for 20 sinks_done 5000 || fail "not every output is accounted for"
	sinks=$(faas status --json meter | jq -c '.sinks[0] | {delivered, limited, refused}')
	echo "after $((SECONDS - begin)) s: $sinks"
	same "delivered and above the limit" 5000 "$(jq '.delivered + .limited' <<<"$sinks")"
	same "lines in the file" "$(jq .delivered <<<"$sinks")" "$(lines_of "$CASE/records.jsonl")"
	[ "$(jq .delivered <<<"$sinks")" -ge 400 ] || fail "less than the limit was delivered"
	[ "$(jq .delivered <<<"$sinks")" -le $((200 * (SECONDS - begin + 2))) ] ||
		fail "more than the limit was delivered"
	# It may deliver again, and so may a courier that takes over.
	kill -KILL "$(courier_pid)"
	traffic --to 10.77.0.1:5005 --count 100 --rate 2500 --keys 10
	settle meter
	wait_for 10 sinks_done 5100 || fail "not every output is accounted for"
	same "lines in the file" "$(faas status --json meter | jq '.sinks[0].delivered')" \
		"$(lines_of "$CASE/records.jsonl")"
}
sinks_done() { [ "$(faas status --json meter | jq '.sinks[0] | .delivered + .limited')" = "$1" ]; }

test_case "five times too much: what is accepted meets its deadline" five_times
test_case "the same without a deadline grows old in the queue" nothing_shed
test_case "the least important is shed first" by_importance
test_case "a killed worker sheds neither for ever nor never" killed
test_case "a packet without its event is dropped, where the workflow says so" packet_dropped
test_case "updates to versions that shed and back keep the ledger" updated
test_case "outputs above the limit are left out and counted" outputs_limited
tests_done
