#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The function library on real interfaces: each example as its README says it.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# eth0, as the examples call it, to the plant; eth1 and eth2 lead back into it.
example_network() {
	local number
	netns_make "$GATEWAY"
	netns_make "$PLANT"
	for number in 0 1 2; do
		netns_veth "$GATEWAY" "eth$number" "$PLANT" "plant$number"
		in_netns "$PLANT" ethtool -K "plant$number" gro on # takes what XDP sends
	done
	in_netns "$GATEWAY" ip address add 10.20.0.1/24 dev eth0
	in_netns "$PLANT" ip address add 10.20.0.2/24 dev plant0
}

# example FUNCTION OPTION...: load its example; records go to $CASE/records.jsonl.
example() {
	local name=$1
	shift
	with_example load "$name" --netns "$GATEWAY" "$@"
}
with_example() { # VERB FUNCTION OPTION...
	local sink verb=$1 name=$2
	shift 2
	sink=$(grep -B 1 '^    file:' "$TOP/funcs/$name/example.yaml" | sed -n 's/^  \([a-z-]*\):$/\1/p')
	[ -z "$sink" ] || set -- --set "sinks.$sink.file.path=$CASE/records.jsonl" "$@"
	faas "$verb" "$@" "$TOP/funcs/$name/example.yaml"
}

every_example() {
	local folder name
	example_network
	for folder in "$TOP"/funcs/*/; do
		name=$(sed -n 's/^workflow: //p' "$folder/example.yaml")
		[ "$name" != json-readings ] || command -v node >/dev/null || continue
		example "$(basename "$folder")"
		faas unload --now "$name"
	done
}

addresses_listed() {
	example_network
	printf '%s\n' '10.20.0.0/24' '10.20.0.2/32 0 # the plant' >"$CASE/list"
	sed "s|plant.txt|list|; s|protocol: tcp, destination_port: 502|protocol: udp, destination_port: 5005|" \
		"$TOP/funcs/cidr/example.yaml" >"$CASE/guard.yaml"
	faas load --netns "$GATEWAY" --funcs "$TOP/funcs" "$CASE/guard.yaml"
	traffic --to 10.20.0.1:5005 --count 100
	settle modbus-guard
	same "dropped: an exception" 100 "$(counted dropped)"
	faas unload --now modbus-guard
	echo '10.20.0.2/31' >"$CASE/list"
	faas load --netns "$GATEWAY" --funcs "$TOP/funcs" "$CASE/guard.yaml"
	traffic --to 10.20.0.1:5005 --count 100
	settle modbus-guard
	same "passed: listed" 100 "$(counted passed)"
}

# In an hour's period nothing comes back during the test.
rate_limited() {
	example_network
	example rate_limit --set functions.fair.params.per=1h
	traffic --to 10.20.0.1:53 --count 100
	settle fair-dns
	same "passed" 40 "$(counted passed)"
	faas set fair-dns fair.burst=50
	traffic --to 10.20.0.1:53 --count 100
	settle fair-dns
	same "passed with a larger burst" 50 "$(counted passed)"
	same "dropped" 150 "$(counted dropped)"
}

sampled() {
	example_network
	example sample
	faas set spot-check some.every=1
	traffic --to 10.20.0.1:5005 --count 50
	settle spot-check
	wait_for 10 lines_are "$CASE/records.jsonl" 50 || true
	same "records" 50 "$(lines_of "$CASE/records.jsonl")"
}

# The sender counts in the first bytes of its payload; of one key all levels are
# within the threshold but the first.
values_changed() {
	example_network
	example deadband --set functions.news.params.by='[source_address]'
	traffic --to 10.20.0.1:5006 --count 50
	settle tank-levels
	wait_for 10 lines_are "$CASE/records.jsonl" 1 || true
	cat "$CASE/records.jsonl"
	same "records" 1 "$(lines_of "$CASE/records.jsonl")"
	same "a first value has none before it" null "$(jq -c '.fields.previous' "$CASE/records.jsonl")"
}

# A window of 100 ms: packets over half a second make a few records, which tell of
# all packets but those of the window that goes on.
windows_told() {
	local told _
	example_network
	example aggregate --set functions.minutes.params.window=100ms
	for _ in 1 2 3 4 5; do
		traffic --to 10.20.0.1:5008 --count 20
		sleep 0.15
	done
	traffic --to 10.20.0.1:5008 --count 1
	settle power-minutes
	wait_for 10 all_told 100 || true
	[ "$(lines_of "$CASE/records.jsonl")" -ge 5 ] || fail "only $(lines_of "$CASE/records.jsonl") windows"
	told=$(jq -s 'map(.fields.count) | add' "$CASE/records.jsonl")
	same "values told of" 100 "$told"
	same "means within their window" 0 \
		"$(jq -s 'map(select(.fields.mean < .fields.min or .fields.mean > .fields.max)) | length' "$CASE/records.jsonl")"
}

# The sender's count is in bytes 0 to 7, so the low half of it in 4 to 7: a level in
# hundredths in two of them, and a switch in the last. Datagrams of 5 bytes are too
# short for a report.
reports_decoded() {
	example_network
	example schema --set functions.report.params.layout='[{name: number, offset: 0, type: u64be}, {name: value, offset: 6, type: u16be, scale: 0.01}, {name: pump_on, offset: 7, type: u8, bit: 1}]'
	traffic --to 10.20.0.1:5009 --count 300 --payload 12
	in_netns "$PLANT" bash -c 'printf 12345 >/dev/udp/10.20.0.1/5009'
	settle tank-reports
	wait_for 10 lines_are "$CASE/records.jsonl" 301 || true
	same "records" 301 "$(lines_of "$CASE/records.jsonl")"
	same "numbers, levels and switches that are not those of the datagram" 0 \
		"$(jq -c 'select(.output == "decoded") | .fields | select(.value != .number / 100 or .pump_on != (.number / 2 | floor) % 2)' \
			"$CASE/records.jsonl" | wc -l)"
	same "different numbers" 300 "$(jq 'select(.output == "decoded") | .fields.number' "$CASE/records.jsonl" | sort -u | wc -l)"
	same "what is too short" '"3132333435"' \
		"$(jq -c 'select(.output == "undecoded") | .payload' "$CASE/records.jsonl")"
}

# Windows of 200 ms by the time of the packets. The last one is told by its timer, though
# the worker that set it is dead by then.
windows_by_time() {
	local told
	example_network
	fails 1 example window --set functions.minutes.params.lateness=1h
	says 'minutes does not begin with these parameters.*Numerical result out of range.*README of window'
	example window --set functions.minutes.params='{every: 200ms, silence: 2s}' \
		--set functions.report.params.layout='[{name: value, offset: 4, type: u32be}]'
	traffic --to 10.20.0.1:5010 --count 300 --rate 300 --payload 12
	settle meter-minutes
	wait_for 20 kill_those worker_pid
	wait_for 20 all_told 300 || true
	told=$(jq -sc 'map(.fields) | [(map(.count) | add), (map(.sum) | add), (map(.min) | min), (map(.max) | max)]' \
		"$CASE/records.jsonl")
	same "values, their sum, the smallest, the largest" "[300,44850,0,299]" "$told"
	same "windows, at least" true "$(jq -s 'length >= 5' "$CASE/records.jsonl")"
	same "windows that do not end 200 ms after they begin" 0 \
		"$(jq -c '.fields | select(.end_ns - .begin_ns | . < 199000000 or . > 201000000)' "$CASE/records.jsonl" | wc -l)"
	same "what else is told" 0 "$(jq -c 'select(.output != "window")' "$CASE/records.jsonl" | wc -l)"
}
all_told() { [ "$(jq -s 'map(.fields.count) | add' "$CASE/records.jsonl" 2>/dev/null)" = "$1" ]; }

# Five of each side, however long the second takes; then three that stay alone until their timer.
sides_joined() {
	example_network
	example join --set functions.both.params.within=1h --set functions.temperature.params.offset=6
	traffic --to 10.20.0.1:5011 --count 5
	traffic --to 10.20.0.1:5012 --count 5
	settle heat-exchangers
	with_example update join --set functions.both.params.within=1s --set functions.temperature.params.offset=6
	traffic --to 10.20.0.1:5011 --count 3
	settle heat-exchangers
	wait_for 15 lines_are "$CASE/records.jsonl" 8 || true
	same "pairs" "[[0,0],[0.01,0.01],[0.02,0.02],[0.03,0.03],[0.04,0.04]]" \
		"$(jq -sc 'map(select(.output == "pair") | [.fields.left, .fields.right])' "$CASE/records.jsonl")"
	same "pairs of which the right one was first" 0 \
		"$(jq -c 'select(.output == "pair" and .fields.gap_ns < 0)' "$CASE/records.jsonl" | wc -l)"
	same "values that stay alone, and their side" "[[0,0],[0.01,0],[0.02,0]]" \
		"$(jq -sc 'map(select(.output == "unmatched") | [.fields.value, .fields.side])' "$CASE/records.jsonl")"
}

# An answer in time, one without a question, a question without an answer.
answers_awaited() {
	example_network
	example pattern --set functions.answered.params.within=1h
	kinds_sent 1 1 2 2
	settle stop-answers
	with_example update pattern --set functions.answered.params.within=1s
	kinds_sent 1
	settle stop-answers
	wait_for 10 lines_are "$CASE/records.jsonl" 2 || true
	cat "$CASE/records.jsonl"
	same "what is told, with questions" '[["match",2],["timeout",1]]' \
		"$(jq -sc 'map([.output, .fields.firsts])' "$CASE/records.jsonl")"
	same "time given to the answer" 1000000000 "$(jq 'select(.output == "timeout") | .fields.waited_ns' "$CASE/records.jsonl")"
}

# shellcheck disable=SC2016  # is for the inner shell
kinds_sent() { in_netns "$PLANT" bash -c 'for kind; do printf "\x0$kind" >/dev/udp/10.20.0.1/5013; done' say "$@"; }

# Far fewer messages than `every` says: told because the time has come.
totals_asked() {
	example_network
	example tally --set triggers.hourly.timer.every=300ms --set triggers.messages.packet.match.protocol=udp
	traffic --to 10.20.0.1:1883 --count 7
	wait_for 15 asked 7 || true
	settle mqtt-traffic
	asked 7 || fail "no record tells of 7 messages: $(cat "$CASE/records.jsonl")"
}
asked() { jq -e "select(.fields.count == $1)" "$CASE/records.jsonl" >/dev/null 2>&1; }

test_case "each example loads and is gone again" every_example
test_case "cidr: exceptions and lists" addresses_listed
test_case "rate_limit: exactly the burst, also a changed one" rate_limited
test_case "sample: changed while it runs" sampled
test_case "deadband: one record of many like values" values_changed
test_case "aggregate: windows tell of every value once" windows_told
test_case "schema: the numbers of each datagram" reports_decoded
test_case "window: every value in one window, also after a kill" windows_by_time
test_case "join: pairs, and what stays alone" sides_joined
test_case "pattern: an answer, and none" answers_awaited
test_case "tally: totals when a trigger of time asks" totals_asked
tests_done
