#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# ebpf-faas state get, list, export, import: states of user functions, by the names of their
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
	traffic_begin witness --to 10.77.0.1:5005 --keys 4
	wait_for 20 states_are_there
	for round in $(seq 40); do
		[ "$round" != 20 ] || wait_for 20 kill_those worker_pid
		wrong=$((wrong + $(faas state list witness total --json |
			jq '[.entries[].value | select(.count != .twin)] | length')))
	done
	wait_for 20 restarts_are 1
	traffic_end
	same "states of which the ends differ" 0 "$wrong"
	same "restarts" 1 "$(restarts)"
}
states_are_there() { [ "$(faas state list witness total --json | jq .keys)" = 4 ]; }
restarts() { faas status --json witness | jq .worker.restarts; }
restarts_are() { [ "$(restarts)" = "$1" ]; }

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

# What was exported comes back, into an empty table, over what has changed, twice.
back_again() {
	network
	load_diary --set functions.notes.params.remind=1h
	traffic --to 10.77.0.1:5005 --count 2400 --keys 600 --first-port 20000
	settle diary
	faas state export diary notes >"$CASE/export"
	faas unload diary
	load_diary --set functions.notes.params.remind=1h
	traffic --to 10.77.0.1:5005 --count 100 --keys 100 --first-port 20500
	settle diary
	fails 0 faas state import diary notes "$CASE/export"
	says 'imported 600 keys into notes, 500 of them new'
	faas state export diary notes >"$CASE/again"
	same "states" "$(sed '1d;$d' "$CASE/export" | jq -c '[.key, .value]' | sort | md5sum)" \
		"$(sed '1d;$d' "$CASE/again" | jq -c '[.key, .value]' | sort | md5sum)"
	same "timers go on" true "$(sed '1d;$d' "$CASE/again" | jq -s 'map(.timer_ns) | min > 3500e9 and max <= 3600e9')"
	same "as JSON, from standard input" '{"workflow":"diary","function":"notes","keys":600,"new":0}' \
		"$(faas state import diary notes - --json <"$CASE/export" | jq -c .)"
	traffic --to 10.77.0.1:5005 --count 600 --keys 600 --first-port 20000
	settle diary
	same "counting goes on" '[600,5]' \
		"$(faas state list diary notes --json | jq -c '[.keys, (.entries | map(.value.events) | unique[])]')"
}

# Whoever is killed meanwhile: each key is as it was, or as in the file; again, and all are.
killed_meanwhile() {
	local round wrong
	network
	load witness
	traffic --to 10.77.0.1:5005 --count 1024 --keys 1024 --first-port 20000
	settle witness
	faas state export witness total >"$CASE/small"
	jq -c 'if .value then .value.count = 77 | .value.twin = 77 else . end' "$CASE/small" >"$CASE/large"
	for round in worker runtime command; do
		faas state import witness total "$CASE/small"
		background "$FAAS" state import witness total "$CASE/large"
		sleep 0.0$((RANDOM % 4))
		# The command may be through with it.
		[ "$round" = command ] || wait_for 10 kill_those "${round}_pid"
		[ "$round" != command ] || kill -KILL "$LAST" || true
		wait "$LAST" || true
		[ "$round" != runtime ] || faas update --set "sinks.records.file.path=$CASE/records.jsonl" "$FIXTURES/witness.yaml"
		wait_for 10 faas state list witness total
		wrong=$(faas state list witness total --all --json |
			jq '[.entries[].value | select(.count != .twin or (.count != 1 and .count != 77))] | length')
		same "keys that are neither as before nor as in the file, after the $round" 0 "$wrong"
		wait_for 10 faas state import witness total "$CASE/large"
		same "all are in" '[77]' "$(faas state list witness total --all --json | jq -c '[.entries[].value.count] | unique')"
	done
	settle witness
}

# With durable state the command ends when the keys are on the disk.
durable() {
	network
	load_diary
	traffic --to 10.77.0.1:5005 --count 600 --keys 600 --first-port 20000
	settle diary
	faas state export diary notes | sed 's/"events":1,/"events":9,/' >"$CASE/export"
	faas unload diary
	load_diary --set functions.notes.state=durable
	fails 0 timeout 60 "$FAAS" state import diary notes "$CASE/export"
	says 'imported 600 keys'
	same "states" '[9]' "$(faas state list diary notes --all --json | jq -c '[.entries[].value.events] | unique')"
	faas unload diary --purge
}

# A file that is wrong anywhere changes nothing.
wrong_files() {
	network
	load_diary --set functions.notes.keys=12
	traffic --to 10.77.0.1:5005 --count 30 --keys 10 --first-port 40000
	settle diary
	faas state export diary notes >"$CASE/good"
	sed 's/"events":3/"events":9/' "$CASE/good" >"$CASE/changed"
	wrong() { # SED WORDS
		sed "$1" "$CASE/changed" >"$CASE/wrong.jsonl"
		fails 3 faas state import diary notes "$CASE/wrong.jsonl"
		says "$2"
	}
	wrong '5s/"events":9/"events":-9/' 'wrong.jsonl:5: .*events: is not an integer from 0 on'
	wrong '4s/"key":"[^"]*"/"key":"10.77.0.2"/' 'wrong.jsonl:4: .*fewer than 2 parts'
	wrong '3s/"key":"[^"]*"/"key":"10.77.0.2,1"/;6s/"key":"[^"]*"/"key":"10.77.0.2,1"/' \
		'wrong.jsonl:6: .*stands in line 3 as well'
	wrong '3s/}$/}}/' 'wrong.jsonl:3: .*no JSON object'
	wrong '7d' 'the file has 9 keys, and says that it has 10'
	wrong '$d' 'ends without saying how many keys'
	wrong '1d' 'wrong.jsonl:1: .*does not begin as an export does'
	wrong '1s/"version":1/"version":2/' 'of version 2 there, 1 here'
	wrong '1s/"offset":24/"offset":28/' 'laid out differently'
	wrong '1s/"library":"diary"/"library":"tally"/' 'library is tally there, diary here'
	wrong '2s/"value"/"timer_ns":-5,"value"/' 'not a number of nanoseconds'
	sed 's/"key":"10.77.0.2,4/"key":"10.77.0.2,5/' "$CASE/good" >"$CASE/many"
	fails 1 faas state import diary notes "$CASE/many"
	says '10 new keys, and notes has room for 2 more of 12'
	fails 1 faas state import diary notes "$CASE/nothing"
	says 'No such file'
	same "nothing changed" "$(sed '1d' "$CASE/good" | sort | md5sum)" \
		"$(faas state export diary notes | sed '1d' | sort | md5sum)"
}

test_case "one key" one_key
test_case "all keys, and an export" all_keys
test_case "timers" timers
test_case "never half written" whole
test_case "worker, courier and runtime killed in any order" survives
test_case "export and import" back_again
test_case "killed in the middle of an import" killed_meanwhile
test_case "into durable state" durable
test_case "files that are wrong" wrong_files
tests_done
