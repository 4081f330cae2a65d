#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The command line: exit statuses, and --json, which is one value each, errors too.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# json STATUS FILTER COMMAND...: one JSON value on stdout for which FILTER is true.
json() {
	local wanted=$1 filter=$2 status=0
	shift 2
	"$@" >"$CASE/json" 2>"$CASE/errors" || status=$?
	same "exit status of ${*##*/}" "$wanted" "$status"
	jq -es "length == 1 and (.[0] | $filter)" "$CASE/json" >/dev/null || {
		fail "not one JSON value with $filter:"
		head -c 2000 "$CASE/json"
	}
}

exit_statuses() {
	network
	fails 0 faas version
	fails 0 faas help
	fails 0 faas help load
	fails 2 faas
	says 'help'
	fails 2 faas frobnicate
	says 'frobnicate'
	fails 2 faas load
	fails 2 faas load --frobnicate x
	fails 2 faas status a b
	fails 2 faas list --now
	says '`list` has no option --now; it takes --json$'
	fails 5 faas status nothing-here
	fails 5 faas unload nothing-here
	fails 5 faas functions nothing_here
	printf 'workflow: broken\ntriggers: 5\n' >"$CASE/broken.yaml"
	fails 3 faas validate "$CASE/broken.yaml"
	says "broken\.yaml:2:"
	fails 3 faas load "$CASE/broken.yaml"
	fails 3 faas build --output "$CASE/bundle" "$CASE/broken.yaml"
	[ ! -e "$CASE/bundle" ] || fail "build left a bundle of a broken workflow"
	fails 0 faas validate "$FIXTURES/meter.yaml"
}

# Somebody without privilege is told so, with the status for it.
no_privilege() {
	network
	fails 4 setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all \
		"$FAAS" load "$FIXTURES/gate.yaml"
	says '[Rr]oot|privilege|CAP_|permission'
}

json_values() {
	network
	json 0 '.version | type == "string"' faas version --json
	json 0 'type == "object"' faas help --json
	json 0 'type' faas functions --json
	json 0 'type' faas functions --json range_filter
	json 0 'type' faas list --json
	json 0 'type' faas validate --json "$FIXTURES/meter.yaml"
	json 0 'type' faas build --json --output "$CASE/bundle" "$FIXTURES/meter.yaml"
	json 0 'type' load meter --json
	json 1 '.errors[0].cause | test("meter")' load meter --json
	json 0 'type' faas list --json
	json 0 '[.. | strings] | index("meter") != null' faas list --json
	json 0 '.ledger.matched == 0' faas status --json meter
	json 0 'type' faas status --json
	json 0 'type' faas unload --json meter
	json 5 '.errors[0].cause | test("meter")' faas unload --json meter
	json 5 '.errors | length == 1' faas status --json meter
	json 2 '.errors | length == 1' faas --json
	json 2 '.errors | length == 1' faas load --json
	printf 'workflow: broken\nfrobnicate: 1\n' >"$CASE/broken.yaml"
	json 3 '.errors[] | select(.line == 2 and .column == 1 and (.file | endswith("broken.yaml"))) | .cause | test("frobnicate")' \
		faas validate --json "$CASE/broken.yaml"
	json 3 '.errors | length >= 1' faas load --json "$CASE/broken.yaml"
}

# The ledger has every member of promise 1, integers all, and the reasons by name.
ledger_members() {
	network
	load meter
	traffic --to 10.77.0.1:5005 --count 10
	settle meter
	json 0 '.ledger | [.matched, .dropped, .passed, .replied, .redirected, .in_kernel, .emitted,
		.processed, .dead_lettered, .in_flight] | all(type == "number" and . == floor)' \
		faas status --json meter
	json 0 '.ledger | (.lost | type == "object") and (.shed | type == "object") and
		([.lost[], .shed[]] | all(type == "number"))' faas status --json meter
	json 0 '[.. | objects | select(.outputs? and .events?)] | length >= 2' faas status --json meter
	json 0 '[.. | objects | select((.name? // .instance?) == "total" and .outputs?)][0] | .events == 10 and .errors == 0' \
		faas status --json meter
}

# Words on stdout, errors on stderr, nothing else on either.
streams() {
	faas version >"$CASE/out" 2>"$CASE/err"
	[ -s "$CASE/out" ] || fail "version prints nothing"
	[ ! -s "$CASE/err" ] || fail "version prints errors"
	faas status nothing-here >"$CASE/out" 2>"$CASE/err" || true
	[ ! -s "$CASE/out" ] || fail "an error stands on stdout"
	[ -s "$CASE/err" ] || fail "no error on stderr"
}

full_stdout() {
	fails 1 sh -c "'$FAAS' help >/dev/full"
}

test_case "exit statuses" exit_statuses
test_case "without privilege: status 4" no_privilege
test_case "--json is one value, errors too" json_values
test_case "members of the ledger" ledger_members
test_case "data on stdout, errors on stderr" streams
test_case "a full stdout is an error" full_stdout
tests_done
