#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The power goes, with durable state and under load. A gateway in namespaces of its own
# has its files on a disk of its own; while events come, its worker and courier are
# stopped at a random moment, and the disk is copied as it is, without what the kernel has
# not written to it. What was on its way then is either not there, for the disk took
# nothing more for some time before, or there with some sectors torn. A gateway of another boot begins from the copy, is killed while it does, begins again,
# and must have the state of the first so many events, no fewer than were acknowledged,
# and the outputs of all of them. POWER_CUTS times (20; `make storm`: 200); random
# moments come from SEED, which is printed.
# shellcheck source=../netns/lib.sh
. "$(dirname "$(readlink -f "$0")")/../netns/lib.sh"

SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
POWER_CUTS=${POWER_CUTS:-20}
# Each round of so many begins with an empty disk: it and the files on it stay small.
ROUND_CUTS=20
# A sender's datagrams go through the keys in turns: the first so many events of all
# are so many of each key, and one more of the first ones.
KEYS=100
FIRST_PORT=20000
BURST=6000
RATE=40000
KILLS_MAX=2 # of a gateway that begins again
DISK_MIB=96
FROZEN_S=60
HOME_DIRECTORY=/var/lib/ebpf-faas
RECORDS=$HOME_DIRECTORY/records.jsonl

# ---- a gateway that can be switched off ------------------------------------------

# In its namespaces. Commits of the file system's own are minutes away: on its disk is
# what was asked for, and nothing else.
set_up_gateway() { # DISK READY
	set -eu
	mount --make-rprivate /
	mount -t tmpfs ef_gateway /run
	mount -t tmpfs ef_gateway /var/lib
	mkdir -p /run/lock /run/netns "$HOME_DIRECTORY"
	mount -t bpf bpf /sys/fs/bpf
	if [ -d "$1" ]; then
		mount --bind "$1" "$HOME_DIRECTORY"
	else
		mount -o loop,noatime,commit=600 "$1" "$HOME_DIRECTORY"
	fi
	cat /proc/sys/kernel/random/uuid >/run/boot_id
	mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
	ip link set lo up
	ip netns add plant
	ip link add gw0 type veth peer name plant0 netns plant
	ip address add 10.77.0.1/24 dev gw0
	ip link set gw0 up
	in_netns plant ip address add 10.77.0.2/24 dev plant0
	in_netns plant ip link set plant0 up
	: >"$2"
	exec sleep infinity
}
export -f set_up_gateway in_netns
export HOME_DIRECTORY

# begin_gateway NAME DISK: with mounts, network and processes of its own. It ends, and
# all that is in it, with its first process, whose PID is in GATEWAYS.
declare -A GATEWAYS UNSHARES
begin_gateway() {
	local ready=$CASE/$1.ready
	rm -f "$ready"
	unshare --mount --net --pid --fork --kill-child --mount-proc \
		bash -c 'set_up_gateway "$@"' gateway "$2" "$ready" >"$CASE/$1.log" 2>&1 9<&- &
	UNSHARES[$1]=$!
	echo "$!" >>"$CASE/pids"
	wait_for 10 test -e "$ready" || {
		cat "$CASE/$1.log"
		return 1
	}
	GATEWAYS[$1]=$(tr -d ' ' <"/proc/${UNSHARES[$1]}/task/${UNSHARES[$1]}/children")
	group_of "/proc/${GATEWAYS[$1]}/root/run" >>"$SCRATCH/groups"
}

# A runtime that was killed leaves its control groups, which have their name from its /run.
remove_groups() {
	local group
	while read -r group; do
		find /sys/fs/cgroup -depth -type d \( -name "$group" -o -path "*/$group/*" \) \
			-exec rmdir {} \; 2>/dev/null
	done <"$SCRATCH/groups"
}
: >"$SCRATCH/groups"
trap 'remove_groups; remove_directory "$SCRATCH"' EXIT

end_gateway() { # NAME
	kill -KILL "${GATEWAYS[$1]}"
	wait "${UNSHARES[$1]}" || true
	sed -i "/^${UNSHARES[$1]}\$/d" "$CASE/pids"
}

in_gateway() { # NAME COMMAND...
	local pid=${GATEWAYS[$1]}
	shift
	nsenter --target "$pid" --mount --root --net --pid -- "$@" 9<&-
}

# Its worker stays: one that is idle is no process that could be stopped.
load_durable() { # GATEWAY
	in_gateway "$1" "$FAAS" load --set functions.total.state=durable \
		--set workers.instances.min=1 \
		--set functions.total.keys=256 --set storage.size=16Mi \
		--set "sinks.records.file.path=$RECORDS" "$FIXTURES/witness.yaml"
}

send() { # GATEWAY COUNT
	in_gateway "$1" nsenter --net=/run/netns/plant "$TEST_LIB/traffic" --to 10.77.0.1:5005 \
		--keys $KEYS --first-port $FIRST_PORT --count "$2" --rate $RATE >"$CASE/sent"
}

status_of() { in_gateway "$1" "$FAAS" status --json witness >"$CASE/status"; }
get() { jq -r ".$1" "$CASE/status"; }

# Nothing is on its way, and the sink has all. What it says is in $CASE/status.
is_at_rest() { # GATEWAY
	status_of "$1" && jq -e '.ledger.in_flight == 0 and .ledger.in_kernel == 0 and
		.ledger.emitted == .ledger.processed + .ledger.dead_lettered and
		.worker.undelivered_bytes == 0' "$CASE/status"
}
come_to_rest() { # GATEWAY
	wait_for 15 is_at_rest "$1" || fail "the gateway does not come to rest: $(cat "$CASE/status")"
	same "what is wrong with the ledger" "" "$(ledger_balance "$(jq -c .ledger "$CASE/status")")"
}

# ---- its disk ----------------------------------------------------------------------

# A file in a file system of its own: with that frozen, the disk takes no write. On a
# machine without loop devices it is a directory: what nobody asked to be written
# survives there, too.
make_disk() {
	local under=$CASE/under
	mkdir "$under"
	DISK=$under/disk
	if ! losetup --find >/dev/null 2>&1; then
		echo "no loop device: the disk is a directory"
		mkdir "$DISK"
		return
	fi
	truncate -s "$((2 * DISK_MIB))M" "$CASE/under.image"
	mkfs.ext4 -q -F "$CASE/under.image"
	mount -o loop "$CASE/under.image" "$under"
	echo "$under" >>"$CASE/mounts"
	trap thaw EXIT
	truncate -s "${DISK_MIB}M" "$DISK"
	mkfs.ext4 -q -F "$DISK"
	# Blocks that it has need no journal that waits for the thaw.
	fallocate -l "${DISK_MIB}M" "$DISK"
}

# It thaws by itself after some time: who waits for a frozen disk cannot be killed. That time
# ends with the thaw, or it would end another one's.
THAWER=
freeze() {
	[ ! -d "$DISK" ] || return 0
	fsfreeze --freeze "$CASE/under"
	{ read -rt "$FROZEN_S" _ <> <(:) || fsfreeze --unfreeze "$CASE/under"; } 9<&- &
	THAWER=$!
	echo $! >>"$CASE/pids"
}
thaw() {
	[ -z "$THAWER" ] || kill "$THAWER" 2>/dev/null || true
	fsfreeze --unfreeze "$CASE/under" 2>/dev/null || true
	THAWER=
}

# ---- a cut ----------------------------------------------------------------------------

# Stop the gateway at a moment of a burst, and copy its disk and what it has told by
# then: its status and the sink's file as readers have seen it.
cut_power() {
	local pids begin
	status_of first
	pids="$(get worker.pid) $(get worker.courier_pid)"
	# 0 is whoever runs this test, and all that it runs.
	[[ $pids =~ ^[1-9][0-9]*\ [1-9][0-9]*$ ]] || {
		fail "worker and courier are \"$pids\""
		return 1
	}
	send first $BURST &
	SENDER=$!
	sleep "0.$(printf %03d $((RANDOM % 170)))"
	rm -rf "$CASE/copy"
	begin=$SECONDS
	if [ $((RANDOM % 2)) = 0 ]; then
		freeze
		sleep "0.$(printf %03d $((RANDOM % 40)))"
	fi
	in_gateway first bash -c "kill -STOP $pids"
	cp -a --sparse=always "$DISK" "$CASE/copy"
	[ $((SECONDS - begin)) -lt "$FROZEN_S" ] || fail "the disk was not frozen for long enough"
	thaw
	status_of first
	in_gateway first cat "$RECORDS" >"$CASE/seen.jsonl"
	in_gateway first bash -c "kill -CONT $pids"
}

# Begin from the copy. Whoever does so may be killed at any moment of it.
begin_again() {
	local kills=$((RANDOM % (KILLS_MAX + 1))) loading
	begin_gateway second "$CASE/copy"
	in_gateway second "$TEST_LIB/tear" --position "$(get storage.durable_position)" \
		--sequence "$(get storage.durable_sequence)" --seed $RANDOM \
		"$HOME_DIRECTORY/state/witness" >"$CASE/tear"
	tee -a "$CASE/torn" <"$CASE/tear"
	for (( ; kills; kills--)); do
		load_durable second >"$CASE/killed" 2>&1 &
		loading=$!
		sleep "0.$(printf %03d $((100 + RANDOM % 900)))"
		end_gateway second
		wait $loading || true
		begin_gateway second "$CASE/copy"
	done
	load_durable second
}

# states GATEWAY: "KEY COUNT TWIN" of each, the first key being 0.
states() {
	in_gateway "$1" "$FAAS" state export witness total |
		jq -r "select(.value) | \"\\((.key | tonumber) - $FIRST_PORT) \\(.value.count) \\(.value.twin)\"" |
		sort -n
}

# check_states FILE LEAST: they are those of the first so many events, LEAST at least.
check_states() {
	awk -v keys=$KEYS -v least="$2" '
		{counts[$1] = $2; all += $2}
		$2 != $3 {print "key " $1 ": a torn state: " $2 ", " $3}
		END {
			for (key = 0; key < keys; key++) {
				wanted = int(all / keys) + (key < all % keys)
				if (counts[key] + 0 != wanted)
					print "of " all " events key " key " has " counts[key] + 0 ", should have " wanted
			}
			if (all < least)
				print all " events are left, " least " were acknowledged"
		}' "$1" >"$CASE/wrong"
	nothing_wrong "the state"
}

# check_records STATES SEEN FILE: each key's outputs are in FILE, from the first to that
# of its state, in lines that are whole, and with the ids that readers have SEEN.
check_records() {
	awk -F'"' -v first=$FIRST_PORT '
		FILENAME == ARGV[1] {split($0, state, " "); counts[state[1]] = state[2]; next}
		# {"id":"ID",...,"key":"KEY",...,"fields":{"count":N,"twin":N}}
		!/^\{"id":"[^{}]*"fields":\{"count":[0-9]+,"twin":[0-9]+\}\}$/ {
			print FILENAME ", line " FNR " is not whole: " substr($0, 1, 400)
			next
		}
		{
			key = $0; sub(/.*"key":"/, "", key); key = key + 0 - first
			count = $(NF - 2); sub(/^:/, "", count); count += 0
			id = $4
			place = key " " count
			if (place in ids && ids[place] != id)
				print "count " count " of key " key " has two ids: " ids[place] ", " id
			if (id in places && places[id] != place)
				print "two records have the id " id ": " places[id] ", " place
			ids[place] = id
			places[id] = place
			if (count > counts[key])
				print FILENAME ": key " key " has count " count ", its state " counts[key]
		}
		FILENAME == ARGV[3] {there[place] = 1}
		END {
			for (key in counts)
				for (count = 1; count <= counts[key]; count++)
					if (!((key " " count) in there))
						print "count " count " of key " key " is not there"
		}' "$@" >"$CASE/wrong"
	nothing_wrong "the records"
}

nothing_wrong() { # WHAT
	[ -s "$CASE/wrong" ] || return 0
	fail "$1: $(wc -l <"$CASE/wrong") mistakes"
	head -n 10 "$CASE/wrong"
}

# The gateway that began again is as it should be, and goes on so.
check_gateway() { # ACKNOWLEDGED
	come_to_rest second
	same "what is called damaged" 0 "$(get storage.corrupt)"
	same "restarts" 0 "$(get worker.restarts)"
	states second >"$CASE/states"
	check_states "$CASE/states" "$1"
	in_gateway second cp "$RECORDS" "$CASE/records.jsonl"
	check_records "$CASE/states" "$CASE/seen.jsonl" "$CASE/records.jsonl"
	send second $((2 * KEYS))
	come_to_rest second
	same "processed then" $((2 * KEYS)) "$(get ledger.processed)"
	awk -v keys=$KEYS '{counts[$1] = $2}
		END {for (key = 0; key < keys; key++) print key, counts[key] + 2, counts[key] + 2}
	' "$CASE/states" >"$CASE/wanted"
	states second >"$CASE/states"
	cmp "$CASE/wanted" "$CASE/states" || fail "events are not counted on"
}

one_cut() {
	local acknowledged
	cut_power
	acknowledged=$(get ledger.processed)
	echo "cut $1: $acknowledged acknowledged, $(get storage.snapshots) snapshots"
	begin_again
	check_gateway "$acknowledged"
	end_gateway second
	wait $SENDER || fail "the sender"
	come_to_rest first
}

# Cut the power of a gateway that goes on, so many times.
cuts() {
	local cut
	RANDOM=$1
	make_disk
	begin_gateway first "$DISK"
	load_durable first
	for ((cut = 1; cut <= $2; cut++)); do
		one_cut "$cut"
		[ ! -e "$CASE/failed" ] || break
	done
	same "lost in a full ring" 0 "$(get ledger.lost.ring_full)"
	same "deaths of the worker" 0 "$(get worker.restarts)"
	# A few cuts need not meet anything on its way.
	[ "$2" -lt $ROUND_CUTS ] || [ "$(jq -s 'map(.sectors) | add' "$CASE/torn")" -gt 0 ] || fail "nothing was torn"
	end_gateway first
}

echo "# SEED=$SEED POWER_CUTS=$POWER_CUTS"
for ((left = POWER_CUTS, round = 0; left > 0; left -= ROUND_CUTS, round++)); do
	this=$((left < ROUND_CUTS ? left : ROUND_CUTS))
	round_of_cuts() { cuts $((SEED + round)) "$this"; }
	test_case "the power goes $this times, from SEED=$((SEED + round)) on" round_of_cuts
done
tests_done
