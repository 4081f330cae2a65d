#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The command may die at any instruction: killed at each fault point of loader/, packets
# follow the old version or the new one, the next changing command repairs and says so,
# and unload leaves nothing. The points are read from the sources, so that none is left
# out; the part of a name before the dot says in which command it stands.
# shellcheck source=../netns/lib.sh
. "$(dirname "$(readlink -f "$0")")/../netns/lib.sh"

FAULTS_BUILD=$BUILD/faults
COUNT=20

if [ ! -x "$FAULTS_BUILD/ebpf-faas" ]; then
	echo "fault points need: make BUILD=$FAULTS_BUILD FAULTS=1 all" >&2
	exit 1
fi
FAAS=$FAULTS_BUILD/ebpf-faas
POINTS=$(grep -rhoE 'fault_point\("[a-z_]+\.[a-z_]+"' "$TOP/loader" | cut -d'"' -f2 | LC_ALL=C sort -u)

# Two versions of one workflow: one drops every packet, one lets all pass.
make_bundle() { # NAME MIN MAX
	faas build --output "$SCRATCH/$1" "$FIXTURES/gate.yaml" \
		--set "functions.readings.params.min=$2" --set "functions.readings.params.max=$3" \
		>"$SCRATCH/$1.log" || die "$(cat "$SCRATCH/$1.log")"
}
make_bundle drops 4294967294 4294967295
make_bundle passes 0 4294967293

# killed COMMAND...: it ends by SIGKILL, at the point $POINT.
killed() {
	local status=0
	EBPF_FAAS_FAULT=$POINT:1 "$FAAS" "$@" >"$CASE/killed" 2>&1 9<&- || status=$?
	sed 's/^/  | /' "$CASE/killed"
	same "$1 was killed at $POINT: status" 137 "$status"
}

load_drops() { faas load --netns "$GATEWAY" "$SCRATCH/drops"; }
send() { traffic --to 10.77.0.1:5005 --count $COUNT; }

# What $COUNT packets met, without asking our own status: one version, or none.
one_version() { # DROPPED-BEFORE PASSED-BEFORE
	local now
	settle gate
	now="$(($(counted dropped) - $1)) $(($(counted passed) - $2))"
	case $now in
	"$COUNT 0" | "0 $COUNT") echo "one version: $now" ;;
	*) fail "packets met two versions: dropped and passed $now" ;;
	esac
}

load_killed() {
	killed load --netns "$GATEWAY" "$SCRATCH/drops"
	send # whatever they meet, nobody counts them twice
	fails 0 faas load --netns "$GATEWAY" "$SCRATCH/passes"
	says 'left half loaded'
	send
	settle gate
	same "matched by the next" $COUNT "$(counted matched)"
	same "passed by the next" $COUNT "$(counted passed)"
}

unload_killed() {
	load_drops
	send
	killed unload gate
	send
	fails 0 faas load --netns "$GATEWAY" "$SCRATCH/passes"
	[ "$POINT" = unload.done ] || says 'left half unloaded'
	send
	settle gate
	same "matched by the next" $COUNT "$(counted matched)"
	same "passed by the next" $COUNT "$(counted passed)"
}

update_killed() {
	local dropped passed
	load_drops
	send
	killed update "$SCRATCH/passes"
	send
	one_version $COUNT 0
	# Any changing command repairs: here one that is refused.
	fails 5 faas unload nothing-here
	says 'an update of workflow gate half done'
	dropped=$(counted dropped) passed=$(counted passed)
	same "state" loaded "$(faas list --json | jq -r '.[0].state')"
	send
	one_version "$dropped" "$passed"
	same "matched" $((3 * COUNT)) "$(counted matched)"
	same "generations" 1 "$(find "$PIN_ROOT/generations/gate" -mindepth 1 -maxdepth 1 | wc -l)"
}

# A trial that is confirmed: the new version stays, on trial or not.
confirm_killed() {
	load_drops
	fails 0 faas update --confirm 600s "$SCRATCH/passes"
	killed confirm gate
	send
	fails 5 faas unload nothing-here
	says 'an update of workflow gate half done'
	settle gate
	same "passed" $COUNT "$(counted passed)"
	faas confirm gate || true # it may be confirmed already
	same "trial" null "$(faas status --json gate | jq .trial)"
	same "generations" 1 "$(find "$PIN_ROOT/generations/gate" -mindepth 1 -maxdepth 1 | wc -l)"
}

# A trial that ends with a way back. Before the decision, the new version stays on trial.
back_killed() {
	local back=$COUNT
	[ "$POINT" != settle.begun ] || back=0
	load_drops
	fails 0 faas update --confirm 600s "$SCRATCH/passes"
	killed rollback gate
	fails 5 faas unload nothing-here
	says 'an update of workflow gate half done'
	send
	settle gate
	same "dropped" $back "$(counted dropped)"
	same "matched" $COUNT "$(counted matched)"
	same "on trial" $((back == 0)) "$(faas status --json gate | jq 'if .trial then 1 else 0 end')"
}

# The command had decided, or had not; what is in the slot follows after the repair.
bypass_killed() {
	local bypassed=true
	[ "$POINT" != bypass.begun ] || bypassed=false
	load_drops
	killed bypass gate
	send
	one_version 0 0
	fails 5 faas unload nothing-here
	says 'an update of workflow gate half done'
	same "bypassed" $bypassed "$(faas list --json | jq '.[0].bypassed')"
	send
	one_version "$(counted dropped)" "$(counted passed)"
	same "matched" $((2 * COUNT)) "$(counted matched)"
}

# With a worker: the events before and after the kill are processed once each, with one
# state, whichever version did it.
worker_killed() {
	local lines=$CASE/$POINT.jsonl
	rm -rf "$CASE/bundle"
	faas build --set "sinks.records.file.path=$lines" --output "$CASE/bundle" \
		"$FIXTURES/witness.yaml" >/dev/null
	faas load --netns "$GATEWAY" "$CASE/bundle" >/dev/null
	traffic --to 10.77.0.1:5005 --count 100 --keys 5
	killed update "$CASE/bundle"
	traffic --to 10.77.0.1:5005 --count 100 --keys 5
	fails 5 faas unload nothing-here
	says 'an update of workflow witness half done'
	traffic --to 10.77.0.1:5005 --count 100 --keys 5
	settle witness
	same "processed" 300 "$(counted processed)"
	wait_for 10 lines_are "$lines" 300 || true
	same "counts in the file, each once for each key" "60 5" \
		"$(jq -r .fields.count "$lines" | sort -n | uniq -c | awk '{each[$1]++} END {for (n in each) print each[n], n}')"
	fails 0 faas unload witness
}

# The first version with a user tier: what it emitted is processed, and nothing is lost.
first_killed() {
	local lines=$CASE/$POINT.jsonl
	rm -rf "$CASE/bundle"
	faas build --set "sinks.records.file.path=$lines" --output "$CASE/bundle" \
		"$FIXTURES/meter.yaml" >/dev/null
	faas load --netns "$GATEWAY" "$FIXTURES/meter-alone.yaml" >/dev/null
	killed update "$CASE/bundle"
	traffic --to 10.77.0.1:5005 --count 100 --keys 5
	fails 5 faas unload nothing-here
	says 'an update of workflow meter half done'
	traffic --to 10.77.0.1:5005 --count 100 --keys 5
	settle meter
	same "matched" 200 "$(counted matched)"
	[ "$POINT" = settle.begun ] || [ "$(counted emitted)" -ge 100 ] ||
		fail "the new version took $(counted emitted) packets"
	same "processed" "$(counted emitted)" "$(counted processed)"
	same "lost" '[0,0,0,0,0]' "$(ledger meter | jq -c '[.lost[]]')"
	wait_for 10 lines_are "$lines" "$(counted processed)" || true
	same "lines in the file" "$(counted processed)" "$(lines_of "$lines")"
	fails 0 faas unload meter
}

# Each point of the commands $1, in one network; nothing is left behind by any.
walk() {
	local walked=0
	network
	MACHINE_PARTS=$ROOM_PARTS machine_snapshot "$CASE/before"
	for POINT in $(grep -E "^($1)\." <<<"$POINTS"); do
		echo "== $POINT"
		"$2"
		[[ $2 = @(worker|first)_killed ]] || fails 0 faas unload gate
		walked=$((walked + 1))
	done
	[ "$walked" -gt 1 ] || fail "only $walked points were found"
	MACHINE_PARTS=$ROOM_PARTS machine_same "$CASE/before" "$CASE" || {
		fail "left behind:"
		cat "$CASE/differences"
	}
}
walk_load() { walk load load_killed; }
walk_unload() { walk unload unload_killed; }
walk_back() { walk settle back_killed; }
walk_confirm() { walk confirm confirm_killed; }
walk_bypass() { walk bypass bypass_killed; }
walk_worker() { walk 'user_tier|settle' worker_killed; }
walk_first() { walk settle first_killed; }
walk_update() { walk 'update|settle' update_killed; }

every_point_has_a_walk() {
	same "points that no walk takes" "" "$(grep -vE '^(load|unload|update|settle|confirm|bypass|user_tier|deadletter)\.' <<<"$POINTS" || true)"
}

test_case "load killed at every step" walk_load
test_case "unload killed at every step" walk_unload
test_case "update killed at every step" walk_update
test_case "the way back killed at every step" walk_back
test_case "confirm killed at every step" walk_confirm
test_case "bypass killed at every step" walk_bypass
test_case "update of user functions killed at every step" walk_worker
test_case "the first update to user functions killed at every step" walk_first
test_case "no step is left out" every_point_has_a_walk
tests_done
