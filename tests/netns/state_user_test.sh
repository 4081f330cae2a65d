#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# ebpf-faas state get, list, export: states of user functions, by the names of their
# members, equal to what was sent, while workers go on and are replaced.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

load_diary() { faas load --netns "$GATEWAY" "$@" "$FIXTURES/diary.yaml"; }

one_key() {
	network
	load_diary
	traffic --to 10.77.0.1:5005 --count 50 --keys 10 --first-port 40000
	settle diary
	faas state get diary notes 10.77.0.2,40003 --json >"$CASE/entry"
	same "the entry" \
		'{"key":"10.77.0.2,40003","value":{"events":5,"name":"port 40003","parts":{"half":2.5,"third":1.6666666666666667},"last":[{"port":40003,"ttl":"0000"},{"port":40003,"ttl":"0000"},{"port":40003,"ttl":"0000"}],"low":-5,"odd":1,"most":"18446744073709551610"}}' \
		"$(cat "$CASE/entry")"
	fails 0 faas state get diary notes 10.77.0.2,40003
	says '^10\.77\.0\.2,40003: \{events: 5, name: port 40003, parts: \{half: 2\.5, third: 1\.66'
	fails 5 faas state get diary notes 10.77.0.2,40013
	says 'no state for 10\.77\.0\.2,40013, of 10 keys'
	says 'did you mean 10\.77\.0\.2,4000'
	fails 2 faas state get diary notes 10.77.0.2
	says 'fewer than 2 parts'
	says 'written source_address,source_port'
	fails 2 faas state get diary notes 10.77.0.2,70000
	says '"70000" is no source_port'
	fails 2 faas state get diary notes
	says 'state get WORKFLOW FUNCTION KEY'
	fails 5 faas state get diary nots 10.77.0.2,40003
	says 'did you mean `notes`'
	fails 5 faas state get diari notes 10.77.0.2,40003
	says 'did you mean `diary`'
	fails 0 faas state diary
	says 'state of 10 of 2000 keys'
	same "the overview" '[10,2000]' "$(faas state diary --json | jq -c '.user_functions[0] | [.keys, .keys_max]')"
	fails 5 faas state diary notes
	says 'state list diary notes'
}

all_keys() {
	network
	load_diary
	traffic --to 10.77.0.1:5005 --count 1024 --keys 1024 --first-port 20000
	traffic --to 10.77.0.1:5005 --count 200 --keys 200 --first-port 30000
	settle diary
	fails 0 faas state list diary notes
	says '^notes \(diary\) by source_address,source_port: 1224 of 2000 keys in use \(61\.2 %\), version 1$'
	says '\.\.\. and 224 more'
	same "lines" 1002 "$(wc -l <"$CASE/output")"
	faas state list diary notes --all --json >"$CASE/list"
	same "all of them, in order" true \
		"$(jq '[.entries[].key | split(",")[1] | tonumber] == [range(20000; 21024), range(30000; 30200)]' "$CASE/list")"
	same "counted" '[1224,1224]' "$(jq -c '[.keys, .listed]' "$CASE/list")"
	faas state export diary notes >"$CASE/export"
	same "first line" '["diary","notes","diary","source_address,source_port",1]' \
		"$(head -n 1 "$CASE/export" | jq -c '[.workflow, .function, .library, .key, .version]')"
	same "last line" '{"keys":1224}' "$(tail -n 1 "$CASE/export")"
	same "exported and listed" "$(jq -c '.entries[]' "$CASE/list" | md5sum)" \
		"$(sed '1d;$d' "$CASE/export" | jq -sc 'sort_by(.value.name)[]' | md5sum)"
}

timers() {
	network
	load_diary --set functions.notes.params.remind=1h
	traffic --to 10.77.0.1:5005 --count 1 --keys 1 --first-port 40000
	settle diary
	same "the timer is set for an hour" true \
		"$(faas state get diary notes 10.77.0.2,40000 --json | jq '.timer_ns > 3500e9 and .timer_ns <= 3600e9')"
	fails 0 faas state get diary notes 10.77.0.2,40000
	says ', timer in 35[0-9]{2}\.[0-9]{3} s$'
}

# A state is never shown half written: its two ends agree, whatever the worker is doing.
whole() {
	local wrong=0 round
	network
	load witness
	start_in_netns "$PLANT" "$TEST_LIB/traffic" --to 10.77.0.1:5005 --count 3000000 --keys 4 >"$CASE/flood"
	echo "$STARTED" >>"$CASE/pids"
	wait_for 5 faas state get witness total "$(faas state list witness total --json | jq -r '.entries[0].key // "1"')"
	for round in $(seq 40); do
		[ "$round" != 20 ] || kill -KILL "$(worker_pid)"
		wrong=$((wrong + $(faas state list witness total --json |
			jq '[.entries[].value | select(.count != .twin)] | length')))
	done
	end_process "$STARTED"
	same "states of which the ends differ" 0 "$wrong"
	same "restarts" 1 "$(faas status --json witness | jq .worker.restarts)"
}

# Whoever is killed, in whatever order: the state is there, and goes on.
survives() {
	local order victim sent=0
	network
	load witness
	for order in 'worker courier runtime' 'runtime worker courier' 'courier runtime worker'; do
		traffic --to 10.77.0.1:5005 --count 40 --keys 4 --first-port 40000
		sent=$((sent + 10))
		for victim in $order; do
			kill -KILL "$("${victim}_pid")" 2>/dev/null || true
		done
		traffic --to 10.77.0.1:5005 --count 40 --keys 4 --first-port 40000
		sent=$((sent + 10))
		# A command that needs the runtime starts it; the kernel tier went on alone.
		fails 0 faas update --set "sinks.records.file.path=$CASE/records.jsonl" "$FIXTURES/witness.yaml"
		settle witness
		for victim in 40000 40001 40002 40003; do
			same "count of $victim after $order" "$sent" \
				"$(faas state get witness total "$victim" --json | jq .value.count)"
		done
	done
	exactly_once 4 "$sent"
}

test_case "one key" one_key
test_case "all keys, and an export" all_keys
test_case "timers" timers
test_case "never half written" whole
test_case "worker, courier and runtime killed in any order" survives
tests_done
