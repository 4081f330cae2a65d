#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A few packets through everything that the kernel has a part in: both hooks, the
# handoff, the worker, the ledger. Short, for kernels that run in an emulator, where a
# compiler would take most of the time: the workflows are bundles, which are built
# before if BUILD/tests/bundles has them not.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

RECORDS=/var/tmp/ebpf-faas-kernel-test.jsonl

# bundle NAME WORKFLOW OPTION...: in $BUNDLE.
bundle() {
	local name=$1 workflow=$2
	shift 2
	BUNDLE=$BUILD/tests/bundles/$name
	[ -e "$BUNDLE/manifest.json" ] && [ "$BUNDLE" -nt "$FIXTURES/$workflow.yaml" ] &&
		[ "$BUNDLE" -nt "$FAAS" ] && return 0
	rm -rf "$BUNDLE"
	mkdir -p "${BUNDLE%/*}"
	faas build --output "$BUNDLE" "$FIXTURES/$workflow.yaml" "$@"
}

# By version 2 of control groups, which this may be the only system of the tests to have.
limited_by_groups() {
	local file
	grep -qsw cpu /sys/fs/cgroup/cgroup.controllers || return 0
	file=$(group_file meter cpu.max)
	same "its share of the processor" "90000 100000" "$(cat "$file")"
	same "its memory" $((32 << 20)) "$(cat "${file%/*}/memory.max")"
	same "who is in the group" "$(worker_pid)" "$(cat "${file%/*}/cgroup.procs")"
	fails 0 faas status meter
	says "cgroup memory, cgroup cpu"
}

# Packets are counted, handed to a process whose limits are in force, and written down, each once.
on_xdp() {
	silent_network
	bundle meter-limited meter --set "sinks.records.file.path=$RECORDS" \
		--set workers.memory=32Mi --set workers.cpu=90%
	rm -f "$RECORDS"
	faas load --netns "$GATEWAY" "$BUNDLE"
	limited_by_groups
	inject --port 5005 --set udp4 --times 5
	settle meter
	same "matched" "$(sent matching)" "$(counted matched)"
	same "passed" "$(sent matching)" "$(counted passed)"
	same "emitted" "$(sent matching)" "$(counted emitted)"
	wait_for 10 lines_are "$RECORDS" "$(sent matching)" || true
	same "lines in the file" "$(sent matching)" "$(lines_of "$RECORDS")"
	rm -f "$RECORDS"
	fails 0 faas unload meter
	same "groups behind unload" "" "$(group_file meter '*')"
}

# A filter in the network stack.
on_tc() {
	silent_network
	bundle gate-tc gate --set triggers.in.packet.hook=tc-ingress
	faas load --netns "$GATEWAY" "$BUNDLE"
	inject --port 5005 --set udp4 --times 5
	settle gate
	same "matched" "$(sent matching)" "$(counted matched)"
	same "passed and dropped" "$(sent matching)" $(($(counted dropped) + $(counted passed)))
	fails 0 faas unload gate
}

test_case "every packet of XDP is counted, handed over and written down" on_xdp
test_case "every packet of TC is counted" on_tc
tests_done
