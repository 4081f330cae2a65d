#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Functions that are programs: each event once, whoever dies; one that misbehaves is
# replaced, the event put aside, and nothing else is lost.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# say WORD: one packet with that payload.
# shellcheck disable=SC2016  # is for the inner shell
say() { in_netns "$PLANT" bash -c 'printf %s "$1" >/dev/udp/10.77.0.1/5005' say "$1"; }
some() { traffic --to 10.77.0.1:5005 --count 400 --keys 10 --first-port 40000; }
# By the first user id of programs; the room has no others of them.
program_pid() { ps -eo pid=,uid= | awk '$2 >= 2000065536 {print $1}'; }

python() {
	network
	load program
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

test_case "a program in Python counts each event once" python
test_case "a program in JavaScript does" javascript
tests_done
