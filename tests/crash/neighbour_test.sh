#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# One workflow goes for one resource after the other; what that does to it is counted as its
# own. The other one beside it gets every event, once, in a worker that is still the first.
# shellcheck source=../netns/lib.sh
. "$(dirname "$(readlink -f "$0")")/../netns/lib.sh"

ATTACKS=$TOP/tests/crash/attacks
FIRST_PORT=30000
KEYS=100
DEAD=/var/lib/ebpf-faas/workflows/attacker/dead-letters.jsonl

# ---- the neighbour ------------------------------------------------------------

# Two veth pairs: the queue of one is the driver's, and whoever floods it fills it for all
# that comes in there.
neighbourhood() {
	network
	netns_veth "$GATEWAY" gw1 "$PLANT" plant1
	in_netns "$GATEWAY" ip address add 10.78.0.1/24 dev gw1
	in_netns "$PLANT" ip address add 10.78.0.2/24 dev plant1
	load witness --set workers.instances.min=1
	WORKER=$(faas status --json witness | jq .worker.pid)
	start_in_netns "$PLANT" "$TEST_LIB/traffic" --to 10.77.0.1:5005 --count 4000000 \
		--keys $KEYS --rate 1000 >"$CASE/sent"
	SENDER=$STARTED
	echo "$SENDER" >>"$CASE/pids"
}

# Nobody waits for the other one to be done with: worker and courier go on meanwhile.
goes_on() { # WHILE
	SEEN=$(of witness .sinks[0].delivered)
	wait_for 10 is witness ".sinks[0].delivered > $SEEN + 50" || fail "the neighbour stands still: $1"
}

unharmed() {
	local sent
	kill -TERM "$SENDER"
	wait "$SENDER" || fail "the sender: $(cat "$CASE/sent")"
	sent=$(jq .sent "$CASE/sent")
	settle witness
	same "the neighbour's matched" "$sent" "$(counted matched)"
	same "its processed" "$sent" "$(counted processed)"
	same "its lost" 0 "$(jq '[.lost[]] | add // 0' <<<"$LEDGER")"
	same "its dead letters" 0 "$(counted dead_lettered)"
	wait_for 30 lines_are "$CASE/records.jsonl" "$sent" || true
	wait_for 20 is witness ".sinks[0].delivered == $sent" || true
	same "its sink" "[$sent,0,0]" \
		"$(faas status --json witness | jq -c '.sinks[0] | [.delivered, .errors, .refused]')"
	same "its restarts" 0 "$(faas status --json witness | jq .worker.restarts)"
	same "its worker" "$WORKER" "$(faas status --json witness | jq .worker.pid)"
	all_there_once "$sent"
}

# Of each key the counts from 1 on, each in one line, and both ends of its state alike.
all_there_once() { # LINES
	jq -r '"\(.key) \(.fields.count) \(.fields.twin)"' "$CASE/records.jsonl" | awk -v lines="$1" -v keys=$KEYS '
		$2 != $3 {print "key " $1 ": " $2 " and " $3}
		seen[$1, $2]++ {print "key " $1 ", count " $2 ": more than once"}
		{counts[$1]++; if ($2 > highest[$1]) highest[$1] = $2}
		END {
			for (key in counts) {
				found++
				if (counts[key] != highest[key])
					print "key " key ": " counts[key] " lines up to " highest[key]
			}
			if (found != keys || NR != lines)
				print NR " lines, " found " keys"
		}' >"$CASE/wrong"
	[ ! -s "$CASE/wrong" ] || fail "not every output of the neighbour is there once: $(head -n 20 "$CASE/wrong")"
}

# ---- the other one ------------------------------------------------------------

number_of() {
	sed -n 's/^ATTACK(\([a-z0-9_]*\),.*/\1/p' "$ATTACKS/funcs/attacker/attacks.def" |
		awk -v name="$1" '$1 == name {print NR - 1}'
}
attack() { # NAME COUNT
	traffic --to 10.78.0.1:5666 --count "$2" --keys 1 --rate 1000 \
		--first-port $((FIRST_PORT + $(number_of "$1"))) >/dev/null
}
of() { faas status --json "$1" | jq -r "$2"; }
is() { # WORKFLOW CONDITION
	faas status --json "$1" | jq -e "$2"
}

# Its file is on a disk of its own that is soon full.
load_attacker() {
	mkdir -p "$CASE/attacks/funcs/attacker" "$CASE/disk"
	cp "$ATTACKS/attacker.yaml" "$CASE/attacks/"
	cp "$BUILD/tests/crash/attacks/funcs/attacker/attacker.so" "$CASE/attacks/funcs/attacker/"
	echo "$CASE/disk" >>"$CASE/mounts"
	mount -t tmpfs -o size=256k ef_disk "$CASE/disk"
	faas load --netns "$GATEWAY" --set "triggers.in.packet.interfaces=[gw1]" \
		--set "sinks.records.file.path=$CASE/disk/attacks.jsonl" --set workers.memory=16Mi \
		--set limits.logs=20/s --set "functions.attack.timeout=$(stretched 100)ms" \
		"$CASE/attacks/attacker.yaml"
}

# Processor, time and memory, until it does not run any more.
dies_until_quarantined() {
	local kind
	for kind in spin wait_for_nothing fill_memory write_code; do
		attack "$kind" 4
	done
	wait_for 40 is attacker '.worker.state == "quarantined"' ||
		fail "it is $(of attacker .worker.state)"
	goes_on "the other one is in quarantine"
	faas resume attacker
	wait_for 20 is attacker '.ledger.dead_lettered == 16' ||
		fail "$(of attacker .ledger.dead_lettered) events ended it"
	wait_for 5 lines_are "$DEAD" 16 || true
	same "why" "8 crash, 8 timeout" "$(jq -r .reason "$DEAD" | sort | uniq -c | awk '{print $1, $2}' | paste -sd, | sed 's/,/, /')"
}

floods_the_log() {
	attack flood_the_log 30
	attack flood_what_it_writes_to 30
	wait_for 20 is attacker '.worker.lines_dropped + .worker.lines_suppressed >= 200000' ||
		fail "its flood of lines is not told: $(of attacker -c .worker)"
	goes_on "the other one floods the log"
}

# More than the disk of its file takes, so that its log fills and then its queue.
floods_its_sink() {
	attack flood_the_outputs 6000
	wait_for 20 is attacker '.sinks[0].errors > 0 and .ledger.in_flight > 0' ||
		fail "its disk and its log are not full"
	goes_on "the disk of the other one is full"
	same "why it does not deliver" "No space left on device" "$(of attacker '.sinks[0].last_error')"
}

# 1000 keys, where it has room for 12, faster than it takes them.
floods_queue_and_state() {
	faas load --netns "$GATEWAY" --set "triggers.in.packet.interfaces=[gw1]" --set workers.queue=16 \
		--set functions.notes.keys=12 --set 'retry.attempts=1' "$FIXTURES/diary.yaml"
	traffic --to 10.78.0.1:5005 --count 40000 --keys 1000 --first-port 40000 >/dev/null
	goes_on "the other one is flooded"
	settle diary
	[ "$(counted lost.ring_full)" -gt 0 ] || fail "its queue was never full: $LEDGER"
	[ "$(counted dead_lettered)" -gt 0 ] || fail "its state was never full: $LEDGER"
	same "what came, emitted and lost" "$(counted matched)" \
		$(($(counted emitted) + $(counted lost.ring_full)))
}

goes_for_everything() {
	neighbourhood
	load_attacker
	goes_on "the other one has done nothing yet"
	dies_until_quarantined
	floods_the_log
	floods_its_sink
	floods_queue_and_state
	unharmed
	faas unload --now --purge attacker
	faas unload --now --purge diary
}

test_case "a neighbour that goes for processor, memory, log, disk, queue and state" goes_for_everything
tests_done
