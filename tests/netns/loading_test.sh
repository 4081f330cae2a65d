#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Loading: what is refused, with which words, and that a refused load leaves the
# machine as it was.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# untouched STATUS COMMAND...: COMMAND fails with STATUS and leaves no trace.
untouched() {
	MACHINE_PARTS=$ROOM_PARTS machine_snapshot "$CASE/before"
	fails "$@"
	MACHINE_PARTS=$ROOM_PARTS machine_same "$CASE/before" "$CASE" || {
		fail "a failed load left a trace:"
		cat "$CASE/differences"
	}
}

second_of_a_name() {
	network
	load meter
	fails 1 load meter
	says 'meter'
	says 'loaded'
	traffic --to 10.77.0.1:5005 --count 50
	settle meter
	same "the first one goes on: matched" 50 "$(counted matched)"
}

same_port_of_another() {
	network
	load meter
	fails 1 faas load --netns "$GATEWAY" "$FIXTURES/gate.yaml"
	says '5005'
	says 'meter'
	traffic --to 10.77.0.1:5005 --count 50
	settle meter
	same "the first one goes on: matched" 50 "$(counted matched)"
}

two_on_one_interface() {
	network
	load meter --set 'triggers.in.packet.match.port=[53]'
	faas load --netns "$GATEWAY" "$FIXTURES/gate.yaml"
	traffic --to 10.77.0.1:5005 --count 30
	traffic --to 10.77.0.1:53 --count 20
	settle meter
	same "matched by meter" 20 "$(counted matched)"
	settle gate
	same "matched by gate" 30 "$(counted matched)"
	faas unload gate
	traffic --to 10.77.0.1:53 --count 20
	settle meter
	same "matched by meter after gate went" 40 "$(counted matched)"
}

# The program of somebody else stays; the message names it.
held_interface() {
	network
	attach_pass "$GATEWAY" gw0
	untouched 1 load meter
	says "gw0"
	says "\b$PROGRAM\b"
	says "pass_all"
	same "the other program stays" "$PROGRAM" "$(xdp_program "$GATEWAY" gw0)"
}

no_such_interface() {
	network
	untouched 5 load meter --set 'triggers.in.packet.interfaces=[nothere0]'
	says nothere0
}

# The first interface is there, the second is not: the first is given back.
half_of_the_interfaces() {
	network
	untouched 5 load meter --set 'triggers.in.packet.interfaces=[gw0, nothere0]'
	says nothere0
	same "programs on gw0" null "$(xdp_program "$GATEWAY" gw0)"
}

no_such_namespace() {
	untouched 5 faas load --netns ef_nothere "$FIXTURES/gate.yaml"
	says ef_nothere
}

no_such_directory() {
	network
	untouched 1 load meter --set "sinks.records.file.path=$CASE/nothere/records.jsonl"
	says nothere
}

# Function, source file and exact line.
verifier_refuses() {
	local line log
	network
	line=$(grep -n 'WRONG LINE' "$FIXTURES/funcs/outside/outside.bpf.c" | cut -d: -f1)
	untouched 3 faas load --netns "$GATEWAY" "$FIXTURES/outside.yaml"
	says "outside\.bpf\.c:$line\b"
	says 'wrong'
	says 'invalid access to map value|R[0-9] (unbounded|min value|max value)'
	log=$(grep -oE '/[^ ;:,]*\.log' "$CASE/output" | head -n 1)
	[ -s "$log" ] || fail "the full log of the verifier is not at \"$log\""
	[ -z "$log" ] || rm -f "$log"
}

two_loads_at_once() {
	local one=0 two=0
	network
	load meter --set 'triggers.in.packet.match.port=[53]' >"$CASE/one" 2>&1 &
	pids=$!
	faas load --netns "$GATEWAY" "$FIXTURES/gate.yaml" >"$CASE/two" 2>&1 || two=$?
	wait "$pids" || one=$?
	cat "$CASE/one" "$CASE/two"
	same "status of the first" 0 "$one"
	same "status of the second" 0 "$two"
	traffic --to 10.77.0.1:5005 --count 30
	traffic --to 10.77.0.1:53 --count 20
	settle meter
	same "matched by meter" 20 "$(counted matched)"
	settle gate
	same "matched by gate" 30 "$(counted matched)"
}

# Four at once of the same name: one is loaded, three are refused.
same_load_at_once() {
	local number pids=() good=0 pid
	network
	for number in 1 2 3 4; do
		load meter >"$CASE/load$number" 2>&1 &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		if wait "$pid"; then
			good=$((good + 1))
		fi
	done
	cat "$CASE"/load[1-4]
	same "loads that succeeded" 1 "$good"
	traffic --to 10.77.0.1:5005 --count 30
	settle meter
	same "matched" 30 "$(counted matched)"
}

overrides() {
	network
	load meter --set 'triggers.in.packet.match.port=[7000]' --set 'triggers.in.mode=take'
	traffic --to 10.77.0.1:7000 --count 30
	traffic --to 10.77.0.1:5005 --count 30
	settle meter
	same "matched" 30 "$(counted matched)"
	same "dropped" 30 "$(counted dropped)"
}

override_of_nothing() {
	network
	untouched 2 load meter --set 'triggers.inn.packet.mode=take'
	says 'inn'
}

# A bundle loads on its own: neither the workflow's file nor its functions are near.
bundle_loads() {
	network
	faas build --set "sinks.records.file.path=$CASE/records.jsonl" --output "$CASE/made" "$FIXTURES/meter.yaml"
	cp -a "$CASE/made" "$CASE/copy"
	rm -rf "$CASE/made"
	faas load --netns "$GATEWAY" "$CASE/copy"
	traffic --to 10.77.0.1:5005 --count 40 --keys 4
	settle meter
	same "processed" 40 "$(counted processed)"
	wait_for 10 lines_are "$CASE/records.jsonl" 40 || true
	same "lines in the file" 40 "$(lines_of "$CASE/records.jsonl")"
}

bundle_tampered() {
	local file
	network
	faas build --output "$CASE/made" "$FIXTURES/meter.yaml"
	for file in kernel.bpf.o user/total.so; do
		rm -rf "$CASE/copy"
		cp -a "$CASE/made" "$CASE/copy"
		# One bit of the last byte.
		printf "\\x$(printf %02x $(($(tail -c 1 "$CASE/copy/$file" | od -An -tu1) ^ 1)))" |
			dd of="$CASE/copy/$file" bs=1 seek=$(($(stat -c %s "$CASE/copy/$file") - 1)) \
				conv=notrunc status=none
		untouched 3 faas load --netns "$GATEWAY" "$CASE/copy"
		says "${file//./\\.}"
	done
	rm -rf "$CASE/copy"
	cp -a "$CASE/made" "$CASE/copy"
	echo more >"$CASE/copy/user/more.so"
	untouched 3 faas load --netns "$GATEWAY" "$CASE/copy"
	says 'more\.so'
	rm "$CASE/copy/user/more.so" "$CASE/copy/kernel.bpf.o"
	untouched 3 faas load --netns "$GATEWAY" "$CASE/copy"
	says 'kernel\.bpf\.o'
}

# A manifest is a file that anybody may edit; what the kernel object does not have is
# refused, not counted as lost.
bundle_edited() {
	local edit
	network
	faas build --output "$CASE/made" "$FIXTURES/gate.yaml"
	for edit in '.triggers[0].hook = "tc-ingress"' \
		'.kernel += [.kernel[0] | .instance = "more" | .outputs |= map(.targets = [] | .origin += 10)]'; do
		cp -a "$CASE/made" "$CASE/copy"
		jq "$edit" "$CASE/made/manifest.json" >"$CASE/copy/manifest.json"
		untouched 3 faas load --netns "$GATEWAY" "$CASE/copy"
		says 'kernel object (has no program|does not have the 2 functions)'
		rm -rf "$CASE/copy"
	done
}

test_case "a second load of a name is refused, the first goes on" second_of_a_name
test_case "a port that another workflow has is refused" same_port_of_another
test_case "two workflows on one interface" two_on_one_interface
test_case "an interface that another program holds is refused, with its id and name" held_interface
test_case "an interface that does not exist leaves no trace" no_such_interface
test_case "one interface of two does not exist: no trace" half_of_the_interfaces
test_case "a namespace that does not exist leaves no trace" no_such_namespace
test_case "a sink's directory that does not exist leaves no trace" no_such_directory
test_case "a verifier error names function, file and line, and leaves no trace" verifier_refuses
test_case "two loads at once" two_loads_at_once
test_case "the same load four times at once: one wins" same_load_at_once
test_case "--set replaces values" overrides
test_case "--set of a path that is not there is refused" override_of_nothing
test_case "a bundle loads from a copy" bundle_loads
test_case "a bundle that was changed is refused" bundle_tampered
test_case "a manifest that was edited and says more than there is" bundle_edited
tests_done
