#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# bypass and resume: packets pass at once, are counted, and the workflow stays. And gc:
# what nobody owns goes, and nothing else.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

make_bundle() { # NAME MIN MAX
	faas build --output "$SCRATCH/$1" "$FIXTURES/gate.yaml" --set "version=$1" \
		--set "functions.readings.params.min=$2" --set "functions.readings.params.max=$3" \
		>"$SCRATCH/$1.log" || die "$(cat "$SCRATCH/$1.log")"
}
make_bundle drops 4294967294 4294967295
make_bundle passes 0 4294967293

load_drops() { faas load --netns "$GATEWAY" "$SCRATCH/drops" "$@"; }
send() { traffic --to 10.77.0.1:5005 --count "$1"; }
verdicts() { # what the ledger says: dropped passed bypassed
	settle gate
	echo "$(counted dropped) $(counted passed) $(counted bypassed)"
}

bypassed() {
	network
	load_drops
	send 20
	same "dropped, passed, bypassed" "20 0 0" "$(verdicts)"
	fails 0 faas bypass gate
	send 30
	same "dropped, passed, bypassed" "20 30 30" "$(verdicts)"
	fails 0 faas status gate
	says 'bypassed: packets pass'
	same "list says so" true "$(faas list --json | jq '.[0].bypassed')"
	fails 0 faas bypass gate
	says 'nothing to do'
	fails 0 faas resume gate
	send 5
	same "dropped, passed, bypassed" "25 30 30" "$(verdicts)"
	fails 0 faas history gate
	says 'bypassed'
	says 'resumed'
}

# A version that does harm is bypassed, updated, resumed.
updated_meanwhile() {
	network
	load_drops
	faas bypass gate
	fails 0 faas update "$SCRATCH/passes"
	send 10
	same "dropped, passed, bypassed" "0 10 10" "$(verdicts)"
	fails 1 faas update --confirm 60s "$SCRATCH/drops"
	says 'bypassed'
	faas resume gate
	send 10
	same "dropped, passed, bypassed" "0 20 10" "$(verdicts)"
}

all_of_them() {
	network
	load_drops
	faas load --netns "$GATEWAY" "$FIXTURES/echo.yaml"
	fails 0 faas bypass --all
	same "bypassed" 2 "$(faas list --json | jq '[.[] | select(.bypassed)] | length')"
	send 10
	same "dropped, passed, bypassed" "0 10 10" "$(verdicts)"
	fails 0 faas resume --all
	same "bypassed" 0 "$(faas list --json | jq '[.[] | select(.bypassed)] | length')"
	fails 2 faas bypass
	fails 2 faas bypass --all gate
	fails 5 faas bypass nothing-here
	fails 0 faas bypass gate
	fails 0 faas unload gate
}

# On another hook it is another program.
on_tc() {
	network
	faas load --netns "$GATEWAY" "$FIXTURES/gate.yaml" --set triggers.in.packet.hook=tc-ingress \
		--set functions.readings.params.min=4294967294 --set functions.readings.params.max=4294967295
	send 10
	faas bypass gate
	send 20
	faas resume gate
	send 5
	same "dropped, passed, bypassed" "15 20 20" "$(verdicts)"
}

# left_behind: things as killed commands leave them.
left_behind() {
	local old
	mkdir -p "$PIN_ROOT/generations/gone/3" "$PIN_ROOT/generations/gate/7" /run/ebpf-faas/workflows/gone
	ln -s ../generations/gone/3 "$PIN_ROOT/workflows/gone"
	bash -c 'exit' & # its number is that of a dead process from now on
	wait "$!"
	old=/tmp/ebpf-faas-build-$!-tested
	mkdir "$old"
	touch -d '1 hour ago' "$old"
	GARBAGE="$PIN_ROOT/generations/gone $PIN_ROOT/generations/gate/7 $PIN_ROOT/workflows/gone
		/run/ebpf-faas/workflows/gone $old"
	mkdir -p "/tmp/ebpf-faas-build-$$-tested" # of this process, which lives
}

gc_takes_what_nobody_owns() {
	local path
	network
	load_drops
	machine_snapshot "$CASE/before"
	fails 0 faas gc
	says 'nothing to remove'
	same "lines: no runtime is missed" 1 "$(wc -l <"$CASE/output")"
	left_behind
	fails 0 faas gc --dry-run
	for path in $GARBAGE; do
		says "would remove $path\$"
		[ -e "$path" ] || [ -L "$path" ] || fail "--dry-run removed $path"
	done
	same "lines" 5 "$(wc -l <"$CASE/output")"
	fails 0 faas gc
	for path in $GARBAGE; do
		says "removed $path\$"
		[ ! -e "$path" ] && [ ! -L "$path" ] || fail "gc left $path"
	done
	same "lines" 5 "$(wc -l <"$CASE/output")"
	[ -d "/tmp/ebpf-faas-build-$$-tested" ] || fail "gc took the scratch of a living process"
	rmdir "/tmp/ebpf-faas-build-$$-tested"
	MACHINE_PARTS='pins run_files state_files' machine_same "$CASE/before" "$CASE" || {
		fail "gc changed what it should not:"
		cat "$CASE/differences"
	}
	send 10
	same "dropped, passed, bypassed" "10 0 0" "$(verdicts)"
}

# A root program whose interface went stays in bpffs until its workflow goes, or gc comes.
gc_of_a_gone_interface() {
	network
	load_drops
	faas load --netns "$GATEWAY" "$FIXTURES/echo.yaml" --set 'triggers.in.packet.interfaces=[lo]' || true
	in_netns "$GATEWAY" ip link delete gw0
	fails 0 faas gc --json
	jq -e '.removed | length == 1 and (.[0] | endswith("/xdp"))' "$CASE/output" >/dev/null ||
		fail "not the root program alone"
	fails 0 faas unload gate
}

purge() {
	network
	load_drops
	echo '{}' >/var/lib/ebpf-faas/workflows/gate/dead-letters.jsonl
	fails 0 faas unload gate
	says 'dead letters are kept'
	fails 5 faas unload gate
	fails 0 faas unload --purge gate
	[ ! -e /var/lib/ebpf-faas/workflows/gate ] || fail "letters stay"
	fails 5 faas unload --purge ../../ebpf-faas
	load_drops
	echo '{}' >/var/lib/ebpf-faas/workflows/gate/dead-letters.jsonl
	fails 0 faas unload --purge gate
	[ ! -e /var/lib/ebpf-faas/workflows/gate ] || fail "letters stay"
}

test_case "bypassed, and resumed" bypassed
test_case "updated while bypassed" updated_meanwhile
test_case "all of them" all_of_them
test_case "on a TC hook" on_tc
test_case "gc takes what nobody owns" gc_takes_what_nobody_owns
test_case "gc of an interface that went" gc_of_a_gone_interface
test_case "unload --purge" purge
tests_done
