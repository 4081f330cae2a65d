#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# An update to another layout of durable state, and the way back from its trial: whoever of
# runtime, worker and the process that moves states is at a fault point of userspace/ is
# killed there. The next command finishes it, forward or back; no count is missing and none
# is there twice, in memory and on the disk. The points are read from the sources, so that
# none is left out.
# shellcheck source=../netns/lib.sh
. "$(dirname "$(readlink -f "$0")")/../netns/lib.sh"

FAULTS_BUILD=$BUILD/faults
STORED=/var/lib/ebpf-faas/state/growth

if [ ! -x "$FAULTS_BUILD/ebpf-faas" ]; then
	echo "fault points need: make BUILD=$FAULTS_BUILD FAULTS=1 all" >&2
	exit 1
fi
FAAS=$FAULTS_BUILD/ebpf-faas
POINTS=$(grep -rhoE 'fault_point\("(migrate|migration|durable)\.[a-z_]+"' "$TOP/userspace" |
	cut -d'"' -f2 | LC_ALL=C sort -u)
# Passed by the first load already: simulation and storm die there.
POINTS=$(grep -vE '^durable\.(before|inside)_tak(en|ing)_up$' <<<"$POINTS")

# The points of the way back from an update that failed under traffic.
REST_POINTS=$(grep -rhoE 'fault_point\("rest\.[a-z_]+"' "$TOP/userspace" | cut -d'"' -f2 | LC_ALL=C sort -u)

build() { # VERSION BUNDLE FILE
	faas build --output "$SCRATCH/$2" "$FIXTURES/migrate/$1/growth.yaml" \
		--set functions.total.state=durable --set storage.size=16Mi \
		--set "sinks.records.file.path=$3" >"$SCRATCH/$2.log" || die "$(cat "$SCRATCH/$2.log")"
}
build first first "$SCRATCH/records.jsonl"
build second second "$SCRATCH/records.jsonl"
build second nowhere /nowhere/at/all

generation() { faas list --json | jq -r '.[0].generation // 0'; }
version() { faas status --json growth | jq -r .version; }
send() { traffic --to 10.77.0.1:5005 --count "$1" --keys 10 --first-port 40000; }
# Of all keys, each value once.
counts() { faas state list growth total --all --json | jq -c '[.entries[].value.count] | unique'; }
left() {
	find /run/ebpf-faas/workflows/growth "$STORED" \( -name '*.next' -o -name '*.before' -o \
		-name before -o -name before.new \) -printf '%f '
}

# With $POINT in the runtime, and in all that it starts.
load_first() {
	rm -f "$SCRATCH/records.jsonl"
	EBPF_FAAS_FAULT=$POINT:1 faas load --netns "$GATEWAY" "$SCRATCH/first"
	send 50
	settle growth
}

# Whatever was killed, the next changing command mends it.
mend() {
	local try
	for try in 1 2 3; do
		faas unload nothing-here >"$CASE/mend" 2>&1 || true
		sed "s/^/  | $try: /" "$CASE/mend"
		[ "$(faas list --json | jq -r '.[0].state')" != loaded ] || return 0
	done
	fail "it is not whole again after three commands"
}

# From now on without $POINT.
another_runtime() {
	local pid
	pid=$(runtime_pid)
	if [ -n "$pid" ]; then
		kill -KILL "$pid"
		wait_for 10 process_gone "$pid"
	fi
	faas gc >/dev/null
}

# All processes die, and what is in memory is gone; then the version that ran is loaded.
power_goes() {
	local ran
	ran=$(version)
	all_die
	rm -rf /run/ebpf-faas/workflows/growth
	faas unload --now growth >"$CASE/unloaded" 2>&1 || true
	fails 0 faas load --netns "$GATEWAY" "$SCRATCH/$ran"
}

update_killed() {
	load_first
	faas update "$SCRATCH/second" || true
	mend
	another_runtime
	echo "generation $(generation) runs, version $(version)"
	send 50
	settle growth
	same "counts" '[10]' "$(counts)"
	same "left behind" '' "$(left)"
	[ "$(version)" = second ] || fails 0 faas update "$SCRATCH/second"
	send 50
	settle growth
	same "counts of the new version" '[15]' "$(counts)"
	same "left behind" '' "$(left)"
	cp "$SCRATCH/records.jsonl" "$CASE/records.jsonl"
	exactly_once 10 15
	power_goes
	same "counts after a loss of power" '[15]' "$(counts)"
	faas unload --purge growth
}

# What the trial counted is in no state; the version before has the counts of before.
back_killed() {
	load_first
	faas update --confirm 600s "$SCRATCH/second" || true
	mend
	if [ "$(version)" = second ]; then
		send 50
		settle growth
		faas rollback growth || true
		mend
	fi
	another_runtime
	[ "$(version)" = first ] || fails 0 faas rollback growth
	same "version" first "$(version)"
	same "counts" '[5]' "$(counts)"
	send 50
	settle growth
	same "counts go on" '[10]' "$(counts)"
	same "left behind" '' "$(left)"
	faas unload --purge growth
}

# An update that fails when packets follow it already: whatever is killed, what waits in the
# ring of the version that did not stay is processed once, and before what came later.
rest_killed() {
	local pid each
	load_first
	pid=$(runtime_pid)
	traffic_begin growth --to 10.77.0.1:5005 --keys 10 --first-port 40000 --rate 1000
	wait_for 60 fails_and_kills "$pid" || fail "nobody was killed"
	mend
	another_runtime
	traffic_end
	each=$((5 + $(sent sent) / 10))
	settle growth
	same "version" first "$(version)"
	same "counts" "[$each]" "$(counts)"
	same "lost" 0 "$(counted lost.error)"
	same "left behind" '' "$(left)"
	cp "$SCRATCH/records.jsonl" "$CASE/records.jsonl"
	exactly_once 10 "$each"
	faas unload --purge growth
}

# It may be over before a packet has come to the new version: then nobody was at $POINT.
fails_and_kills() { # PID
	if faas update "$SCRATCH/nowhere"; then fail "the update did not fail"; fi
	process_gone "$1"
}

# Each point, in one network.
walk() { # CASE LEAST POINT...
	local walked=0 what=$1 least=$2
	shift 2
	network
	for POINT in "$@"; do
		echo "== $POINT"
		"$what"
		walked=$((walked + 1))
	done
	[ "$walked" -ge "$least" ] || fail "only $walked points were found"
}
# shellcheck disable=SC2086
walk_update() { walk update_killed 9 $POINTS; }
# shellcheck disable=SC2086
walk_back() { walk back_killed 9 $POINTS; }
# shellcheck disable=SC2086
walk_rest() { walk rest_killed 5 $REST_POINTS; }

test_case "an update that replaces states, killed at every step" walk_update
test_case "the way back from it, killed at every step" walk_back
test_case "what an update that failed has left in its ring, killed at every step" walk_rest
tests_done
