#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Five workflows for a long time, of both tiers, one with durable state and one that falls
# idle, under traffic, with faults at random. What ebpf-faas takes of the machine is noted
# behind each fault, and does not grow; every event and every output is accounted for at the
# end, and nothing is left.
#
#   SOAK_MINUTES=N   30; 5 is a short form, 2 the shortest that has enough rows
#   SEED=N           the order of the faults
#
# The rows are kept in BUILD/soak/figures: seconds, fault, and the numbers of figures.sh.
# Faults come in rounds, each once, in random order, so that each third of the time has as
# many of a kind. Runtime, courier and those that start workers are killed in the first
# third only: what they might pile up goes with them.
# shellcheck source=../netns/lib.sh
. "$(dirname "$(readlink -f "$0")")/../netns/lib.sh"
# shellcheck source=figures.sh
. "$TOP/tests/soak/figures.sh"

SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
SOAK_MINUTES=${SOAK_MINUTES:-30}
SOAK_S=$((SOAK_MINUTES * 60))
RUNTIME=$BUILD/libexec/ebpf-faas-runtime
BACK_S=20
KEYS=50
FLOOD=20000
FAULTS='worker_killed worker_killed updated kernel_updated reloaded spoiled flooded paused'
EARLY_FAULTS='runtime_killed courier_killed template_killed holder_killed'

# ---- the workflows --------------------------------------------------------------
# witness  counts twice, 500 events a second; updated and rolled back
# meter    counts, durable, 50 a second; idle when they pause
# labour   works longer on a flood than it may; sheds
# trouble  some of its events fail; unloaded and loaded again
# gate     kernel tier alone, 200 packets a second; both

with_sink() { echo "--set sinks.records.file.path=$CASE/$1.jsonl"; }

# load_one NAME: what each is loaded with stands here alone.
load_one() {
	local options
	# shellcheck disable=SC2046
	case $1 in
	witness) options=$(with_sink witness) ;;
	meter)
		options="$(with_sink meter) --set triggers.in.packet.match.port=[6001]
			--set functions.total.state=durable --set storage.size=16Mi --set workers.idle=500ms"
		;;
	labour)
		options="$(with_sink labour) --set triggers.in.packet.match.destination_port=6002
			--set triggers.alarms.packet.match.destination_port=6003
			--set triggers.chatter.packet.match.destination_port=6004"
		;;
	trouble) options="$(with_sink trouble) --set triggers.in.packet.match.destination_port=6005" ;;
	gate) options="--set triggers.in.packet.match.destination_port=6006" ;;
	esac
	[[ $1 == meter || $1 == gate ]] || options+=" --set workers.instances.min=1"
	# shellcheck disable=SC2086
	faas load --netns "$GATEWAY" $options "$FIXTURES/$1.yaml"
}

# send NAME PORT FIRST_PORT RATE: until it is told to end.
send() {
	start_in_netns "$PLANT" "$TEST_LIB/traffic" --to "10.77.0.1:$2" --count 4000000000 \
		--keys "$KEYS" --first-port "$3" --rate "$4" >"$CASE/$1.sent"
	sender[$1]=$STARTED
	echo "$STARTED" >>"$CASE/pids"
}

# end_sender NAME: what it sent is in $SENT.
end_sender() {
	! process_gone "${sender[$1]}" || fail "the sender for $1 ended by itself"
	kill -TERM "${sender[$1]}"
	wait "${sender[$1]}" || fail "the sender for $1 failed"
	SENT=$(jq .sent "$CASE/$1.sent")
}

begin() {
	network
	declare -gA sender
	flooded=0 spoiled=0 orderly=0 faults=0
	for name in witness meter labour trouble gate; do
		load_one "$name"
	done
	# shellcheck disable=SC2046
	faas build $(with_sink witness) --output "$CASE/bundle" --set workers.instances.min=1 \
		"$FIXTURES/witness.yaml"
	send witness 5005 20000 500
	send meter 6001 22000 50
	send gate 6006 24000 200
}

# Its process; nothing while there is none that works or waits for events.
worker_of() {
	faas status --json "$1" | jq -r '.worker | select(.state == ("running", "sleeping")) | .pid'
}
runs() { [ -n "$(worker_of "$1")" ]; }
all_run() {
	local name
	for name in witness meter labour trouble; do
		runs "$name" || return 1
	done
	[ -n "$(courier_pid)" ] && [ -n "$(template_pid)" ] && [ -n "$(holder_pid)" ]
}
holder_pid() { faas_processes | awk '$2 ~ /^ebpf-faas-holde/ {print $1}'; }
template_pid() { faas_processes | awk '$2 ~ /^ebpf-faas-templ/ {print $1}'; }

# ---- faults ---------------------------------------------------------------------

worker_killed() {
	local names=(witness meter labour) name pid
	name=${names[RANDOM % 3]}
	pid=$(worker_of "$name")
	kill -KILL "$pid" || fail "the worker of $name was gone"
	wait_for "$BACK_S" another_worker "$name" "$pid" || fail "no worker of $name after a kill"
}
another_worker() {
	local pid
	pid=$(worker_of "$1")
	[ -n "$pid" ] && [ "$pid" != "$2" ]
}

# As a service manager starts it again.
runtime_killed() {
	local pid
	pid=$(runtime_pid)
	kill -KILL "$pid"
	wait_for "$BACK_S" process_gone "$pid" || fail "the runtime survives a SIGKILL"
	background "$RUNTIME" --foreground --log "$CASE/runtime.log"
}
courier_killed() { killed courier; }
template_killed() { killed template; }
holder_killed() { killed holder; }
killed() {
	local pid
	pid=$("$1_pid")
	kill -KILL "$pid"
	wait_for "$BACK_S" another_one "$1" "$pid" || fail "no $1 after a kill"
}
another_one() {
	local pid
	pid=$("$1_pid")
	[ -n "$pid" ] && [ "$pid" != "$2" ]
}

# There and back, so that as much is there as before.
updated() {
	faas update "$CASE/bundle" || fail "the update"
	faas rollback witness || fail "the rollback"
}
kernel_updated() {
	faas update --set triggers.in.packet.match.destination_port=6006 \
		--set functions.readings.params.max=30 "$FIXTURES/gate.yaml" || fail "the update of gate"
	faas rollback gate || fail "the rollback of gate"
}

# What came since the load is accounted for, and the next one begins at zero.
reloaded() {
	end_sender gate
	settle gate
	same "gate: matched" "$SENT" "$(counted matched)"
	faas unload gate
	check_trouble
	faas unload --purge trouble
	load_one gate
	load_one trouble
	send gate 6006 24000 200
}
check_trouble() {
	settle trouble
	same "trouble: processed" "$orderly" "$(counted processed)"
	same "trouble: put aside" "$spoiled" "$(counted dead_lettered)"
	delivered trouble "$orderly"
	cat "$CASE/trouble.jsonl" >>"$CASE/trouble.all" 2>/dev/null || true
	rm -f "$CASE/trouble.jsonl"
	spoiled=0 orderly=0
}

# Two that fail among twenty that do not.
spoiled() {
	traffic --to 10.77.0.1:6005 --count 20 --keys 10 --first-port 26000
	# shellcheck disable=SC2016  # is for the inner shell
	in_netns "$PLANT" bash -c 'for _ in 1 2; do printf error >/dev/udp/10.77.0.1/6005; done'
	spoiled=$((spoiled + 2)) orderly=$((orderly + 20))
	wait_for "$BACK_S" put_aside $spoiled || fail "trouble has not put aside $spoiled"
	same "dead letters" 2 "$(faas deadletter list --json trouble | jq '.dead_letters | length')"
	faas deadletter drop --all trouble
}
put_aside() { [ "$(ledger trouble | jq .dead_lettered)" = "$1" ]; }

# Five times of what it manages; half of the times its worker is killed while it comes.
flooded() {
	local pid
	pid=$(worker_of labour)
	start_in_netns "$PLANT" "$TEST_LIB/traffic" --to 10.77.0.1:6002 --count "$FLOOD" \
		--rate 25000 --keys 16 --first-port 28000 >"$CASE/flood"
	flooded=$((flooded + FLOOD))
	[ $((RANDOM % 2)) = 0 ] || kill -KILL "$pid" || fail "the worker of labour was gone"
	wait "$STARTED" || fail "the flood: $(cat "$CASE/flood")"
}

paused() {
	kill -STOP "${sender[meter]}" "${sender[witness]}"
	wait_for "$BACK_S" is_idle meter || fail "meter does not become idle"
	kill -CONT "${sender[meter]}" "${sender[witness]}"
	wait_for "$BACK_S" runs meter || fail "meter does not wake"
}
is_idle() { [ "$(faas status --json "$1" | jq -r .worker.state)" = idle ]; }

# one_fault NAME: and a row, as soon as all is back.
one_fault() {
	"$1"
	faults=$((faults + 1))
	wait_for "$BACK_S" all_run || {
		fail "not all is back after $1: $(faas_processes | xargs)"
		faas list
	}
	figures_sample "$CASE/figures" "$1"
	[ ! -e "$CASE/failed" ] || exit 1
}

# ---- the run ----------------------------------------------------------------------

soak() {
	local began fault
	begin
	RANDOM=$SEED
	wait_for "$BACK_S" all_run || fail "not all runs"
	for fault in reloaded updated kernel_updated spoiled; do
		one_fault "$fault"
	done
	cp "$CASE/figures" "$CASE/first"
	: >"$CASE/figures"
	began=$SECONDS
	while [ $((SECONDS - began)) -lt $SOAK_S ]; do
		shuffle "$FAULTS $(early)"
		for fault in $ROUND; do
			one_fault "$fault"
			[ $((SECONDS - began)) -lt $SOAK_S ] || break
		done
	done
	for fault in reloaded updated kernel_updated spoiled; do
		one_fault "$fault"
	done
	echo "$faults faults" >>"$SCRATCH/summary"
	check_events
	check_figures "$((SECONDS - began))"
	check_nothing_left
}
early() { [ $(((SECONDS - began) * 3)) -ge $SOAK_S ] || echo "$EARLY_FAULTS"; }
# shuffle WORDS: into $ROUND. Not in a subshell: chance would begin anew there.
shuffle() {
	local words left at
	read -ra words <<<"$1"
	ROUND=''
	for ((left = ${#words[@]}; left > 0; left--)); do
		at=$((RANDOM % left))
		ROUND+="${words[at]} "
		words[at]=${words[left - 1]}
	done
}

# delivered NAME COUNT: so many lines, no id twice.
delivered() {
	local file=$CASE/$1.jsonl
	wait_for 60 lines_are "$file" "$2" || true
	same "$1: lines in the file" "$2" "$(lines_of "$file")"
	[ ! -e "$file" ] || same "$1: ids that are there twice" 0 "$(jq -r .id "$file" | sort | uniq -d | wc -l)"
}

# ledger_is NAME SENT: all of it was accepted or counted as lost, and delivered.
ledger_is() {
	local lost
	settle "$1"
	lost=$(jq '[(.lost, .shed)[]] | add' <<<"$LEDGER")
	echo "$1: sent $2, lost or shed $lost, processed $(counted processed)" >>"$SCRATCH/summary"
	same "$1: matched" "$2" "$(counted matched)"
	same "$1: emitted" $(($2 - lost)) "$(counted emitted)"
	same "$1: dead-lettered" 0 "$(counted dead_lettered)"
	same "$1: processed" $(($2 - lost)) "$(counted processed)"
	delivered "$1" "$(counted processed)"
}

# in_order NAME: the counts of each key from 1 on, one after the other.
in_order() {
	jq -r '"\(.key) \(.fields.count)"' "$CASE/$1.jsonl" | awk '
		$2 != last[$1] + 1 {print "key " $1 ": " $2 " after " last[$1]}
		{last[$1] = $2}' >"$CASE/wrong"
	[ ! -s "$CASE/wrong" ] || fail "$1: $(head -n 5 "$CASE/wrong")"
}

check_events() {
	end_sender witness
	ledger_is witness "$SENT"
	in_order witness
	end_sender meter
	ledger_is meter "$SENT"
	in_order meter
	ledger_is labour "$flooded"
	[ "$(jq '[.shed[]] | add' <<<"$LEDGER")" -gt 0 ] || fail "the floods were none"
	end_sender gate
	settle gate
	same "gate: matched" "$SENT" "$(counted matched)"
	check_trouble
	same "trouble: ids that are there twice" 0 "$(jq -r .id "$CASE/trouble.all" | sort | uniq -d | wc -l)"
}

check_figures() { # SECONDS
	mkdir -p "$BUILD/soak"
	{
		echo "seconds fault $(figure_names | xargs)"
		cat "$CASE/figures"
	} >"$BUILD/soak/figures"
	figures_compare "$CASE/figures" "$1" >>"$SCRATCH/summary" || fail "the figures cannot be compared"
	! grep -q ^grown "$SCRATCH/summary" || fail "$(grep -c ^grown "$SCRATCH/summary") figures grow"
	same "what lasts" "$(lasting "$CASE/first" "$(wc -l <"$CASE/first")" | xargs)" \
		"$(lasting "$CASE/figures" "$(wc -l <"$CASE/figures")" | xargs)"
}

check_nothing_left() {
	local name
	for name in witness meter labour trouble gate; do
		faas unload --purge "$name"
	done
	MACHINE_PARTS=$OURS machine_same "$SCRATCH/begin" "$CASE" || {
		fail "left behind:"
		cat "$CASE/differences"
	}
}

echo "# SEED=$SEED SOAK_MINUTES=$SOAK_MINUTES"
test_case "$SOAK_MINUTES minutes" soak
sed 's/^/# /' "$SCRATCH/summary" 2>/dev/null
tests_done
