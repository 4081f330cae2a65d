#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Updating: state and counters go on, a packet is looked at by one version, what does
# not fit is refused with the difference, a version that does badly goes back.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Two versions of one workflow: one drops every reading, one lets all pass.
make_bundle() { # NAME MIN MAX
	faas build --output "$SCRATCH/$1" "$FIXTURES/gate.yaml" --set "version=$1" \
		--set "functions.readings.params.min=$2" --set "functions.readings.params.max=$3" \
		>"$SCRATCH/$1.log" || die "$(cat "$SCRATCH/$1.log")"
}
make_bundle drops 4294967294 4294967295
make_bundle passes 0 4294967293

# with_health BUNDLE MAX_LOST MAX_DROP_PPM: a copy that must do so well for eight seconds.
with_health() {
	cp -a "$SCRATCH/$1" "$CASE/$1"
	jq ".health = {for_ns: $(stretched 8)000000000, max_lost: $2, max_drop_ratio_ppm: $3}" \
		"$SCRATCH/$1/manifest.json" >"$CASE/$1/manifest.json"
}

of_list() { faas list --json | jq -r ".[0].$1"; }
of_status() { faas status --json "$1" | jq -r ".$2"; }
load_bundle() { faas load --netns "$GATEWAY" "$@"; }
send() { traffic --to 10.77.0.1:5005 --count "$1"; }
pinned_generations() { find "$PIN_ROOT/generations/$1" -mindepth 1 -maxdepth 1 -type d -printf '%f ' | tr ' ' '\n' | sort -n | xargs; }

# The counters go on, the history says it, one generation is left.
parameters_change() {
	network
	load_bundle "$SCRATCH/drops"
	send 40
	settle gate
	same "dropped by the first" 40 "$(counted dropped)"
	fails 0 faas update "$SCRATCH/passes"
	same "generation" 2 "$(of_list generation)"
	send 30
	settle gate
	same "matched by both" 70 "$(counted matched)"
	same "dropped stays" 40 "$(counted dropped)"
	same "passed by the second" 30 "$(counted passed)"
	fails 0 faas history gate
	says 'generation 1 .*"drops".* loaded'
	says 'generation 2 .*"passes".* updated'
	same "pinned generations" 2 "$(pinned_generations gate)"
	fails 0 faas unload gate
	says 'matched 70 = dropped 40 \+ passed 30'
}

# Packets on the way all the time: each meets one version, and none is lost.
under_traffic() {
	local round
	network
	load_bundle "$SCRATCH/drops"
	traffic_begin gate --to 10.77.0.1:5005 --rate 50000
	for round in passes drops passes drops passes; do
		faas update "$SCRATCH/$round" >/dev/null
		traffic_flows 1000
	done
	traffic_end
	settle gate
	same "matched" "$(sent sent)" "$(counted matched)"
	same "lost" 0 "$(counted lost.no_program)"
	same "generation" 6 "$(of_list generation)"
}

# What dedup has seen stays seen; with another size of its table it is refused.
state_stays() {
	network
	cat >"$CASE/once.yaml" <<-'EOF'
	workflow: once
	version: "1"
	triggers:
	  in:
	    packet: {interfaces: [gw0], match: {protocol: udp, destination_port: 5005}}
	    mode: copy
	    to: once
	functions:
	  once:
	    kernel: dedup
	    params: {by: [source_port], window: 600s}
	    outputs: {first: pass, repeat: drop}
	EOF
	load_bundle "$CASE/once.yaml"
	traffic --to 10.77.0.1:5005 --count 50 --keys 10
	settle once
	same "seen first" 10 "$(counted passed)"
	fails 0 faas update "$CASE/once.yaml" --set version=2
	says 'state of once \(.*\): kept'
	traffic --to 10.77.0.1:5005 --count 50 --keys 10
	settle once
	same "passed: none is new to the second version" 10 "$(counted passed)"
	fails 0 faas diff once "$CASE/once.yaml" --set functions.once.params.entries=512
	says 'state of once \(.*\): not kept: number of entries is [0-9]+ there, 512 here'
	fails 1 faas update "$CASE/once.yaml" --set functions.once.params.entries=512
	says 'number of entries is [0-9]+ there, 512 here'
	says '--reset-state once'
	same "generation" 2 "$(of_list generation)"
	same "pinned generations" 2 "$(pinned_generations once)"
	fails 2 faas update "$CASE/once.yaml" --reset-state nothing
	fails 0 faas update "$CASE/once.yaml" --set functions.once.params.entries=512 --reset-state once
	says 'begun anew'
	traffic --to 10.77.0.1:5005 --count 50 --keys 10
	settle once
	same "passed: all are new again" 20 "$(counted passed)"
	same "matched" 150 "$(counted matched)"
}

# Other functions: other meters. The ledger goes on all the same, there and back.
functions_change() {
	network
	load_bundle "$SCRATCH/drops"
	send 40
	cat >"$CASE/gate.yaml" <<-'EOF'
	workflow: gate
	version: "more"
	triggers:
	  in:
	    packet: {interfaces: [gw0], match: {protocol: udp, destination_port: 5005}}
	    mode: copy
	    to: counter
	functions:
	  counter: {kernel: count, params: {by: [source_port]}, outputs: {counted: readings}}
	  readings:
	    kernel: range_filter
	    params: {offset: 4, type: u32be, min: 0, max: 4294967293}
	    outputs: {inside: pass, outside: drop, too_short: drop}
	EOF
	fails 0 faas update "$CASE/gate.yaml"
	send 30
	settle gate
	same "dropped, matched" "40 70" "$(counted dropped) $(counted matched)"
	fails 0 faas rollback gate
	says 'version "drops"'
	send 5
	settle gate
	same "dropped, passed, matched" "45 30 75" "$(counted dropped) $(counted passed) $(counted matched)"
	fails 0 faas rollback gate
	send 5
	settle gate
	same "dropped, passed, matched" "45 35 80" "$(counted dropped) $(counted passed) $(counted matched)"
	same "generation" 4 "$(of_list generation)"
}

# A port goes, one comes, one stays; and with the next version another hook.
triggers_change() {
	network
	load_bundle "$SCRATCH/drops"
	update_ports() {
		faas update "$FIXTURES/gate.yaml" --set "triggers.in.packet.match.destination_port=$1" \
			--set functions.readings.params.min=0 --set functions.readings.params.max=4294967293 \
			--set "triggers.in.packet.hook=${2:-xdp}"
	}
	fails 0 update_ports '[5005, 5006]'
	send 20
	traffic --to 10.77.0.1:5006 --count 30
	settle gate
	same "matched by two ports" 50 "$(counted matched)"
	fails 0 update_ports '[5006, 5007]'
	send 20
	traffic --to 10.77.0.1:5006 --count 5
	traffic --to 10.77.0.1:5007 --count 10
	settle gate
	same "matched when one went" 65 "$(counted matched)"
	fails 0 update_ports '[5006]' tc-ingress
	traffic --to 10.77.0.1:5006 --count 7
	settle gate
	same "matched on another hook" 72 "$(counted matched)"
	same "passed" 72 "$(counted passed)"
	same "programs of XDP on gw0" null "$(xdp_program "$GATEWAY" gw0)"
	# A port of another workflow is refused, and changes nothing.
	faas load --netns "$GATEWAY" "$FIXTURES/echo.yaml"
	fails 1 update_ports '[5006, 7]'
	says 'echo'
	traffic --to 10.77.0.1:5006 --count 3
	settle gate
	same "matched by what stays" 75 "$(counted matched)"
}

nothing_to_update() {
	network
	fails 5 faas update "$SCRATCH/drops"
	fails 5 faas rollback gate
	fails 5 faas confirm gate
	fails 5 faas history gate
	load_bundle "$SCRATCH/drops"
	fails 1 faas rollback gate
	says 'no version of workflow gate before generation 1'
	fails 1 faas confirm gate
	says 'not on trial'
}

health_good() {
	network
	load_bundle "$SCRATCH/drops"
	with_health passes 0 200000
	update_held "$CASE/passes"
	same "pinned while on trial" "1 2" "$(pinned_generations gate)"
	fails 1 faas update "$SCRATCH/drops"
	says 'on trial'
	send 50
	kill -CONT "$GUARD"
	wait "$UPDATE"
	cat "$CASE/update"
	grep -q 'its health was good' "$CASE/update" || fail "update does not say that its health was good"
	same "trial" null "$(of_status gate trial)"
	same "pinned after it" 2 "$(pinned_generations gate)"
	fails 0 faas history gate
	says 'passed its trial'
}
on_trial() { [ "$(of_status gate trial)" != null ]; }

# update_held BUNDLE: its trial stands still, until $GUARD, who watches it, goes on.
update_held() {
	"$FAAS" update "$1" >"$CASE/update" 2>&1 9<&- &
	UPDATE=$!
	wait_for 20 on_trial
	GUARD=$(faas_processes | awk -v command="$UPDATE" '$2 == "ebpf-faas" && $1 != command {print $1}')
	kill -STOP "$GUARD"
	on_trial || fail "the trial was over at once: $(cat "$CASE/update")"
}

health_bad() {
	local status=0
	network
	load_bundle "$SCRATCH/passes"
	send 20
	with_health drops 0 200000
	update_held "$CASE/drops"
	send 50
	kill -CONT "$GUARD"
	wait "$UPDATE" || status=$?
	cat "$CASE/update"
	same "status of update" 1 "$status"
	grep -q '50 of 50 packets were dropped, allowed 20 %' "$CASE/update" || fail "no reason"
	same "generation" 1 "$(of_list generation)"
	same "pinned after it" 1 "$(pinned_generations gate)"
	send 30
	settle gate
	same "dropped, passed" "50 50" "$(counted dropped) $(counted passed)"
	fails 0 faas history gate
	says 'goes back: 50 of 50 packets were dropped'
}

differences() {
	network
	load_bundle "$SCRATCH/drops"
	fails 0 faas diff gate "$SCRATCH/drops"
	says 'no difference'
	fails 0 faas diff gate "$SCRATCH/passes"
	says 'functions.readings.params.min: 4294967294 -> 0$'
	says 'version: drops -> passes'
	same "nothing happened: generation" 1 "$(of_list generation)"
	fails 1 faas diff gate
	says 'no version of workflow gate before generation 1'
	faas update "$SCRATCH/passes"
	fails 0 faas diff gate
	says 'functions.readings.params.max: 4294967295 -> 4294967293$'
	fails 0 faas diff --json gate
	jq -e '.changes | map(select(.path == "version")) == [{path: "version", there: "drops", here: "passes"}]' \
		"$CASE/output" >/dev/null || fail "the JSON does not say the version"
	fails 5 faas diff nothing-here
	fails 1 faas diff other "$SCRATCH/drops"
}

has_program() { # NAMESPACE INTERFACE
	[ "$(xdp_program "$1" "$2")" != null ]
}

# Loaded from within a namespace, without its name; updated from another one that has an
# interface of that name.
from_elsewhere() {
	network
	in_netns "$PLANT" ip link add gw0 type veth peer name gw1
	in_netns "$GATEWAY" "$FAAS" load "$SCRATCH/drops" 9<&-
	fails 0 in_netns "$PLANT" "$FAAS" update "$SCRATCH/passes" 9<&-
	has_program "$GATEWAY" gw0 || fail "the interface was left"
	! has_program "$PLANT" gw0 || fail "an interface of another namespace was taken"
	same "mode" native "$(in_netns "$PLANT" "$FAAS" status --json gate | jq -r '.interfaces[0].mode')"
	send 20
	settle gate
	same "passed" 20 "$(counted passed)"
}

# The namespace went, and another of its name came: a way back does not attach there.
# A kernel gives the number of a namespace again that is gone; to others of this machine
# as well, who may keep it: then the new one has another number, and is another one all the more.
make_with_number() { # NUMBER
	local deadline=$((SECONDS + 20))
	while [ "$SECONDS" -lt "$deadline" ]; do
		netns_delete "$GATEWAY"
		netns_make "$GATEWAY"
		[ "$(number_of_gateway)" != "$1" ] || return 0
		sleep 0.05 # namespaces end in their own time
	done
	echo "another one has its number"
}
number_of_gateway() { stat -L -c %i "/run/netns/$GATEWAY"; }

namespace_made_anew() {
	local number
	network
	number=$(number_of_gateway)
	load_bundle "$SCRATCH/drops"
	fails 0 faas update --confirm 600s "$SCRATCH/passes"
	netns_delete "$GATEWAY" "$PLANT"
	make_with_number "$number"
	network_around
	fails 0 faas rollback gate
	! has_program "$GATEWAY" gw0 || fail "attached to an interface that was never asked for"
	same "mode" gone "$(of_status gate 'interfaces[0].mode')"
	fails 0 faas update "$SCRATCH/passes"
	has_program "$GATEWAY" gw0 || fail "an update does not look for the interface"
	send 20
	settle gate
	same "passed" 20 "$(counted passed)"
}

test_case "diff" differences
test_case "another parameter: what was counted goes on" parameters_change
test_case "under traffic" under_traffic
test_case "state stays, or the difference is named" state_stays
test_case "other functions, and back" functions_change
test_case "ports and hooks that come and go" triggers_change
test_case "from another network namespace" from_elsewhere
test_case "a namespace that was made anew" namespace_made_anew
test_case "nothing to update" nothing_to_update
test_case "good health" health_good
test_case "bad health: it goes back" health_bad
tests_done
