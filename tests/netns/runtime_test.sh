#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The runtime goes and comes back: the kernel tier does not notice, no event is
# lost or done twice.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

RUNTIME=$BUILD/libexec/ebpf-faas-runtime

# End the runtime by a signal, send more packets, start it again: everything that
# the ring took in between is processed, with the state of before.
goes_and_comes() {
	local pid
	network
	load meter
	pid=$(runtime_pid)
	traffic --to 10.77.0.1:5005 --count 1000 --keys 10
	settle meter
	kill "-$1" "$pid"
	wait_for 10 process_gone "$pid"
	wait_for 10 no_worker
	traffic --to 10.77.0.1:5005 --count 1000 --keys 10
	LEDGER=$(ledger meter)
	same "matched without a runtime" 2000 "$(counted matched)"
	same "emitted without a runtime" 2000 "$(counted emitted)"
	same "in flight without a runtime" 1000 "$(counted in_flight)"
	"${2:-start_runtime}"
	settle meter
	same "processed after its return" 2000 "$(counted processed)"
	exactly_once 10 200
}

no_worker() { ! faas_processes | grep -qE 'worke|couri'; }

start_runtime() {
	background "$RUNTIME" --foreground --log "$CASE/runtime.log"
	wait_for 10 test -S /run/ebpf-faas/control.sock
}

# Another workflow's load starts the runtime, which takes over what it finds.
load_another() {
	faas load --netns "$GATEWAY" "$FIXTURES/vlan-meter.yaml" \
		--set 'triggers.in.packet.match.destination_port=[6006]' \
		--set "sinks.records.file.path=$CASE/other.jsonl"
}

# What a killed runtime leaves, gc repairs; status tells so.
collect_garbage() {
	fails 0 faas status meter
	says "worker absent.* courier pid 0;"
	says "runtime not running: .ebpf-faas gc. starts it"
	fails 0 faas gc --dry-run
	says "would start the runtime"
	fails 0 faas gc
	says "started the runtime"
	fails 0 faas gc
	! grep -q "the runtime" "$CASE/output" || fail "a runtime that runs is started again"
}

# A command that needs the runtime starts it. No key is put in: events wait.
import_nothing() {
	faas state export meter total | head -n 1 >"$CASE/states"
	echo '{"keys":0}' >>"$CASE/states"
	faas state import meter total "$CASE/states"
}

terminated() { goes_and_comes TERM; }
killed() { goes_and_comes KILL; }
terminated_then_load() { goes_and_comes TERM load_another; }
killed_then_load() { goes_and_comes KILL load_another; }
killed_then_gc() { goes_and_comes KILL collect_garbage; }
killed_then_import() { goes_and_comes KILL import_nothing; }

# One that is killed holds its lock until it is gone: gc is not to take it for one that runs.
killed_while_gc_looks() {
	local pid gc status=0
	network
	load meter
	traffic --to 10.77.0.1:5005 --count 100 --keys 10
	settle meter
	pid=$(runtime_pid)
	kill -STOP "$pid"
	"$FAAS" gc >"$CASE/output" 2>&1 &
	gc=$!
	wait_for 20 is_asking "$gc" || true
	kill -KILL "$pid"
	wait "$gc" || status=$?
	same "exit status of gc" 0 $status
	says "started the runtime"
	traffic --to 10.77.0.1:5005 --count 100 --keys 10
	settle meter
	exactly_once 10 20
}
is_asking() { find "/proc/$1/fd" -lname 'socket:*' | grep -q .; }

# While it is killed and started again, packets keep coming.
killed_under_traffic() {
	local pid sender
	network
	load meter
	pid=$(runtime_pid)
	start_in_netns "$PLANT" "$TEST_LIB/traffic" --to 10.77.0.1:5005 --count 20000 --keys 10 \
		--rate 10000 >"$CASE/sent"
	sender=$STARTED
	echo "$sender" >>"$CASE/pids"
	wait_for 5 matched_more_than 3000
	kill -KILL "$pid"
	wait_for 5 process_gone "$pid"
	wait_for 5 matched_more_than 8000
	start_runtime
	wait "$sender"
	settle meter
	same "matched" "$(jq .sent "$CASE/sent")" "$(counted matched)"
	same "lost" 0 "$(jq '[.lost[]] | add // 0' <<<"$LEDGER")"
	exactly_once 10 2000
}
matched_more_than() { [ "$(ledger_get "$(ledger meter)" matched)" -gt "$1" ]; }

second_runtime() {
	local pid
	network
	load meter
	pid=$(runtime_pid)
	fails 1 timeout "$(stretched 60)" "$RUNTIME" --foreground
	says "\b$pid\b"
	traffic --to 10.77.0.1:5005 --count 50
	settle meter
	same "processed by the first" 50 "$(counted processed)"
}

worker_killed() {
	local pid
	network
	load meter
	traffic --to 10.77.0.1:5005 --count 500 --keys 10
	settle meter
	pid=$(worker_pid)
	kill -KILL "$pid"
	traffic --to 10.77.0.1:5005 --count 500 --keys 10
	settle meter
	exactly_once 10 100
}

courier_killed() {
	local pid
	network
	load meter
	traffic --to 10.77.0.1:5005 --count 500 --keys 10
	pid=$(courier_pid)
	kill -KILL "$pid"
	traffic --to 10.77.0.1:5005 --count 500 --keys 10
	settle meter
	exactly_once 10 100
}

# A worker has its own uid, no capability, and cannot get any.
worker_has_no_privilege() {
	local pid status
	network
	load meter
	pid=$(worker_pid)
	status=/proc/$pid/status
	grep -E '^(Uid|Cap|NoNewPrivs)' "$status"
	same "capabilities" 0000000000000000 "$(awk '/^Cap(Inh|Prm|Eff|Bnd|Amb)/ {print $2}' "$status" | sort -u)"
	same "no_new_privs" 1 "$(awk '/^NoNewPrivs/ {print $2}' "$status")"
	[ "$(awk '/^Uid/ {print $2}' "$status")" -ge 2000000000 ] || fail "the worker runs as a user of the machine"
	same "uids" 1 "$(awk '/^Uid/ {for (i = 2; i <= 5; i++) print $i}' "$status" | sort -u | wc -l)"
}

test_case "SIGTERM leaves the kernel tier; a runtime started anew takes over" terminated
test_case "kill -9 leaves the kernel tier; a runtime started anew takes over" killed
test_case "SIGTERM; the load of another workflow brings the runtime back" terminated_then_load
test_case "kill -9; the load of another workflow brings the runtime back" killed_then_load
test_case "kill -9; status names gc, which brings the runtime back" killed_then_gc
test_case "one that is killed while gc looks is started again" killed_while_gc_looks
test_case "kill -9; an import of states brings the runtime back" killed_then_import
test_case "kill -9 and return under traffic" killed_under_traffic
test_case "a second runtime is refused and names the first" second_runtime
test_case "a killed worker has a successor" worker_killed
test_case "a killed courier has a successor" courier_killed
test_case "a worker holds no privilege" worker_has_no_privilege
tests_done
