#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# After a reboot, what was loaded comes back as it was; and the runtime as a service.
# shellcheck source=../netns/lib.sh
. "$(dirname "$(readlink -f "$0")")/../netns/lib.sh"

STORED=/var/lib/ebpf-faas/workflows
KEYS=10

# All processes die, and what is in the kernel and in memory is gone; the disk stays.
reboot() {
	# As the system ends services. (Not the others: a first process of a namespace does not hear it.)
	# shellcheck disable=SC2046
	end_process $(runtime_pid)
	all_die
	netns_delete "$GATEWAY" "$PLANT"
	rm -rf "$PIN_ROOT" /run/ebpf-faas
	network
}

send() { traffic --to "10.77.0.1:$1" --count "$2" --keys $KEYS --first-port 40000; }
load_meter() { load meter --set functions.total.state=durable --set storage.size=16Mi; }
load_gate() { # NAME INTERFACE PORT OPTION...
	faas load --netns "$GATEWAY" --set "workflow=$1" --set "triggers.in.packet.interfaces=[$2]" \
		--set "triggers.in.packet.match.destination_port=$3" "${@:4}" "$FIXTURES/gate.yaml"
}
loaded() { faas list --json | jq -r '[.[] | "\(.workflow) \(.generation)"] | sort | join(", ")'; }
largest() { faas state list meter total --all --json | jq -c '[.entries[].value.count] | unique'; }
add_late() {
	in_netns "$GATEWAY" ip link add late0 type veth peer name late1
	in_netns "$GATEWAY" ip link set late0 up
}

comes_back() {
	network
	add_late
	load_meter
	faas load --netns "$GATEWAY" --set triggers.in.packet.match.destination_port=6005 \
		"$FIXTURES/tune.yaml"
	load_gate late late0 6006
	send 5005 100
	settle meter
	faas set tune first-limit.limit=0 again.limit=0
	fails 0 load_meter_again
	send 5005 100
	settle meter
	same "loaded" "late 1, meter 2, tune 1" "$(loaded)"
	same "counts" '[20]' "$(largest)"
	reboot
	same "loaded after the reboot" "" "$(loaded)"
	fails 5 faas restore --wait 0s
	says 'workflow late is not restored: .*late0'
	says 'restored tune'
	says 'restored meter'
	same "loaded" "meter 2, tune 1" "$(loaded)"
	same "counts after it" '[20]' "$(largest)"
	send 5005 100
	settle meter
	same "processed" 100 "$(counted processed)"
	# What was not on the disk of the file for sure is there again, and is the same.
	wait_for 30 different_records 300 || fail "records: $(lines_of "$CASE/records.jsonl")"
	# The limits are those that were set, so all pass.
	send 6005 20
	settle tune
	same "passed" 20 "$(counted passed)"
	# One that comes later is waited for; the others are left alone.
	background "$FAAS" restore --wait 60s >"$CASE/restored"
	add_late
	wait "$LAST" || fail "restore: $(cat "$CASE/restored")"
	same "restored" "late is loaded, meter is loaded, tune is loaded" \
		"$(sed 's/^restored late/late is loaded/' "$CASE/restored" | sort | paste -sd, | sed 's/,/, /g')"
	same "loaded" "late 1, meter 2, tune 1" "$(loaded)"
	# What follows goes on from there.
	fails 0 load_meter_again
	same "loaded" "late 1, meter 3, tune 1" "$(loaded)"
	faas unload --purge meter
}
different_records() { [ "$(jq -r .id "$CASE/records.jsonl" | sort -u | wc -l)" = "$1" ]; }
load_meter_again() {
	faas update --set "sinks.records.file.path=$CASE/records.jsonl" \
		--set functions.total.state=durable --set storage.size=16Mi --set "version=next" \
		"$FIXTURES/meter.yaml"
}

# What is not to come back does not; what cannot stays stored.
stays_away() {
	network
	load_gate gate gw0 6005
	load_gate passed gw0 6006
	faas unload gate
	fails 0 faas bypass passed
	load_gate fresh gw0 6007 --confirm 600s
	reboot
	fails 0 faas restore
	same "restored" "restored passed" "$(cat "$CASE/output")"
	same "bypassed" true "$(faas list --json | jq '.[0].bypassed')"
	faas resume passed
	fails 0 faas restore
	says 'passed is loaded'
	# Its bundle does not check out.
	reboot
	echo >>"$STORED/passed/generations/1/kernel.bpf.o"
	fails 3 faas restore
	says 'workflow passed is not restored'
	[ -e "$STORED/passed/restore.json" ] || fail "it is forgotten"
	fails 0 faas unload passed
	says 'will not be restored any more'
	fails 0 faas restore
	says 'nothing to restore'
	faas unload --purge fresh
}

# A version on trial was not there to stay.
trial_is_over() {
	network
	load_gate gate gw0 6005
	fails 0 faas update --confirm 600s --set triggers.in.packet.match.destination_port=6005 \
		--set functions.readings.params.min=0 --set functions.readings.params.max=4294967295 \
		"$FIXTURES/gate.yaml"
	reboot
	fails 0 faas restore
	same "loaded" "gate 1" "$(loaded)"
	send 6005 20 # of the numbers 0 to 19, 10 and more pass
	settle gate
	same "dropped" 10 "$(counted dropped)"
	reboot
	fails 0 faas restore gate
	fails 0 faas update --set triggers.in.packet.match.destination_port=6005 \
		--set functions.readings.params.min=0 --set functions.readings.params.max=4294967295 \
		"$FIXTURES/gate.yaml"
	reboot
	fails 0 faas restore
	same "loaded" "gate 2" "$(loaded)"
	send 6005 20
	settle gate
	same "passed" 20 "$(counted passed)"
}

# Killed while it restores, and the next one does it; what is stored stays.
restore_killed() {
	local point
	[ -x "$BUILD/faults/ebpf-faas" ] || skip "fault points need: make BUILD=$BUILD/faults FAULTS=1 all"
	network
	load_gate gate gw0 6005
	for point in claimed published remembered "done"; do
		reboot
		EBPF_FAAS_FAULT=load.$point:1 fails 137 "$BUILD/faults/ebpf-faas" restore
		fails 0 faas restore
		says 'restored gate'
		same "loaded" "gate 1" "$(loaded)"
	done
	send 6005 20
	settle gate
	same "dropped" 10 "$(counted dropped)"
	fails 0 faas unload gate
	fails 0 faas restore
	says 'nothing to restore'
}

# ---- the service ----

service() {
	background "$TEST_LIB/manager" "$CASE/notify" 1000 "$BUILD/libexec/ebpf-faas-runtime" --foreground \
		--stay >"$CASE/messages" 2>"$CASE/runtime.log"
	SERVICE=$LAST
	wait_for 20 grep -q READY=1 "$CASE/messages"
}
alive() { [ "$(grep -c WATCHDOG=1 "$CASE/messages")" -ge "$1" ]; }

stays() {
	local pid
	network
	load meter
	pid=$(runtime_pid)
	send 5005 100
	service
	wait_for 20 process_gone "$pid" || fail "the runtime of the load is there still"
	wait_for 10 worker_runs
	send 5005 100
	settle meter
	same "processed" 200 "$(counted processed)"
	exactly_once $KEYS 20
	pid=$(runtime_pid)
	faas unload meter
	same "the runtime behind the last unload" "$pid" "$(runtime_pid)"
	wait_for 10 alive 3 || fail "watchdog: $(cat "$CASE/messages")"
	rm "$CASE/records.jsonl"
	load meter
	send 5005 100
	settle meter
	same "the runtime of the next load" "$pid" "$(runtime_pid)"
	exactly_once $KEYS 10
	fails 1 "$BUILD/libexec/ebpf-faas-runtime" --foreground
	says "a runtime runs already, pid $pid"
	faas unload meter
	kill -TERM "$SERVICE"
	wait "$SERVICE" || fail "the service ends with $?: $(tail -n 3 "$CASE/runtime.log")"
	grep -q STOPPING=1 "$CASE/messages" || fail "it did not say that it stops"
	# What a service leaves is taken away by the next command.
	fails 0 faas gc
}
worker_runs() { [ -n "$(worker_pid)" ]; }

test_case "a reboot: state, parameters and versions come back" comes_back
test_case "what was unloaded, on trial or damaged does not come back" stays_away
test_case "the version before one on trial comes back" trial_is_over
test_case "restore killed at each step" restore_killed
test_case "a runtime that stays" stays
tests_done
