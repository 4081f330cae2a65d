#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The namespaces that workers are in: what there is in them, and that holder, template and
# runtime may be killed at any time.
# shellcheck source=../netns/lib.sh
. "$(dirname "$(readlink -f "$0")")/../netns/lib.sh"

EVENTS=${EVENTS:-12000}
KEYS=100
KINDS='user mnt pid net ipc uts'

holder_pid() { faas_processes | awk '$2 ~ /^ebpf-faas-holde/ {print $1}'; }
template_pid() { faas_processes | awk '$2 ~ /^ebpf-faas-templ/ {print $1}'; }
spare_pid() { faas_processes | awk '$2 ~ /^ebpf-faas-spare/ {print $1}'; }
has_spare() { [ -n "$(spare_pid)" ]; }
namespace() { readlink "/proc/$1/ns/$2"; }
has_worker() { [ -n "$(worker_pid)" ]; }
log_says() { grep -q "$1" /run/ebpf-faas/runtime.log; }

# Other namespaces than the machine's, and nothing in them.
is_empty_in_there() {
	local pid kind slice
	load witness --set workers.instances.min=1
	pid=$(worker_pid)
	for kind in $KINDS; do
		if [ "$(namespace "$pid" "$kind")" = "$(namespace $$ "$kind")" ]; then
			fail "$kind: the worker is in the machine's"
		fi
	done
	same "its root directory" proc "$(ls -A "/proc/$pid/root")"
	same "mounts" "/ /proc" "$(awk '{print $5}' "/proc/$pid/mountinfo" | xargs)"
	same "mounts that can be written to" "" "$(awk '$6 !~ /^ro,/' "/proc/$pid/mountinfo")"
	same "its network" "lo DOWN" "$(nsenter --net="/proc/$pid/ns/net" ip -o link |
		sed 's/^[0-9]*: \([^:]*\):.* state \([A-Z]*\) .*/\1 \2/')"
	same "abstract sockets" 1 "$(nsenter --net="/proc/$pid/ns/net" cat /proc/net/unix | wc -l)"
	# Who is woken does not wait for long, where the kernel keeps what is asked for.
	slice=$("$TEST_LIB/slice" "$pid")
	[ "$slice" = none ] || same "its slice of a processor, ns" 100000 "$slice"
	same "its hostname" worker "$(nsenter --uts="/proc/$pid/ns/uts" hostname)"
	same "users, from where on" "1999999999 2000065536" "$(awk '{print $1}' "/proc/$pid/uid_map" | xargs)"
	same "whose capabilities" 0000000000000000 "$(awk '/CapBnd/ {print $2}' "/proc/$pid/status")"
	fails 0 faas status witness
	says 'limited by .*namespaces user mount pid net ipc uts;'
	# Numbers in there are others: that of the first process is the holder's.
	same "the holder, in there" 1 "$(awk '/^NSpid/ {print $NF}' "/proc/$(holder_pid)/status")"
	faas unload witness
	same "what is left of it" "" "$(holder_pid)$(template_pid)$(spare_pid)$(worker_pid)"
}

what_is_in_it() {
	network
	is_empty_in_there
}

# In a chroot: whoever enters a namespace of mounts begins at its root, which is then not ours.
in_a_chroot() {
	network
	mount --rbind / /mnt
	mount --make-rprivate /mnt
	printf '#!/bin/sh\nexec chroot /mnt %s "$@"\n' "$FAAS" >"$CASE/command"
	chmod +x "$CASE/command"
	FAAS=$CASE/command
	BUILD=/mnt$BUILD
	is_empty_in_there
	wait_for 10 no_runtime || fail "the runtime is still there"
	umount --lazy /mnt
}

# kill_it WHAT: it, or a few at once, and then there is a worker again.
kill_it() {
	local what pid pids=""
	for what; do
		pids+=" $("${what}_pid")"
	done
	echo "killed: $*$pids"
	# shellcheck disable=SC2086
	kill -KILL $pids 2>/dev/null || fail "there is no $*"
	for pid in $pids; do
		wait_for 20 process_gone "$pid" || fail "process $pid is still there"
	done
	if [[ " $* " == *" runtime "* ]]; then
		wait_for 10 no_worker || fail "a worker is left behind"
		faas gc >/dev/null
	fi
	wait_for 20 is_whole || fail "not whole again after $*"
}
# The next worker is the process that waited for it.
becomes_worker() {
	local spare
	wait_for 20 has_both || fail "there is no spare beside a worker"
	spare=$(spare_pid)
	kill_it worker
	wait_for 20 worker_is "$spare" || fail "the next worker is $(worker_pid), the spare was $spare"
}
# While the worker is the one that the runtime speaks of, the spare has not become one.
has_both() { worker_is "$(faas status --json witness | jq .worker.pid)" && has_spare; }
worker_is() { [ "$(worker_pid)" = "$1" ]; }
no_worker() { [ -z "$(worker_pid)$(holder_pid)$(template_pid)$(spare_pid)" ]; }
is_whole() {
	[ -n "$(worker_pid)" ] && [ -n "$(holder_pid)" ] && [ -n "$(template_pid)" ] &&
		faas status witness | grep -q 'namespaces user mount pid net ipc uts;'
}

killed() {
	local sender
	network
	load witness --set workers.instances.min=1
	start_in_netns "$PLANT" "$TEST_LIB/traffic" --to 10.77.0.1:5005 --count "$EVENTS" \
		--keys $KEYS --rate 1000 >"$CASE/sent"
	sender=$STARTED
	echo "$sender" >>"$CASE/pids"
	kill_it holder
	kill_it template
	kill_it worker
	kill_it holder template
	kill_it template worker
	wait_for 20 has_spare || fail "there is no spare"
	kill_it spare
	kill_it worker
	becomes_worker
	wait_for 20 has_spare || fail "there is no spare"
	kill_it spare worker
	kill_it runtime
	kill_it runtime holder
	wait "$sender" || fail "the sender: $(cat "$CASE/sent")"
	settle witness
	same "matched" "$EVENTS" "$(counted matched)"
	same "processed" "$EVENTS" "$(counted processed)"
	exactly_once $KEYS $((EVENTS / KEYS))
	faas unload witness
	same "what is left" "" "$(holder_pid)$(template_pid)$(spare_pid)$(worker_pid)"
}

# refused KIND,...: on a machine that gives no namespaces of these kinds workers run without,
# and that is said.
refused() { # KINDS NAMESPACES MISSING
	echo "refused: $1"
	printf '#!/bin/sh\nexec %s %s %s "$@"\n' "$TEST_LIB/refuse" "$1" "$FAAS" >"$CASE/command"
	chmod +x "$CASE/command"
	: >"$CASE/records.jsonl"
	FAAS=$CASE/command load witness
	same "what has namespaces" "$2" "$(faas status --json witness |
		jq -r '.worker.limits | capture("namespaces (?<all>.*)").all // ""')"
	log_says "event=cell.incomplete.*namespaces=\"$3\" error=\"Operation not permitted\"" ||
		fail "the runtime's log does not say what is missing"
	traffic --to 10.77.0.1:5005 --count 400 --keys 10 --first-port 40000
	settle witness
	exactly_once 10 40
	faas unload --purge witness
	wait_for 10 no_runtime
	same "what is left" "" "$(holder_pid)$(template_pid)$(spare_pid)$(worker_pid)"
}
no_runtime() { [ -z "$(runtime_pid)" ]; }

are_refused() {
	network
	refused user 'mount pid net ipc uts' user
	refused pid,net 'user mount ipc uts' 'pid net'
	refused user,mnt,pid,net,ipc,uts '' 'user mount pid net ipc uts'
}

test_case "what there is in the namespaces of workers" what_is_in_it
test_case "what there is in them in a chroot" in_a_chroot
test_case "holder, template, spare, worker and runtime are killed under traffic" killed
test_case "a machine that refuses namespaces" are_refused
tests_done
