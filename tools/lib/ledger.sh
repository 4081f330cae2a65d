# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Reading what `ebpf-faas status` and bpftool say. FD 9 is the host lock: closed,
# because `load` starts processes that stay.

faas() {
	local status=0
	[ -z "${DISTURB:-}" ] || now_and_then
	"$FAAS" "$@" 9<&- || status=$?
	[ -z "${DISTURB:-}" ] || now_and_then
	return "$status"
}

# now_and_then: one time in three, up to 300 ms.
now_and_then() { ((RANDOM % 3)) || sleep "0.$((100 + RANDOM % 200))"; }

# ledger WORKFLOW: its ledger, as one JSON object.
ledger() { faas status --json "$1" | jq -ce .ledger; }

# ledger_get LEDGER PATH: one number of it; 0 for a reason that never occurred.
ledger_get() { jq -r ".$2 // 0" <<<"$1"; }

# Nothing is on its way any more: all that was emitted was processed or put aside.
ledger_at_rest() {
	faas status --json "$1" | jq -ne 'input.ledger | .in_flight == 0 and .in_kernel == 0 and
		.emitted == .processed + .dead_lettered'
}

# Both sums of the ledger: packets and events. Prints what is wrong with it.
ledger_balance() {
	jq -r '
	(.matched - .dropped - .passed - .replied - .redirected - (.lost.no_program // 0)) as $packets |
	(.emitted - .processed - .dead_lettered - .in_flight) as $events |
	if $packets != 0 then "packets: matched differs from the verdicts by \($packets)" else empty end,
	if $events != 0 then "events: emitted differs from what became of them by \($events)" else empty end,
	if .in_kernel != 0 then "in_kernel is \(.in_kernel) at rest" else empty end
	' <<<"$1"
}

# lines_are FILE N: FILE has N lines, or more: waiting ends, comparing comes later.
lines_are() { [ "$(lines_of "$1")" -ge "$2" ]; }
lines_of() { if [ -e "$1" ]; then wc -l <"$1"; else echo 0; fi; }

# values_added: the values of such entries, an object of numbers each, added up.
values_added() {
	jq -c 'map(.value | to_entries[]) | group_by(.key) | map({key: .[0].key, value: (map(.value) | add)}) | from_entries'
}

# bpf_map PATH: the entries of a pinned map as bpftool prints them with --json,
# by field: [{"key":..,"value":..}], a per-CPU map with its CPUs added up.
bpf_map() {
	bpftool --json map dump pinned "$1" | jq -c '
	def sum($a; $b):
		if ($a | type) == "object" then reduce ($a | keys_unsorted)[] as $key ({}; .[$key] = sum($a[$key]; $b[$key]))
		elif ($a | type) == "array" then [range($a | length) as $at | sum($a[$at]; $b[$at])]
		elif ($a | type) == "number" then $a + $b
		else $b end;
	def add_up: .[0] as $first | reduce .[1:][] as $one ($first; sum(.; $one));
	map(.formatted | if .values then {key, value: ([.values[].value] | add_up)} else . end)'
}
