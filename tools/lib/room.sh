# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A room of its own on this machine, for what would meet others there or leave things
# behind: mount and process namespaces with their own /run (and so their own network
# namespaces, by name), bpffs, /var/lib/ebpf-faas, /dev/shm, /tmp and /var/tmp. What the
# machine has of these is neither seen nor touched, and whatever is left in the room goes
# with it, also when it is killed. The kernel is shared: BPF objects have their numbers
# from it, and timings depend on what others do.

ROOMS=/var/tmp/ebpf-faas-room

# room_enter COMMAND...: run it in a room, and exit as it does. Returns at once in a room.
# With ROOM_KEEPS_TMP=1, /tmp and /var/tmp are those of the machine; with ROOM_KEEPS_PIDS=1
# processes are, so that the kernel's can be seen, and what is killed may leave some.
room_enter() {
	local status inside processes=--pid
	[ -z "${FAAS_ROOM:-}" ] || return 0
	[ -z "${ROOM_KEEPS_PIDS:-}" ] || processes=
	room_sweep
	FAAS_ROOM=$ROOMS.$$
	mkdir -m 755 "$FAAS_ROOM" || die "no room in $FAAS_ROOM"
	export FAAS_ROOM ROOM_KEEPS_TMP
	set +e # whatever fails from here on, what follows is done
	# In the background, so that signals are seen here; which is why SIGINT is ignored there.
	# shellcheck disable=SC2016
	env --default-signal=INT,QUIT setpriv --pdeathsig KILL \
		unshare --mount ${processes:+"$processes"} --fork --kill-child --propagation private bash -c '
		. "$0/tools/lib/common.sh"
		. "$0/tools/lib/room.sh"
		room_furnish || die "the room could not be made"
		# The first process of a room does not see signals as others do: be that here.
		"$@"
		exit $?' "$TOP" "$@" <&0 9<&- &
	inside=$!
	trap 'room_end "$inside" TERM' TERM HUP
	trap 'room_end "$inside" INT' INT
	while :; do
		wait "$inside"
		status=$?
		process_gone "$inside" && break
	done
	trap '' INT TERM HUP
	room_remove "$FAAS_ROOM"
	exit "$status"
}

# room_end PID SIGNAL: the command may clean up, for some seconds; then all of it goes.
room_end() {
	local command
	command=$(child_of "$(child_of "$1")")
	[ -z "$command" ] || kill -"$2" "$command" 2>/dev/null
	wait_for 20 process_gone "$1" || kill -KILL "$1" 2>/dev/null
}

child_of() { awk '{print $1}' "/proc/${1:-none}/task/${1:-none}/children" 2>/dev/null; }

# Files are left of a room, and groups of processes, without any, if it was killed.
room_remove() { # DIRECTORY
	local group
	group=$(cat "$1/group" 2>/dev/null)
	find /sys/fs/cgroup -depth -type d \( -name "$group" -o -path "*/$group/*" \) \
		-exec rmdir {} \; 2>/dev/null
	rm -rf --one-file-system "$1"
}

# Rooms that were killed themselves.
room_sweep() {
	local room
	for room in "$ROOMS".*; do
		[ ! -d "$room" ] || [ -d "/proc/${room##*.}" ] || room_remove "$room"
	done
}

# In the new namespaces, first of all.
room_furnish() {
	local directory run=$FAAS_ROOM/run processes=/proc
	# A clean room knows of all processes of the machine as well.
	[ ! -d /run/machine/proc ] || processes=/run/machine/proc
	mkdir "$run" && mount -t tmpfs -o mode=755 run "$run" && group_of "$run" >"$FAAS_ROOM/group" &&
		mkdir -p "$run/lock" "$run/netns" "$run/machine/proc" "$run/machine/lib" &&
		mount --bind "$processes" "$run/machine/proc" && mount --no-mtab --move "$run" /run &&
		mount --bind /run/netns /run/netns && mount --make-shared /run/netns &&
		mount -t proc proc /proc &&
		mount -t bpf bpf /sys/fs/bpf && mount -t tmpfs -o mode=1777 shm /dev/shm &&
		room_var_lib || return 1
	[ -z "${ROOM_KEEPS_TMP:-}" ] || return 0
	for directory in /tmp /var/tmp; do
		room_temporary "$directory" || return 1
	done
}

# Everything in /var/lib is where it was, but ebpf-faas. On the same file system as before:
# durable state is written as on any machine.
room_var_lib() {
	local entry entries=()
	mkdir -m 755 "$FAAS_ROOM/lib" && mount --rbind /var/lib /run/machine/lib || return 1
	for entry in /run/machine/lib/*; do
		[ "${entry##*/}" = ebpf-faas ] || entries+=("$entry")
	done
	ln -s "${entries[@]}" "$FAAS_ROOM/lib/" && mount --bind "$FAAS_ROOM/lib" /var/lib
}

# room_temporary DIRECTORY: empty, but for the checkout and the build if they are in it.
room_temporary() {
	local mine=$FAAS_ROOM/${1//\//-} tree
	mkdir -m 1777 "$mine" || return 1
	for tree in "$TOP" "$BUILD"; do
		[[ $tree == "$1"/* && -d $tree && ! -e $mine/${tree#"$1"/} ]] || continue
		mkdir -p "$mine/${tree#"$1"/}" && mount --rbind "$tree" "$mine/${tree#"$1"/}" || return 1
	done
	mount --rbind "$mine" "$1" || return 1
	[[ $PWD/ != "$1"/* ]] || cd "$PWD" 2>/dev/null || cd "$TOP" || return 1
}
