#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Updates of durable state to another layout, and the power goes on the way: what is on the
# disk is the state of the one version or of the other, whichever is loaded.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

VERSIONS=$FIXTURES/migrate
STORED=/var/lib/ebpf-faas/state/growth
DURABLE=(--set functions.total.state=durable --set storage.size=16Mi)

with_version() { # VERB VERSION OPTION...
	local verb=$1 version=$2
	shift 2
	faas "$verb" "${DURABLE[@]}" --set "sinks.records.file.path=$CASE/records.jsonl" "$@" \
		"$VERSIONS/$version/growth.yaml"
}
load_version() { with_version load "$1" --netns "$GATEWAY" "${@:2}"; }
update_to() { with_version update "$@"; }
send() { traffic --to 10.77.0.1:5005 --count "$1" --keys 10 --first-port 40000; }
# Behind 50 that were sent before; how many of each key that makes is in $EACH.
begin_traffic() { traffic_begin growth --to 10.77.0.1:5005 --keys 10 --first-port 40000 --rate 1000; }
end_traffic() {
	traffic_flows 100
	traffic_end
	EACH=$((5 + $(sent sent) / 10))
}
generation() { faas list --json | jq -r '.[0].generation // 0'; }
# state MEMBER [FUNCTION]: of all keys, each value once.
state() { faas state list growth "${2:-total}" --all --json | jq -c "[.entries[].value.$1] | unique"; }
before_gone() { [ ! -e "$STORED/before" ] && [ ! -e "$STORED/before.new" ]; }

# All processes die, the guard of a trial too, and what is in memory is gone.
power_goes() {
	all_die
	rm -rf /run/ebpf-faas/workflows/growth
	faas unload --now growth >"$CASE/unloaded" 2>&1 || true
}

taken_over() {
	network
	load_version first
	send 50
	settle growth
	faas build "${DURABLE[@]}" --set "sinks.records.file.path=$CASE/records.jsonl" \
		--output "$CASE/second" "$VERSIONS/second/growth.yaml"
	begin_traffic
	fails 0 faas update "$CASE/second"
	end_traffic
	settle growth
	same "generation" 2 "$(generation)"
	same "processed" $((10 * EACH)) "$(counted processed)"
	same "counts" "[$EACH]" "$(state count)"
	same "they were taken over" true "$(faas state list growth total --json |
		jq "[.entries[].value.taken_over | . >= 5 and . < $EACH] | all")"
	exactly_once 10 "$EACH"
	before_gone || fail "the state of before is left on the disk"
	faas unload growth
	load_version second
	same "counts after an unload" "[$EACH]" "$(state count)"
	send 50
	settle growth
	exactly_once 10 $((EACH + 5))
	faas unload growth
	fails 1 load_version first
	says 'of another version, size or key'
	faas unload --purge growth
}

# The power goes while the new version is on trial: each finds its own.
power_goes_on_trial() {
	local loaded
	for loaded in first second; do
		[ "$loaded" = second ] || network
		rm -f "$CASE/records.jsonl"
		load_version first
		send 50
		settle growth
		fails 0 update_to second --confirm 600s
		send 50
		settle growth
		same "counts on trial" '[10]' "$(state count)"
		[ -e "$STORED/before" ] || fail "the state of before is not on the disk"
		power_goes
		fails 0 load_version "$loaded"
		if [ "$loaded" = first ]; then
			same "the version before has its counts" '[5]' "$(state count)"
		else
			same "the new version has its counts" '[10]' "$(state count)"
		fi
		before_gone || fail "the state of before is left on the disk"
		# With either the way to the other is gone, and the next loss of power takes nothing.
		send 50
		settle growth
		power_goes
		fails 0 load_version "$loaded"
		same "counts" "[$([ "$loaded" = first ] && echo 10 || echo 15)]" "$(state count)"
		faas unload --purge growth
	done
}

# The new version begins anew, in the layout that there was: its trial ends with the power, and
# the version before has its counts.
power_goes_on_trial_anew() {
	network
	load_version first
	send 50
	settle growth
	fails 0 update_to first --confirm 600s --reset-state total
	send 20
	settle growth
	same "counts on trial" '[2]' "$(state count)"
	power_goes
	fails 0 load_version first
	same "the version before has its counts" '[5]' "$(state count)"
	before_gone || fail "the state of before is left on the disk"
	send 50
	settle growth
	power_goes
	fails 0 load_version first
	same "counts" '[10]' "$(state count)"
	faas unload --purge growth
}

# Of two states the update lays out one anew; the other goes on. After a loss of power the
# version before finds of each what a way back in memory gives it.
power_goes_on_trial_of_one_state() {
	local VERSIONS=$CASE end version
	local seen='seen: {user: tally, key: source_port, keys: 2000, state: durable, outputs: {total: records}}'
	cp -r "$FIXTURES/migrate/first" "$FIXTURES/migrate/second" "$CASE"
	for version in first second; do
		sed -i -e 's/to: total/to: [total, seen]/' -e "/^workers:/i \  $seen" \
			"$CASE/$version/growth.yaml"
	done
	network
	for end in rollback power; do
		load_version first
		send 50
		settle growth
		fails 0 update_to second --confirm 600s
		send 50
		settle growth
		same "counts on trial" '[10]' "$(state count)"
		if [ "$end" = rollback ]; then
			fails 0 faas rollback growth
		else
			power_goes
			fails 0 load_version first
		fi
		same "$end: the state that was laid out anew" '[5]' "$(state count)"
		same "$end: the state that went on" '[10]' "$(state count seen)"
		before_gone || fail "the state of before is left on the disk"
		send 50
		settle growth
		power_goes
		fails 0 load_version first
		same "$end: the one, from its own disk" '[10]' "$(state count)"
		same "$end: the other, from its own disk" '[15]' "$(state count seen)"
		faas unload --purge growth
	done
}

# Back from a trial: the old layout is on the disk again.
trial_goes_back() {
	network
	load_version first
	send 50
	settle growth
	fails 0 update_to second --confirm 600s
	send 50
	fails 0 faas rollback growth
	same "counts" '[5]' "$(state count)"
	before_gone || fail "the state of before is left on the disk"
	send 50
	settle growth
	same "processed" 150 "$(counted processed)"
	power_goes
	load_version first
	same "counts after a loss of power" '[10]' "$(state count)"
	faas unload --purge growth
}

# The new version does not start: the disk is as it was, for the version before.
fails_later() {
	network
	load_version first
	send 50
	settle growth
	fails 1 update_to second --set functions.total.params.refuse=5
	says 'not migrated from version 1 to 2'
	before_gone || fail "the state of before is left on the disk"
	fails 1 faas update "${DURABLE[@]}" --set "sinks.records.file.path=/nowhere/at/all" \
		"$VERSIONS/second/growth.yaml"
	says 'the directory of /nowhere/at/all does not exist'
	same "generation" 1 "$(generation)"
	before_gone || fail "the state of before is left on the disk"
	send 50
	settle growth
	same "counts" '[10]' "$(state count)"
	power_goes
	load_version first
	same "counts after a loss of power" '[10]' "$(state count)"
	faas unload --purge growth
}

test_case "durable state is taken over, under traffic" taken_over
test_case "the power goes while a version is on trial" power_goes_on_trial
test_case "the power goes while a version that begins anew is on trial" power_goes_on_trial_anew
test_case "the power goes while one of two states is on trial" power_goes_on_trial_of_one_state
test_case "a trial goes back to its durable state" trial_goes_back
test_case "an update of durable state that fails" fails_later
tests_done
