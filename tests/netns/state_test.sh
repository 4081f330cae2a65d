#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# ebpf-faas state: what functions remember, by field names, equal to what was sent.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# map FILTER: of the last `state --json`, in $CASE/state.
map() { jq -c "$1" "$CASE/state"; }

every_kind() {
	network
	faas load --netns "$GATEWAY" "$FIXTURES/keeper.yaml"
	traffic --to 10.77.0.1:5005 --count 200 --keys 10 --first-port 40000
	settle keeper
	faas state keeper --json >"$CASE/state"
	same "names" '["all-kinds",["by_port","networks","places"],"none-at-all",[]]' \
		"$(map '[.functions[] | .name, ([.maps[].map] | sort)]')"
	same "variables" '{"seen":200,"title":"keeper!"}' \
		"$(map '.functions[0].variables | {seen, title}')"
	same "kinds and how full" \
		'{"by_port":["percpu_hash",10,100],"networks":["lpm_trie",1,50],"places":["array",10,3000]}' \
		"$(map '.functions[0].maps | map({key: .map, value: [.type, .entries, .max_entries]}) | sort_by(.key) | from_entries')"
	same "sums of the CPUs" "$(jq -nc '[range(10) | [40000 + ., 20]]')" \
		"$(map '[.functions[0].maps[] | select(.map == "by_port").contents[] | [.key, .value.packets]] | sort')"
	same "each sum is that of its CPUs" true \
		"$(map '[.functions[0].maps[] | select(.map == "by_port").contents[] | ([.cpus[].bytes] | add) == .value.bytes] | all')"
	same "under a lock" "$(jq -nc '[range(10) | [1000 + ., 20, 40000 + .]]')" \
		"$(map '[.functions[0].maps[] | select(.map == "places").contents[] | [.key, .value.sum, .value.port]] | sort')"
	same "a lock is not shown" '["port","sum"]' \
		"$(map '.functions[0].maps[] | select(.map == "places").contents[0].value | keys')"

	faas state keeper | tee "$CASE/output"
	says '^  networks: lpm_trie, 1 of 50 entries in use \(2\.0 %\), pinned as [a-z0-9_]{1,15}$'
	says '^    10\.77\.0\.0/24: 1$'
	says '^    40003: \{packets: 20, bytes: [0-9]+\}$'
	says '^      cpu [0-9]+: \{packets: [0-9]+, bytes: [0-9]+\}$'
	says '^  seen = 200$'
	says '^  title = keeper!$'
	says '^none-at-all \(range_filter\): no state$'
	same "lines of the array" 10 "$(grep -c '{port: 4000.*, sum: 20}' "$CASE/output")"
}

# The same entries as bpftool, by its own reading of the map.
as_bpftool() {
	local pin
	network
	faas load --netns "$GATEWAY" "$FIXTURES/keeper.yaml"
	traffic --to 10.77.0.1:5005 --count 100 --keys 5 --first-port 40000
	settle keeper
	faas state keeper all-kinds places --json --all >"$CASE/state"
	same "only the map that was asked for" '["places"]' "$(map '[.functions[].maps[].map]')"
	pin=$(map '.functions[0].maps[0].pin' | tr -d '"')
	bpftool --json map dump pinned "$pin" | jq -c '[.[].formatted | [.key, .value.port, .value.sum]]' \
		>"$CASE/bpftool"
	same "entries" 3000 "$(map '.functions[0].maps[0].listed')"
	map '[.functions[0].maps[0].contents[] | [.key, .value.port, .value.sum]]' >"$CASE/ours"
	cmp "$CASE/bpftool" "$CASE/ours" || fail "bpftool reads something else"
	same "with --all as text" 3000 "$(faas state keeper all-kinds places --all | grep -c 'port: ')"
}

# More entries than are shown, while packets go on.
bounded() {
	network
	faas load --netns "$GATEWAY" "$FIXTURES/meter.yaml" --set functions.counter.params.entries=60000 \
		--set "sinks.records.file.path=$CASE/records.jsonl"
	traffic --to 10.77.0.1:5005 --count 1024 --keys 1024 --first-port 20000
	traffic --to 10.77.0.1:5005 --count 476 --keys 476 --first-port 30000
	settle meter
	fails 0 faas state meter
	says '^  counters: hash, 1500 of 60000 entries in use \(2\.5 %\), pinned as [a-z0-9_]{1,15}$'
	says '\.\.\. and 500 more'
	says '^    \{source_address: ::, destination_address: ::, source_port: 2[0-9]{4}, destination_port: 0, vlan: 0, protocol: 0, byte: 0\}: \{packets: 1, bytes: [0-9]+\}$'
	same "shown" 1000 "$(faas state meter --json | jq '.functions[0].maps[0].contents | length')"
	same "shown with --all" 1500 "$(faas state meter counter --json --all |
		jq '[.functions[0].maps[0].contents[].key.source_port] | unique | length')"
	start_in_netns "$PLANT" "$TEST_LIB/traffic" --to 10.77.0.1:5005 --count 2000000 --keys 1024 \
		--first-port 20000 >"$CASE/flood"
	echo "$STARTED" >>"$CASE/pids"
	for _ in 1 2 3; do
		same "shown under load" 1500 "$(faas state meter counter counters --json --all |
			jq '[.functions[0].maps[0].contents[].key.source_port] | unique | length')"
	done
	end_process "$STARTED"
}

mistakes() {
	network
	fails 5 faas state nothing-here
	load meter
	fails 5 faas state meter nothing
	says 'no kernel function nothing'
	fails 5 faas state meter counter nothing
	says 'no map nothing'
	fails 5 faas state meter total
	says 'state list meter total'
	fails 2 faas state
	fails 5 faas state --json meter nothing
	jq -e '.errors | length == 1' "$CASE/output" >/dev/null || fail "not one JSON error"
}

test_case "maps of every kind, variables, sums" every_kind
test_case "the same as bpftool shows" as_bpftool
test_case "more entries than are shown; under load" bounded
test_case "names that are not there" mistakes
tests_done
