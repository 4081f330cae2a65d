#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Updates to a version with other user functions and sinks: what stays keeps its state, its
# counters and its file, wherever it stands in the new version.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

KEYS=10
STORED=/var/lib/ebpf-faas/state/witness
LETTERS=/var/lib/ebpf-faas/workflows/witness/dead-letters.jsonl

paths() { # more or not
	RECORDS=(--set "sinks.records.file.path=$CASE/records.jsonl")
	[ "$1" != witness-more ] || RECORDS+=(--set "sinks.extra.file.path=$CASE/extra/lines.jsonl")
}
update_to() { # WORKFLOW OPTION...
	local name=$1
	shift
	paths "$name"
	faas update "${RECORDS[@]}" "$@" "$FIXTURES/$name.yaml"
}
build_version() { # WORKFLOW: $CASE/WORKFLOW
	paths "$1"
	faas build "${RECORDS[@]}" --output "$CASE/$1" "$FIXTURES/$1.yaml"
}
generation() { faas list --json | jq -r '.[0].generation // 0'; }
# count FUNCTION: of all keys, each value once.
count() { faas state list witness "$1" --all --json | jq -c '[.entries[].value.count] | unique'; }
sum() { faas state list witness "$1" --all --json | jq '[.entries[].value.count] | add'; }
send() { traffic --to 10.77.0.1:5005 --count "$1" --keys $KEYS --first-port 40000; }
# Behind $ALL that were sent before; then that many, $EACH of a key.
begin_traffic() { # WORKFLOW
	traffic_begin "$1" --to 10.77.0.1:5005 --keys $KEYS --first-port 40000 --rate 1000
}
end_traffic() {
	traffic_flows 100
	traffic_end
	ALL=$((ALL + $(sent sent)))
	EACH=$((ALL / KEYS))
}
delivers() { [ "$(delivered "$1")" = "$2" ]; }
delivered() { faas status --json witness | jq ".sinks[] | select(.name == \"$1\") | .delivered"; }
beside() { find /run/ebpf-faas/workflows/witness \( -name '*.next' -o -name '*.before' \) | wc -l; }

come_and_go() {
	local some ALL=50
	network
	mkdir "$CASE/extra"
	load witness
	send $ALL
	settle witness
	build_version witness-more
	build_version witness
	begin_traffic witness
	fails 0 faas update "$CASE/witness-more"
	end_traffic
	settle witness
	same "generation" 2 "$(generation)"
	same "counts of the one that was there" "[$EACH]" "$(count total)"
	exactly_once $KEYS "$EACH"
	wait_for 20 delivers records "$ALL" || fail "delivered: $(delivered records) of $ALL"
	# It came at some event: the keys before that one in the sender's turn have one less.
	some=$(sum early)
	same "processed" $((ALL + some)) "$(counted processed)"
	[ "$(count early | jq 'max - min')" -le 1 ] || fail "its counts are $(count early)"
	wait_for 20 lines_are "$CASE/extra/lines.jsonl" $((2 * some)) || true
	same "lines of both in the new file" $((2 * some)) "$(lines_of "$CASE/extra/lines.jsonl")"
	same "those of the one that came" "$some" \
		"$(jq -s 'map(select(.function == "early")) | length' "$CASE/extra/lines.jsonl")"
	same "nothing is kept" 0 "$(beside)"

	begin_traffic witness
	fails 0 faas diff witness "$CASE/witness"
	says 'state of total .memory.: kept'
	says 'state of early .memory.: not kept: it is removed'
	fails 0 faas update "$CASE/witness"
	says 'state of total .memory.: kept'
	says 'state of early .memory.: removed'
	end_traffic
	settle witness
	same "counts" "[$EACH]" "$(count total)"
	exactly_once $KEYS "$EACH"
	wait_for 20 delivers records "$ALL" || fail "delivered: $(delivered records) of $ALL"
	fails 5 faas state list witness early
	fails 0 faas rollback witness
	send 50
	settle witness
	same "counts" "[$((EACH + 5))]" "$(count total)"
	same "counts of the one that came again" '[5]' "$(count early)"
	exactly_once $KEYS $((EACH + 5))
}

durable() {
	local options=(--set functions.total.state=durable --set storage.size=16Mi)
	network
	mkdir "$CASE/extra"
	load witness "${options[@]}"
	send 50
	settle witness
	fails 0 update_to witness-more "${options[@]}"
	send 50
	settle witness
	same "counts" '[10]' "$(count total)"
	[ ! -e "$STORED/before" ] || fail "the state of before is left on the disk"
	all_die
	rm -rf /run/ebpf-faas/workflows/witness
	faas unload --now witness >"$CASE/unloaded" 2>&1 || true
	paths witness-more
	faas load --netns "$GATEWAY" "${RECORDS[@]}" "${options[@]}" "$FIXTURES/witness-more.yaml"
	same "durable counts are there" '[10]' "$(count total)"
	fails 0 update_to witness-more "${options[@]}" --set functions.early.state=durable \
		--reset-state early
	paths witness
	fails 1 faas update "${RECORDS[@]}" "${options[@]}" "$FIXTURES/witness.yaml"
	says 'the durable state of early would be removed'
	says 'state export witness early >early.jsonl. keeps it; --reset-state early lets it go'
	same "the others are not" '[]' "$(count early)"
	send 50
	settle witness
	same "counts" '[15]' "$(count total)"
	faas unload --purge witness
}
no_process() { ! faas_processes | grep -q .; }

# What cannot be: the version before goes on.
refused() {
	network
	mkdir "$CASE/extra"
	load witness
	send 50
	settle witness
	fails 1 update_to witness-more --confirm 60s
	says 'other user functions or sinks would not be known to the one before'
	fails 1 update_to witness --set functions.total.state=durable --set storage.size=16Mi
	says 'the log of workflow witness cannot go on: durable state: none there, some here'
	same "generation" 1 "$(generation)"
	same "counts" '[5]' "$(count total)"
	same "nothing is kept" 0 "$(beside)"
}

# way_around OPTION...: the commands of the last refusal, as they stand, and in their order;
# the new version is loaded where that says so.
way_around() {
	local command
	# shellcheck disable=SC2016
	grep -o '`[^`]*`' "$CASE/output" | tr -d '`' >"$CASE/way"
	while read -r command; do
		echo "+ $command"
		(cd "$CASE" && eval "faas ${command#ebpf-faas }") 9<&-
		[[ $command != *unload* ]] || load witness "$@"
	done <"$CASE/way"
}

# What no update does is done by hand: the refusal says how, and the states are there.
by_hand() {
	local durable=(--set functions.total.state=durable --set)
	network
	load witness
	send 50
	settle witness
	fails 1 update_to witness "${durable[@]}" storage.size=16Mi
	says 'state export witness total >total.jsonl.; then .ebpf-faas unload witness., load the new version, .ebpf-faas state import witness total total.jsonl.'
	way_around "${durable[@]}" storage.size=16Mi
	same "durable now" '[5]' "$(count total)"
	send 50
	settle witness
	fails 1 update_to witness "${durable[@]}" storage.size=32Mi
	says 'size of the storage: 16777216 bytes there, 33554432 here'
	says 'unload --purge witness., which deletes dead letters too'
	way_around "${durable[@]}" storage.size=32Mi
	same "in another size" '[10]' "$(count total)"
	send 50
	settle witness
	same "counts" '[15]' "$(count total)"
	exactly_once $KEYS 15
	faas unload --purge witness
}

# It fails when packets follow it already: what waits in its ring is processed by the version
# before. What goes to a function that only the new one has is put aside.
fails_under_traffic() {
	local strange ALL=50
	network
	mkdir "$CASE/extra"
	load witness
	send $ALL
	settle witness
	rmdir "$CASE/extra"
	build_version witness-more
	begin_traffic witness
	fails 1 faas update "$CASE/witness-more"
	says 'the directory of .*/extra/lines.jsonl does not exist'
	# It is there for a moment, in which no packet need come.
	wait_for 60 fails_with_an_event || fail "no event came while the new version was in the kernel"
	end_traffic
	settle witness
	same "generation" 1 "$(generation)"
	same "lost" 0 "$(counted lost.error)"
	same "nothing is kept" 0 "$(beside)"
	strange=$(counted dead_lettered)
	same "processed" "$ALL" "$(counted processed)"
	wait_for 20 lines_are "$LETTERS" "$strange" || true
	same "dead letters" "$strange version" \
		"$(jq -r .reason "$LETTERS" | sort | uniq -c | xargs)"
	same "counts" "[$EACH]" "$(count total)"
	exactly_once $KEYS "$EACH"
	wait_for 20 delivers records "$ALL" || fail "delivered: $(delivered records) of $ALL"
	faas unload --purge witness
}

fails_with_an_event() {
	[ "$(ledger_get "$(ledger witness)" dead_lettered)" -gt 0 ] || { faas update "$CASE/witness-more" || false; }
}

# Outputs that cannot be delivered now were meant for sinks of the old version.
waits_for_its_sinks() {
	network
	mkdir "$CASE/extra" "$CASE/small"
	mount -t tmpfs -o size=16k small "$CASE/small"
	echo "$CASE/small" >>"$CASE/mounts"
	faas load --netns "$GATEWAY" --set "sinks.records.file.path=$CASE/small/records.jsonl" \
		"$FIXTURES/witness.yaml"
	send 2000
	wait_for 10 all_processed 2000
	fails 1 update_to witness-more
	says 'has still to deliver, the new version would write in another way: sink records: [0-9]+ outputs .No space left on device'
	says '--drain TIME'
	same "generation" 1 "$(generation)"
	fails 2 update_to witness-more --drain soon
	paths witness-more
	background "$FAAS" update --drain 60s "${RECORDS[@]}" "$FIXTURES/witness-more.yaml"
	mount -o remount,size=16m "$CASE/small"
	wait_for 20 all_delivered 2000
	cp "$CASE/small/records.jsonl" "$CASE/records.jsonl"
	exactly_once $KEYS 200
	wait "$LAST" || fail "the update that waited failed"
	same "generation" 2 "$(generation)"
	same "counts" '[200]' "$(count total)"
}
all_processed() { [ "$(faas status --json witness | jq .ledger.processed)" = "$1" ]; }
all_delivered() { [ "$(delivered records)" = "$1" ]; }

# Its first user function and its first sink: they are there before the first packet that the
# new version takes, and what the kernel tier has counted stays.
first_of_all() {
	local of_meter=(--set "sinks.records.file.path=$CASE/records.jsonl") events ALL=50
	network
	faas load --netns "$GATEWAY" "$FIXTURES/meter-alone.yaml"
	send $ALL
	find /run/ebpf-faas/workflows/meter | sort >"$CASE/files"
	fails 1 faas update --confirm 60s "${of_meter[@]}" "$FIXTURES/meter.yaml"
	says 'other user functions or sinks would not be known to the one before'
	# No packet meets it: none is lost, as is seen below.
	begin_traffic meter
	fails 1 faas update --set "sinks.records.file.path=$CASE/nowhere/records.jsonl" "$FIXTURES/meter.yaml"
	says 'the directory of .*/nowhere/records.jsonl does not exist'
	end_traffic
	wait_for 10 no_process || fail "processes are left of the version that failed"
	find /run/ebpf-faas/workflows/meter | sort | diff "$CASE/files" - || fail "and files"
	faas build "${of_meter[@]}" --output "$CASE/bundle" "$FIXTURES/meter.yaml"
	begin_traffic meter
	fails 0 faas update "$CASE/bundle"
	says 'state of counter .counters.: kept'
	says 'state of total .memory.: new'
	end_traffic
	settle meter
	events=$(counted processed)
	[ "$events" -gt 0 ] || fail "no event came"
	same "matched" "$ALL" "$(counted matched)"
	same "passed" "$ALL" "$(counted passed)"
	same "emitted" "$events" "$(counted emitted)"
	same "lost" '[0,0,0,0,0]' "$(ledger meter | jq -c '[.lost[]]')"
	same "counts in the kernel" "[$EACH]" \
		"$(faas state --json meter counter | jq -c '[.functions[0].maps[] | select(.map == "counters").contents[].value.packets] | unique')"
	wait_for 20 lines_are "$CASE/records.jsonl" "$events" || true
	same "lines in the file" "$events" "$(lines_of "$CASE/records.jsonl")"
	same "keys" $KEYS "$(jq -r .key "$CASE/records.jsonl" | sort -u | wc -l)"
	fails 1 faas update "$FIXTURES/meter-alone.yaml"
	says 'would have no functions or sinks outside the kernel any more'
	same "generation" 3 "$(generation)"
	says '; .ebpf-faas unload meter., load the new version$'
	fails 0 faas unload meter
}

test_case "functions and sinks come and go, under traffic" come_and_go
test_case "the first user function and the first sink" first_of_all
test_case "in a workflow with durable state" durable
test_case "what is refused" refused
test_case "what no update does is done by hand" by_hand
test_case "an update that fails under traffic" fails_under_traffic
test_case "outputs that wait for their sinks" waits_for_its_sinks
tests_done
