#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Durable state: unloaded and loaded again, and with everything in memory gone.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

STATE=/var/lib/ebpf-faas/state/meter

load_durable() { # OPTION...
	load meter --set functions.total.state=durable --set storage.size=16Mi "$@"
}

storage() { faas status meter --json | jq -r ".storage.$1"; }

# What is in the state is taken up by the next load, and nothing is delivered twice.
unloaded_and_loaded() {
	network
	load_durable
	traffic --to 10.77.0.1:5005 --count 1000 --keys 10
	settle meter
	same "the disk" "written" "$(storage state)"
	same "what was damaged" 0 "$(storage corrupt)"
	faas unload meter >"$CASE/unloaded"
	grep -q "durable state is kept in $STATE" "$CASE/unloaded" || fail "unload does not say where"
	load_durable
	traffic --to 10.77.0.1:5005 --count 1000 --keys 10
	settle meter
	same "processed since it was loaded" 1000 "$(counted processed)"
	exactly_once 10 200
	faas unload --purge meter
	[ ! -e /var/lib/ebpf-faas/state ] || fail "--purge leaves $STATE"
}

# All processes die and the files in memory go: as when the power goes.
everything_in_memory_is_gone() {
	network
	load_durable
	traffic --to 10.77.0.1:5005 --count 2000 --keys 10
	settle meter
	all_die
	rm -rf /run/ebpf-faas/workflows/meter
	faas unload --now meter || true
	load_durable
	traffic --to 10.77.0.1:5005 --count 1000 --keys 10
	settle meter
	# Some lines may be there twice; no count is missing, and none is too high.
	wait_for 20 different_counts_are 3000 || true
	same "different counts" 3000 "$(different_counts)"
	same "the highest" 300 "$(jq -s 'map(.fields.count) | max' "$CASE/records.jsonl")"
	faas unload --purge meter
}

# State of another shape is refused by name, and stays.
another_shape() {
	network
	load_durable
	traffic --to 10.77.0.1:5005 --count 100 --keys 10
	settle meter
	faas unload meter
	fails 1 load_durable --set functions.total.keys=77
	says "durable state of total is of another version, size or key"
	says "reset-state total"
	fails 1 load_durable --set storage.size=32Mi
	says "give .storage. the size that it had"
	load_durable
	traffic --to 10.77.0.1:5005 --count 100 --keys 10
	settle meter
	exactly_once 10 20
	faas unload --purge meter
}

test_case "durable state is taken up by the next load" unloaded_and_loaded
test_case "durable state survives everything in memory" everything_in_memory_is_gone
# Begun anew, it stays so: also where the power goes before anything else is written.
begins_anew() {
	network
	load_durable
	traffic --to 10.77.0.1:5005 --count 100 --keys 10
	settle meter
	faas unload meter
	fails 2 load_durable --reset-state nobody
	says "has no function of that name with durable state"
	fails 0 load_durable --reset-state total
	same "keys" 0 "$(faas state list meter total --json | jq '.entries | length')"
	all_die
	rm -rf /run/ebpf-faas/workflows/meter
	faas unload --now meter >"$CASE/unloaded" 2>&1 || true
	load_durable
	same "keys after a loss of power" 0 "$(faas state list meter total --json | jq '.entries | length')"
	faas unload meter
	fails 0 load_durable --set functions.total.keys=77 --reset-state total
	traffic --to 10.77.0.1:5005 --count 50 --keys 10
	settle meter
	wait_for 20 largest_is 5 || fail "largest count: $(largest)"
	faas unload --purge meter
}

largest() { tail -n 50 "$CASE/records.jsonl" | jq -s 'map(.fields.count) | max'; }
largest_is() { [ "$(largest)" = "$1" ]; }

test_case "durable state begins anew" begins_anew
test_case "durable state of another shape is refused" another_shape
tests_done
