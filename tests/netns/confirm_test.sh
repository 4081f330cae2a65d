#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Loads and updates that undo themselves: the operator may have come by the interface
# that they cut.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

make_bundle() { # NAME MIN MAX
	faas build --output "$SCRATCH/$1" "$FIXTURES/gate.yaml" --set "version=$1" \
		--set "functions.readings.params.min=$2" --set "functions.readings.params.max=$3" \
		>"$SCRATCH/$1.log" || die "$(cat "$SCRATCH/$1.log")"
}
make_bundle drops 4294967294 4294967295
make_bundle passes 0 4294967293

generation() { faas list --json | jq -r '.[0].generation // 0'; }
trial() { faas status --json gate | jq -c .trial; }
is_generation() { [ "$(generation)" = "$1" ]; }
guards() { faas_processes | awk '$2 == "ebpf-faas" {print $1}'; }
no_guard() { [ -z "$(guards)" ]; }
# later COMMAND...: an hour from now, by the clock that deadlines go by.
later() {
	[ "$1" != faas ] || set -- "$FAAS" "${@:2}"
	unshare --time --fork --boottime 3600 -- "$@" 9<&-
}
load_drops() { faas load --netns "$GATEWAY" "$@" "$SCRATCH/drops"; }

confirmed() {
	network
	load_drops
	fails 0 faas update --confirm 60s "$SCRATCH/passes"
	says 'ebpf-faas confirm'
	fails 0 faas confirm gate
	same "trial" null "$(trial)"
	wait_for 5 no_guard || fail "the guard stays"
	# Nor does a command that comes behind the deadline.
	fails 5 later faas unload nothing-here
	same "generation" 2 "$(generation)"
}

not_confirmed() {
	network
	load_drops
	fails 0 faas update --confirm "$(stretched 1)s" "$SCRATCH/passes"
	wait_for 5 is_generation 1 || fail "it does not go back"
	wait_for 5 no_guard || fail "the guard stays" # it writes the history last
	fails 0 faas history gate
	says "version \"passes\"  goes back: nobody confirmed it within $(stretched 1) s"
	says 'generation 1 .*version "drops"  runs again'
	traffic --to 10.77.0.1:5005 --count 20
	settle gate
	same "dropped" 20 "$(counted dropped)"
}

load_not_confirmed() {
	network
	machine_snapshot "$CASE/before"
	fails 0 load_drops --confirm 1s
	wait_for 5 is_generation 0 || fail "it stays"
	wait_for 5 no_guard || fail "the guard stays"
	MACHINE_PARTS='pins run_files state_files processes' machine_same "$CASE/before" "$CASE" || {
		fail "left behind:"
		cat "$CASE/differences"
	}
}

load_confirmed() {
	network
	fails 0 load_drops --confirm 60s
	fails 0 faas confirm gate
	wait_for 5 no_guard || fail "the guard stays"
	same "generation" 1 "$(generation)"
}

# The session of who gave the command ends, with all that belongs to it.
session_ends() {
	network
	load_drops
	setsid -w bash -c '"$1" update --confirm "$3" "$2" & wait $!; kill -HUP 0; kill -KILL 0' - \
		"$FAAS" "$SCRATCH/passes" "$(stretched 2)s" >"$CASE/session" 2>&1 9<&- || true
	cat "$CASE/session"
	wait_for 6 is_generation 1 || fail "the guard went with the session"
	wait_for 5 no_guard || fail "the guard stays"
	fails 0 faas history gate
	says 'version "passes"  goes back: nobody confirmed it'
}

# A guard that was killed: the next command that changes anything acts on the deadline.
guard_killed() {
	network
	load_drops
	fails 0 faas update --confirm 60s "$SCRATCH/passes"
	wait_for 5 kill_those guards
	fails 5 faas unload nothing-here
	same "generation before the deadline" 2 "$(generation)"
	fails 5 later faas unload nothing-here
	says 'generation 2 of workflow gate is over and nobody judged it'
	same "generation" 1 "$(generation)"
}

rollback_on_trial() {
	network
	load_drops
	fails 0 faas update --confirm 60s "$SCRATCH/passes"
	fails 0 faas rollback gate
	same "generation" 1 "$(generation)"
	wait_for 5 no_guard || fail "the guard stays"
	fails 0 faas update --confirm 60s "$SCRATCH/passes"
	same "generation: no number is used twice" 3 "$(generation)"
	fails 0 faas unload gate
	wait_for 5 no_guard || fail "the guard stays after unload"
	fails 0 load_drops --confirm 60s
	fails 0 faas rollback gate
	same "generation" 0 "$(generation)"
	fails 2 load_drops --confirm soon
	wait_for 5 no_guard || fail "the guard of a refused load stays"
}

# The guard of a trial that was unloaded sees one of the same name and number: its
# terms are not its own.
guard_of_another() {
	local former
	network
	faas load --netns "$GATEWAY" --set workflow=other --set triggers.in.packet.match.destination_port=5006 \
		"$FIXTURES/gate.yaml"
	fails 0 load_drops --confirm 500s
	former=$(guards)
	kill -STOP "$former"
	fails 0 faas unload gate
	fails 0 load_drops --confirm 600s
	kill -CONT "$former"
	wait_for 5 process_gone "$former" || fail "the former guard stays"
	same "on trial" true "$(faas list --json | jq -c '.[] | select(.workflow == "gate").trial')"
	fails 0 faas confirm gate
	fails 0 faas unload other
}

# What a reboot takes, and what it leaves: numbers begin anew, the history goes on.
history_after_reboot() {
	network
	load_drops
	rm -rf "$PIN_ROOT" /run/ebpf-faas
	fails 0 faas load --netns "$GATEWAY" --confirm 60s "$SCRATCH/passes"
	fails 0 faas confirm gate
	fails 0 faas history gate
	says 'generation 1 .*version "drops"  loaded'
	says 'generation 1 .*version "passes"  confirmed'
}

test_case "an update that is confirmed stays" confirmed
test_case "one that is not goes back" not_confirmed
test_case "a load that is not confirmed leaves nothing" load_not_confirmed
test_case "a load that is confirmed stays" load_confirmed
test_case "the end of the session makes no difference" session_ends
test_case "a killed guard" guard_killed
test_case "rollback ends a trial" rollback_on_trial
test_case "history names the version after a reboot" history_after_reboot
test_case "a former guard leaves a trial alone that is not its own" guard_of_another
tests_done
