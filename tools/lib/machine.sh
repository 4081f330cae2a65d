# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What is on the machine that a run may leave behind, as sorted text files, so
# that before and after can be compared.

MACHINE_PARTS='programs maps links pins attached namespaces mounts interfaces processes cgroups run_files state_files'
# What can hold a BPF object of a room, and what else a room has: a program, map or link that
# none of these shows is one of others, or on its way out of the kernel.
ROOM_PARTS='pins attached namespaces mounts interfaces processes cgroups run_files state_files'

machine_programs() { bpftool -j prog list | jq -r '.[] | "\(.id) \(.type) \(.name // "-")"'; }
machine_maps() { bpftool -j map list | jq -r '.[] | "\(.id) \(.type) \(.name // "-")"'; }
machine_links() { bpftool -j link list | jq -r '.[] | "\(.id) \(.type) prog \(.prog_id // "-")"'; }
machine_pins() { if mountpoint -q /sys/fs/bpf; then find /sys/fs/bpf -mindepth 1; fi; }
machine_attached() {
	local name
	for name in /run/netns/*; do
		[ ! -e "$name" ] || nsenter --net="$name" -- bpftool -j net show | jq -c --arg name "${name##*/}" '
			.[][] | arrays[] | [$name, .devname, .kind // .mode, .id]'
	done
}
machine_namespaces() { if [ -d /run/netns ]; then ls -1 /run/netns; fi; }
machine_mounts() { cut -d' ' -f3- /proc/self/mountinfo; }
machine_interfaces() { ls -1 /sys/class/net; }
# They are named after the file system of /run: those of other rooms are not ours.
machine_cgroups() {
	local group
	group=$(group_of /run)
	find /sys/fs/cgroup -type d \( -name "$group" -o -path "*/$group/*" \) 2>/dev/null || true
}
machine_run_files() { if [ -e /run/ebpf-faas ]; then find /run/ebpf-faas; fi; }
# Sizes and times too: a file that was there before must be as it was.
machine_state_files() {
	if [ -e /var/lib/ebpf-faas ]; then
		find /var/lib/ebpf-faas \( -type d -printf '%p/\n' \) -o -printf '%p %s bytes, changed %t\n'
	fi
}

# Ours by name, and all that carry the mark of this run in their environment:
# whatever was started from it, daemons too.
machine_processes() {
	local directory
	faas_processes
	[ -n "${FAAS_RUN_MARK:-}" ] || return 0
	# One look at all of them: a process for each would take seconds in an emulator.
	for directory in $(grep -lszx -e "FAAS_RUN_MARK=$FAAS_RUN_MARK" /proc/[0-9]*/environ); do
		directory=${directory%/environ}
		[ "${directory#/proc/}" != "$$" ] && [ "${directory#/proc/}" != "$BASHPID" ] || continue
		if ! process_gone "${directory#/proc/}" && ! descends_from_us "${directory#/proc/}"; then
			echo "${directory#/proc/} $(cat "$directory/comm" 2>/dev/null)"
		fi
	done
}

# The commands that make this snapshot are not what it looks for.
descends_from_us() {
	local parent=$1
	while [ "${parent:-0}" -gt 1 ]; do
		[ "$parent" != "$BASHPID" ] || return 0
		parent=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$parent/status" 2>/dev/null)
	done
	return 1
}

# machine_snapshot DIRECTORY
machine_snapshot() {
	local part
	mkdir -p "$1"
	for part in $MACHINE_PARTS; do
		"machine_$part" | FAAS_RUN_MARK='' LC_ALL=C sort >"$1/$part" || return 1
	done
}

# machine_compare BEFORE AFTER: print "PART + line" and "PART - line" for what
# differs. BPF objects that are gone were somebody else's: only new ones count,
# for they are what a run could have left.
machine_compare() {
	local part
	for part in $MACHINE_PARTS; do
		LC_ALL=C comm -13 "$1/$part" "$2/$part" | sed "s|^|$part + |"
		case $part in
		programs | maps | links | processes) ;;
		*) LC_ALL=C comm -23 "$1/$part" "$2/$part" | sed "s|^|$part - |" ;;
		esac
	done
}

# Leave out of a comparison, on stdin, the BPF objects that a living process holds
# open: it is not one of ours, for those are a difference of their own ("processes").
# In a room, all processes of the machine are those outside too.
machine_without_held() {
	local held all=/proc
	[ ! -d /run/machine/proc ] || all=/run/machine/proc
	held=$(cat "$all"/[0-9]*/fdinfo/* 2>/dev/null | awk '
		$1 == "prog_id:" {print "programs " $2}
		$1 == "map_id:" {print "maps " $2}
		$1 == "link_id:" {print "links " $2}')
	awk -v held="$held" '
		BEGIN {
			count = split(held, lines, "\n")
			for (line = 1; line <= count; line++)
				is_held[lines[line]] = 1
		}
		!(($1 " " $3) in is_held)'
}

# machine_same BEFORE SCRATCH [ALLOWED]: compare the machine now with the snapshot
# BEFORE, for up to 10 seconds, because the kernel frees programs, maps and
# namespaces some time after their last user has gone. What is still different
# stands in SCRATCH/differences. ALLOWED is a pattern (grep -E) of differences
# that are right.
machine_same() {
	local before=$1 scratch=$2 allowed=${3:-^\$}
	wait_for 10 machine_same_now "$before" "$scratch" "$allowed"
}

machine_same_now() {
	rm -rf "$2/now"
	machine_snapshot "$2/now" || return 1
	machine_compare "$1" "$2/now" | machine_without_held | grep -Ev "$3" >"$2/differences"
	[ ! -s "$2/differences" ]
}
