#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A workflow with nothing to do has no process; whatever comes for it starts one.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

worker() { faas status --json "$1" | jq -r ".worker.$2"; }
is_idle() { [ "$(worker "$1" state)" = idle ] && [ -z "$(worker_pid)" ]; }
idle() { wait_for 10 is_idle "$1" || fail "$1 does not become idle: $(worker "$1" state)"; }
load_meter() { load meter --set "workers.idle=${1:-200ms}"; }
events() { traffic --to 10.77.0.1:5005 --count "$1" --keys 10 --first-port 40000; }
process_lives() { [ -n "$(worker_pid)" ]; }

# Again and again, with the state of before, and it is no restart.
comes_and_goes() {
	network
	load_meter
	for round in 1 2 3; do
		idle meter
		same "worker, round $round" 0 "$(worker meter pid)"
		events 100
		settle meter
		same "processed" $((round * 100)) "$(counted processed)"
	done
	exactly_once 10 30
	same "restarts" 0 "$(worker meter restarts)"
	same "why the last one ended" "" "$(worker meter last_reason)"
	idle meter
	wait_for 20 log_is_given_back || fail "its log is $(log_blocks) blocks long"
	wait_for 20 has_no_copies || fail "the runtime keeps $(copies)"
	faas status meter | tee "$CASE/output"
	says '^  worker idle: class throughput, pid 0,.*restarts 0'
	fails 0 faas unload meter
}

log_blocks() { stat -c %b /run/ebpf-faas/workflows/meter/log; }
log_is_given_back() { [ "$(log_blocks)" -le 16 ]; }
# Of manifest and shared objects, in sealed memory.
copies() { find "/proc/$(runtime_pid)/fd" -lname '/memfd:*' -printf '%l '; }
has_no_copies() { [ -z "$(copies)" ]; }

# It takes them from its bundle again, if they are what was loaded.
changed_meanwhile() {
	local object pid
	network
	load_meter
	events 100
	settle meter
	idle meter
	object=$(echo /var/lib/ebpf-faas/workflows/meter/bundle/user/*.so)
	cp "$object" "$CASE/object"
	printf x >>"$object"
	events 100
	wait_for 20 runtime_says 'user/total.so: it is not what was loaded' || fail "it does not say so"
	cp "$CASE/object" "$object"
	same "processed, and why not all" "100 $(realpath "$object"): it is not what was loaded" \
		"$(counted processed) $(worker meter last_reason)"
	pid=$(runtime_pid)
	kill -KILL "$pid"
	wait_for 20 process_gone "$pid"
	faas gc
	settle meter
	exactly_once 10 20
}
runtime_says() { grep -q "$1" /run/ebpf-faas/runtime.log; }

# Of its queue it keeps a small one, and has all of it again with a worker.
queue() { bpftool map show -j pinned "$PIN_ROOT/workflows/meter/ring0" | jq .max_entries; }
queue_is() { [ "$(queue)" = "$1" ] && [ ! -e "$PIN_ROOT/workflows/meter/ring-next" ]; }
gives_its_queue_back() {
	local all=0
	network
	load_meter 500ms
	for _ in 1 2; do
		idle meter
		wait_for 10 queue_is 65536 || fail "the queue of an idle workflow: $(queue)"
		is_idle meter || fail "a worker came for the queue alone"
		# As long as something comes.
		traffic_begin meter --to 10.77.0.1:5005 --keys 10 --first-port 40000 --rate 100
		wait_for 10 queue_is 16777216 || fail "the queue with a worker: $(queue)"
		traffic_flows 100
		traffic_end
		all=$((all + $(sent sent)))
		settle meter
		exactly_once 10 $((all / 10))
	done
	same "lost" 0 "$(counted lost.ring_full)"
	same "restarts" 0 "$(worker meter restarts)"
	same "errors of the runtime" 0 "$(grep -c 'level=error' /run/ebpf-faas/runtime.log || true)"
}

# More than the small queue holds, at once: what there is no room for is lost and counted, the
# rest is in its order.
bursts() {
	network
	load_meter 1s
	idle meter
	wait_for 10 queue_is 65536
	traffic --to 10.77.0.1:5005 --count 20000 --keys 10 --first-port 40000
	settle meter
	same "all events" 20000 $(($(counted processed) + $(counted lost.ring_full)))
	[ "$(counted processed)" -ge 200 ] || fail "it processed $(counted processed)"
	wait_for 20 lines_are "$CASE/records.jsonl" "$(counted processed)" || true
	same "records" "$(counted processed)" "$(lines_of "$CASE/records.jsonl")"
	same "records out of order" 0 "$(jq -r '"\(.key) \(.fields.count)"' "$CASE/records.jsonl" |
		awk '$2 != ++last[$1]' | wc -l)"
}

# Each gap between two events is about as long as it takes to become idle: they come at
# whatever moment of that, until it was idle several times.
at_every_moment() {
	network
	load_meter 100ms
	traffic_begin meter --to 10.77.0.1:5005 --keys 10 --first-port 40000 --rate 9
	traffic_flows 30
	wait_for 60 workers_were 4 || fail "it was hardly ever idle"
	traffic_end
	settle meter
	same "processed" "$(sent sent)" "$(counted processed)"
	exactly_once 10 $(($(sent sent) / 10))
}
workers_were() { [ "$(worker meter incarnation)" -ge "$1" ]; }

# One that is always there.
stays() {
	network
	load meter --set workers.instances.min=1
	events 10
	settle meter
	idle_never meter
}
idle_never() { # it is asked how long it waits: for no time
	same "how long it has to have nothing to do" 0 \
		"$(jq .worker_idle_ns /var/lib/ebpf-faas/workflows/"$1"/bundle/manifest.json)"
	process_lives || fail "there is no worker"
}

# What a person asks of an idle workflow: states go in and out, a new version comes,
# and it is unloaded.
asked() {
	local workers
	network
	load_meter
	events 100
	settle meter
	idle meter
	faas state export meter total >"$CASE/states"
	same "lines for ten keys" 12 "$(lines_of "$CASE/states")"
	workers=$(worker meter incarnation)
	faas state import meter total "$CASE/states"
	[ "$(worker meter incarnation)" -gt "$workers" ] || fail "no worker came for them"
	idle meter
	faas update --set "sinks.records.file.path=$CASE/records.jsonl" --set workers.idle=200ms \
		--set version=2 "$FIXTURES/meter.yaml"
	idle meter
	events 100
	settle meter
	exactly_once 10 20
	idle meter
	faas rollback meter
	events 100
	settle meter
	exactly_once 10 30
	idle meter
	faas unload meter
}

# A runtime that takes over leaves it idle, and starts a worker if something came.
taken_over() { # SIGNAL
	local pid workers
	network
	load_meter
	events 100
	settle meter
	idle meter
	workers=$(worker meter incarnation)
	pid=$(runtime_pid)
	kill "-$1" "$pid"
	wait_for 10 process_gone "$pid"
	faas gc
	same "after a runtime without events" "idle $workers" "$(worker meter state) $(worker meter incarnation)"
	pid=$(runtime_pid)
	kill "-$1" "$pid"
	wait_for 10 process_gone "$pid"
	events 100
	faas gc
	settle meter
	exactly_once 10 20
	same "restarts" 0 "$(worker meter restarts)"
}
killed() { taken_over KILL; }
terminated() { taken_over TERM; }

# A timer that is due starts it, and one that is due soon keeps it.
timers() {
	network
	load lull --set workers.idle=200ms --set functions.watch.params.after=3s
	traffic --to 10.77.0.1:5005 --count 20 --keys 5 --first-port 40000
	wait_for 10 lines_are "$CASE/records.jsonl" 5
	[ "$(worker lull incarnation)" -gt 1 ] || fail "the worker of the events waited for the timers"
	same "each key once" '["40000 4","40001 4","40002 4","40003 4","40004 4"]' \
		"$(jq -sc '[.[] | "\(.key) \(.fields.events)"] | sort' "$CASE/records.jsonl")"
	idle lull
}

test_case "a workflow comes and goes with its events" comes_and_goes
test_case "an idle workflow gives its queue back" gives_its_queue_back
test_case "a burst wakes it" bursts
test_case "an object that was changed meanwhile" changed_meanwhile
test_case "events at every moment of becoming idle" at_every_moment
test_case "a worker that stays" stays
test_case "states, versions and the end of an idle workflow" asked
test_case "idle while the runtime is killed" killed
test_case "idle while the runtime is terminated" terminated
test_case "timers of an idle workflow" timers
tests_done
