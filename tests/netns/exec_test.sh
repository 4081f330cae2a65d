#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Functions that are programs: each event once, whoever dies; one that misbehaves is
# replaced, the event put aside, and nothing else is lost.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# say WORD: one packet with that payload, of a key that no other one has.
say() {
	SAID=$((${SAID:-50000} + 1))
	in_netns "$PLANT" python3 -c '
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.bind(("10.77.0.2", int(sys.argv[1])))
sender.sendto(sys.argv[2].encode(), ("10.77.0.1", 5005))' "$SAID" "$1"
}
some() { traffic --to 10.77.0.1:5005 --count 400 --keys 10 --first-port 40000; }
# By the first user id of programs; the room has no others of them.
program_pid() {
	grep -s '^Uid:' /proc/[0-9]*/status | awk -F '[/:\t]+' '$6 >= 2000065536 {print $3}'
}

python() {
	network
	load program --set workers.instances.min=1
	some
	settle program
	same "processed" 400 "$(counted processed)"
	exactly_once 10 40
	same "programs" 1 "$(program_pid | wc -l)"
	faas status program
	faas unload program
	same "programs after the unload" "" "$(program_pid)"
}

javascript() {
	command -v node >/dev/null || skip "node is not installed"
	network
	load program --set 'functions.total.exec=[node, count.js]' --set workers.memory=256Mi
	some
	say error
	settle program
	same "put aside" 1 "$(counted dead_lettered)"
	exactly_once 10 40
	faas unload --purge program
}

# The program with timers; and a round of events, one for each of ten keys.
timed() { load timed --set workers.instances.min=1 "$@"; }
a_round() { traffic --to 10.77.0.1:5005 --count 10 --keys 10 --first-port 40000; }
timers_are() { [ "$(timers)" = "{\"processed\":$1,\"dead_lettered\":$2}" ]; }
timers() { ledger timed | jq -c .timers; }
# How many timers there are, and whether each has more than 23 hours left, and no more than 24.
timers_left() {
	faas state list timed watch --json |
		jq -c '.entries | map(.timer_ns) | [length, min > 82800e9 and max <= 86400e9]'
}

# Each key once for each of its events, with the parameters that the workflow gives.
timers_in() { # PROGRAM...
	local round
	network
	timed --set "functions.watch.exec=[$1, $2]" --set functions.watch.params.factor=2.5
	for round in 1 2; do
		a_round
		wait_for 20 timers_are $((10 * round)) 0 || fail "timers: $(timers)"
	done
	settle timed
	exactly_once 10 2
	same "what it makes of a number" '[[1,2.5],[2,5]]' \
		"$(jq -c '[.fields.count, .fields.scaled]' "$CASE/records.jsonl" | sort -u | jq -sc .)"
	same "a number of 64 bits" 20 "$(grep -c '"least":18446744073709551615' "$CASE/records.jsonl")"
	say never
	settle timed
	same "one that is not armed" null \
		"$(faas state list timed watch --json | jq -c '[.entries[] | select(.key | tonumber < 40000 or tonumber > 40009)][0].timer_ns')"
	faas unload timed
}
timers_in_python() { timers_in python3 watch.py; }
timers_in_javascript() {
	command -v node >/dev/null || skip "node is not installed"
	timers_in node watch.js
}

# Timers stand with the states: who armed them may be killed, and an update gives the next
# program other parameters.
timers_stay() {
	network
	timed --set functions.watch.params.silence=24h
	a_round
	settle timed
	same "timers" '[10,true]' "$(timers_left)"
	wait_for 20 kill_those program_pid
	wait_for 20 is_replaced "$KILLED"
	wait_for 20 kill_those worker_of_all timed
	wait_for 20 is_gone "$KILLED"
	wait_for 20 program_is_there timed
	same "timers behind that" '[10,true]' "$(timers_left)"
	same "timers that were run" '{"processed":0,"dead_lettered":0}' "$(timers)"
	faas update --set "sinks.records.file.path=$CASE/records.jsonl" \
		--set triggers.sweep.timer.every=200ms "$FIXTURES/timed.yaml"
	a_round
	wait_for 20 keys_told_are silent 10 || fail "not each key was silent"
	wait_for 20 keys_told_are swept 10 || fail "the trigger of time did not come to each key"
	same "events of each key" 2 "$(jq '.fields.count // empty' "$CASE/records.jsonl" | sort -u)"
	faas unload timed
}
keys_told_are() { # OUTPUT COUNT
	[ "$(jq -r "select(.output == \"$1\") | .key" "$CASE/records.jsonl" | sort -u | wc -l)" = "$2" ]
}

# A timer that fails, or kills its program, is put aside; its key and the others go on.
timers_misbehave() {
	network
	timed
	say raise
	say exit
	a_round
	wait_for 20 timers_are 10 2 || fail "timers: $(timers)"
	settle timed
	exactly_once 10 1
	same "deaths" 2 "$(grep -c 'event=worker.died' /run/ebpf-faas/runtime.log)"
	grep -q 'ValueError: as it was told' /run/ebpf-faas/runtime.log || fail "no traceback in the log"
	a_round
	wait_for 20 timers_are 20 2 || fail "timers: $(timers)"
	settle timed
	exactly_once 10 2
	faas unload --purge timed
}

# Whatever it does, it costs the event that it does it with, and none besides.
misbehaves() {
	local word words=(exit close garbage often memory 'spin!')
	network
	load program --set retry.attempts=1 --set functions.total.timeout=1s
	some
	for word in "${words[@]}"; do say "$word"; done
	say error
	say flood
	some
	settle program
	same "put aside" $((${#words[@]} + 1)) "$(counted dead_lettered)"
	same "processed" 801 "$(counted processed)"
	wait_for 10 lines_are "$CASE/records.jsonl" 801
	jq -c 'select(.key | tonumber < 40000 or tonumber > 40009)' "$CASE/records.jsonl" >"$CASE/flood"
	same "results besides" 1 "$(lines_of "$CASE/flood")"
	grep -vxFf "$CASE/flood" "$CASE/records.jsonl" >"$CASE/rest"
	mv "$CASE/rest" "$CASE/records.jsonl"
	exactly_once 10 80
	# Some of them twice: together with others, and alone.
	[ "$(faas status --json program | jq .worker.restarts)" -ge ${#words[@]} ] || fail "too few deaths"
	for word in 'exited with status 7' 'the program of total ended' 'longer than an answer' \
		'more than it was asked for' 'more memory than' 'was over its time'; do
		grep -q "event=worker.died.*$word" /run/ebpf-faas/runtime.log ||
			fail "the runtime's log does not say \"$word\""
	done
	grep -q 'ValueError: as it was told' /run/ebpf-faas/runtime.log || fail "no traceback in the log"
	grep -c 'a line of it' /run/ebpf-faas/runtime.log | tee "$CASE/output"
	[ "$(cat "$CASE/output")" -lt 2000 ] || fail "the log was flooded"
	faas unload --purge program
}

# Either of the two is killed, or who holds their namespaces, at work and at rest: each event
# counts once.
killed() {
	local i
	network
	load program --set workers.queue=65536 --set workers.instances.min=1
	start_in_netns "$PLANT" "$TEST_LIB/traffic" --to 10.77.0.1:5005 --count 20000 --keys 10 \
		--first-port 40000 --rate 4000 >"$CASE/sent" 2>&1
	echo "$STARTED" >>"$CASE/pids"
	for ((i = 0; i < 8; i++)); do
		case $((i % 3)) in
		0) wait_for 10 kill_those program_pid ;;
		1) wait_for 10 kill_those worker_of_all ;;
		2) wait_for 10 kill_those holder_pid ;;
		esac
		wait_for 20 is_gone "$KILLED"
		wait_for 10 program_is_there
	done
	wait "$STARTED"
	wait_for 60 ledger_at_rest program
	settle program
	same "processed" 20000 "$(counted processed)"
	wait_for 10 kill_those program_pid
	wait_for 20 is_replaced "$KILLED"
	some
	settle program
	same "processed" 20400 "$(counted processed)"
	same "put aside" 0 "$(counted dead_lettered)"
	exactly_once 10 2040
	same "programs" 1 "$(program_pid | wc -l)"
	faas unload program
	same "programs after the unload" "" "$(program_pid)"
}
holder_pid() { faas_processes | awk '$2 ~ /^ebpf-faas-holde/ {print $1}'; }
program_is_there() { [ -n "$(program_pid)" ] && [ -n "$(worker_of_all "$@")" ]; }
is_gone() { ! kill -0 "$1" 2>/dev/null; }
is_replaced() { [ -n "$(program_pid)" ] && [ "$(program_pid)" != "$1" ]; }
worker_of_all() { faas status --json "${1:-program}" | jq '.worker.pid // empty | select(. > 0)'; }

# On the disk likewise; and what is in memory may go as well, runtime and courier with it.
durable() {
	local i
	network
	load_durable
	start_in_netns "$PLANT" "$TEST_LIB/traffic" --to 10.77.0.1:5005 --count 6000 --keys 10 \
		--first-port 40000 --rate 3000 >"$CASE/sent" 2>&1
	echo "$STARTED" >>"$CASE/pids"
	for ((i = 0; i < 4; i++)); do
		if [ $((i % 2)) = 0 ]; then
			wait_for 10 kill_those program_pid
		else
			wait_for 10 kill_those worker_of_all
		fi
		wait_for 20 is_gone "$KILLED"
		wait_for 10 program_is_there
	done
	wait "$STARTED"
	wait_for 60 ledger_at_rest program
	settle program
	same "processed" 6000 "$(counted processed)"
	same "put aside" 0 "$(counted dead_lettered)"
	exactly_once 10 600
	all_die
	wait_for 10 no_program
	rm -rf /run/ebpf-faas/workflows/program
	faas unload --now program || true
	load_durable
	traffic --to 10.77.0.1:5005 --count 400 --keys 10 --first-port 40000
	settle program
	# Some lines may be there twice; no count is missing, and none is too high.
	wait_for 20 different_counts_are 6400 || true
	same "different counts" 6400 "$(different_counts)"
	same "the highest" 640 "$(jq -s 'map(.fields.count) | max' "$CASE/records.jsonl")"
	faas unload --purge program
}
load_durable() {
	load program --set workers.queue=65536 --set workers.instances.min=1 \
		--set functions.total.state=durable --set storage.size=16Mi
}
no_program() { [ -z "$(program_pid)" ]; }

# Another program takes the state over, also with room for more keys; it is another file of
# the bundle, and a rollback brings the one before back.
updated() {
	mkdir "$CASE/programs"
	cp "$FIXTURES/program.yaml" "$CASE/"
	cp "$FIXTURES/programs/"count.* "$CASE/programs/"
	network
	load program
	some
	settle program
	sed -i 's/count=count/count=count if count <= 60 else 0/' "$CASE/programs/count.py"
	faas update --set "sinks.records.file.path=$CASE/records.jsonl" \
		--set functions.total.keys=32 "$CASE/program.yaml"
	some
	settle program
	wait_for 20 lines_are "$CASE/records.jsonl" 800 || true
	same "results of the new one" 200 "$(jq -c 'select(.fields.count == 0)' "$CASE/records.jsonl" | wc -l)"
	fails 1 faas update --set "sinks.records.file.path=$CASE/records.jsonl" \
		--set functions.total.keys=32 --set functions.total.state_version=2 "$CASE/program.yaml"
	says 'new version\); --reset-state total lets it begin anew'
	faas rollback program
	some
	settle program
	wait_for 20 lines_are "$CASE/records.jsonl" 1200 || true
	same "the last result" 10 "$(jq -c 'select(.fields.count == 120)' "$CASE/records.jsonl" | wc -l)"
	faas unload program
}

# The runtime is killed: no program stays without it, and the next one goes on.
runtime_killed() {
	local pid
	network
	load program
	some
	pid=$(program_pid)
	kill -KILL "$(runtime_pid)"
	wait_for 10 is_gone "$pid"
	faas gc
	some
	settle program
	exactly_once 10 80
	faas unload program
}

# The namespaces are the workers', and not the machine's; that of mounts is its own.
confined() {
	local pid kind
	network
	load program --set workers.instances.min=1
	pid=$(program_pid)
	for kind in user pid net ipc uts; do
		same "its namespace, $kind" "$(namespace "$(worker_of_all)" $kind)" "$(namespace "$pid" $kind)"
		[ "$(namespace "$pid" $kind)" != "$(namespace $$ $kind)" ] || fail "$kind: it is in the machine's"
	done
	[ "$(namespace "$pid" mnt)" != "$(namespace $$ mnt)" ] || fail "mnt: it is in the machine's"
	same "mounts that can be written to" "" "$(awk '$6 !~ /^ro,/' "/proc/$pid/mountinfo")"
	same "its network" "lo DOWN" "$(nsenter --net="/proc/$pid/ns/net" ip -o link |
		sed 's/^[0-9]*: \([^:]*\):.* state \([A-Z]*\) .*/\1 \2/')"
	same "its number and that in there" 2 "$(awk '/^NSpid/ {print NF - 1}' "/proc/$pid/status" | tail -n 1)"
	same "what it has open" 5 "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)"
	fails 0 faas status program
	says 'programs of its exec functions: limited by seccomp, landlock, rlimits.* namespaces user mount pid net ipc uts$'
	faas unload program
}
namespace() { readlink "/proc/$1/ns/$2"; }

# On a machine that gives none of these a program runs without, and that is said; but not
# without mounts of its own.
namespaces_refused() {
	network
	cannot user,pid,net,ipc,uts
	FAAS=$CASE/command load program
	fails 0 faas status program
	says 'programs of its exec functions: limited by .* namespaces mount$'
	some
	settle program
	exactly_once 10 40
	faas unload program
	same "programs after the unload" "" "$(program_pid)"
	wait_for 10 no_runtime
	cannot mnt
	FAAS=$CASE/command fails 1 load program
	says 'mounts of its own: Operation not permitted'
}
cannot() {
	printf '#!/bin/sh\nexec %s %s %s "$@"\n' "$TEST_LIB/refuse" "$1" "$FAAS" >"$CASE/command"
	chmod +x "$CASE/command"
}
no_runtime() { [ -z "$(runtime_pid)" ]; }

attacks() {
	local begin=30000 i
	network
	# One of them starts as many threads as it may.
	load attack --set "functions.attack.timeout=$(stretched 2)s"
	for ((i = 0; i < 2; i++)); do
		traffic --to 10.77.0.1:5005 --count 50 --keys 50 --first-port $begin
	done
	settle attack
	wait_for 10 refused_are 72 || true
	same "attacks" 41 "$(jq -s 'map(.fields.attacks // empty) | first' "$CASE/records.jsonl")"
	same "that are refused" 36 "$(jq -s 'map(.fields.errors // empty) | first' "$CASE/records.jsonl")"
	jq -c 'select(.fields.attack != null) | .fields | select(.should != .error)' "$CASE/records.jsonl" >"$CASE/wrong"
	same "with another error than there should be" "" "$(cat "$CASE/wrong")"
	same "refused" 72 "$(told_refused)"
	same "put aside" 10 "$(counted dead_lettered)"
	[ "$(grep -c 'worker.died.*no program may make' /run/ebpf-faas/runtime.log)" -ge 10 ] ||
		fail "the runtime's log does not say why it ended"
	faas unload --purge attack
}
told_refused() { jq -c 'select(.fields.attack != null)' "$CASE/records.jsonl" | wc -l; }
refused_are() { [ "$(told_refused)" = "$1" ]; }

# of_the_library VERB NAME SINK TRIGGER OPTION...: load or update the example of a program.
of_the_library() {
	local verb=$1 name=$2 sink=$3 trigger=$4 where=()
	shift 4
	[ "$verb" = update ] || where=(--netns "$GATEWAY")
	faas "$verb" "${where[@]}" --set "sinks.$sink.file.path=$CASE/records.jsonl" \
		--set "triggers.$trigger.packet.interfaces=[gw0]" "$@" "$TOP/funcs/$name/example.yaml"
}

# Twenty long names without a pattern, and ten that are long or have none.
tunnels() {
	network
	of_the_library load dns_tunnel alarms queries --set functions.tunnels.params.names=10
	in_netns "$PLANT" python3 -c '
import socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(10):
    for name in (b"k7d0x2qzv9m4h8s1w6b3n5c0f7g2j%03d" % i, b"a" * 40, b"k7d0x2q"):
        question = bytes([len(name)]) + name + bytes([0, 0, 1, 0, 1])
        sender.sendto(bytes(12) + question, ("10.77.0.1", 53))'
	settle dns-tunnels
	wait_for 20 lines_are "$CASE/records.jsonl" 1 || true
	same "records" '[[28,10,true]]' \
		"$(jq -c '[.fields.names, .fields.suspicious, .fields.bits > 3.5]' "$CASE/records.jsonl" | jq -sc .)"
	same "its count" '"1e0000000a000000"' "$(faas state list dns-tunnels tunnels --json | jq -c '.entries[0].value')"
	faas unload dns-tunnels
}

# One that moved, one that did not, one that did; then it is silent.
readings() {
	local word
	command -v node >/dev/null || skip "node is not installed"
	network
	of_the_library load json_reading archive readings
	for word in '{"temperature": 21.5}' '{"temperature": 21.75}' '{"temperature": 22}' none; do
		say "$word"
	done
	settle json-readings
	same "put aside" 1 "$(counted dead_lettered)"
	of_the_library update json_reading archive readings --set functions.temperature.params.silence=1s
	say '{"temperature": 22.25}'
	wait_for 20 lines_are "$CASE/records.jsonl" 3 || true
	same "records" '[["moved",21.5],["moved",22],["silent",22]]' \
		"$(jq -c '[.output, .fields.value]' "$CASE/records.jsonl" | jq -sc .)"
	faas unload --purge json-readings
}

# What cannot start is said at load, by name, and nothing is left.
refusals() {
	network
	fails 1 load program --set 'functions.total.exec=[pyton3, count.py]'
	says 'cannot start pyton3: No such file'
	fails 1 load program --set 'functions.total.exec=[python3, gone.py]'
	says 'ended or closed its standard output'
	fails 1 load program --set functions.total.root=/no/such
	says 'its root: No such file'
	fails 1 load program --set 'functions.total.exec=[/usr/bin/env]'
	says 'no HELLO|longer than an answer'
	fails 1 load timed --set functions.watch.params.factor=-1
	says 'watch: ValueError: factor is below 0'
	fails 1 load timed --set functions.watch.params.unit=kelvin
	says 'kelvin is not measured here'
	fails 3 load timed --set functions.watch.params.silence=1us
	says 'parameter .silence.: 1us is out of range; allowed is 1ms or more'
	fails 1 load program --set functions.total.timer=true
	says 'the workflow says .timer: true., and the program has no on_timer'
}

test_case "a program in Python counts each event once" python
test_case "a program in JavaScript does" javascript
test_case "timers and parameters of a program in Python" timers_in_python
test_case "and of one in JavaScript" timers_in_javascript
test_case "timers outlive program and worker, and an update" timers_stay
test_case "a timer that misbehaves is put aside" timers_misbehave
test_case "a program that misbehaves costs one event" misbehaves
test_case "killing program or worker loses and repeats nothing" killed
test_case "and with state on the disk" durable
test_case "killing the runtime leaves no program" runtime_killed
test_case "an update keeps the state" updated
test_case "a program is in the namespaces of workers" confined
test_case "on a machine that refuses namespaces" namespaces_refused
test_case "a program is refused what it may not" attacks
test_case "a program of the library finds tunnels in names" tunnels
test_case "and one takes numbers out of JSON, and tells of silence" readings
test_case "a program that does not start is said at load" refusals
tests_done
