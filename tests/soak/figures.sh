# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What ebpf-faas takes of a machine, as a row of numbers, and whether it grows.

# name, and how much more the median of the last third may be than that of the second: a
# part in percent, and a number besides. What is counted does not grow at all, but for those
# that come and go: files of sinks in the courier; of gate's other version, and of dead letters,
# until both are loaded again. Memory and files in it breathe with the load.
FIGURES='
runtime_descriptors  0 2
courier_descriptors  0 4
worker_descriptors   0 2
bpf_objects_held     0 2
pss_kib              3 1024
pins                 0 2
cgroups              0 2
run_files            0 2
run_kib              1 1024
state_files          0 6
state_kib            1 1024'
# Of these none may be more at the end than at the beginning, in the same state of things.
LASTING='pins cgroups run_files state_files'

figure_names() { awk 'NF {print $1}' <<<"$FIGURES"; }

# figures: a line with one of each, separated by spaces, in the order of the table.
figures() {
	local processes
	processes=$(faas_processes)
	echo "$(most_descriptors runti)" "$(most_descriptors couri)" "$(most_descriptors worke)" \
		"$(objects_held)" "$(memory_kib)" "$(machine_pins | wc -l)" "$(machine_cgroups | wc -l)" \
		"$(files_below /run/ebpf-faas)" "$(files_below /var/lib/ebpf-faas)"
}

# The most that one of these processes has open; they come and go while this looks.
most_descriptors() { # what its name ends with
	local pid most=0 count
	while read -r pid _; do
		count=$(find "/proc/$pid/fd" -mindepth 1 2>/dev/null | wc -l)
		[ "$count" -le "$most" ] || most=$count
	done < <(grep " ebpf-faas-$1\$" <<<"$processes")
	echo "$most"
}

# Maps, programs and links that a process of ours holds open, each once.
objects_held() {
	local pid
	while read -r pid _; do
		cat "/proc/$pid/fdinfo/"* 2>/dev/null
	done <<<"$processes" | awk '$1 == "prog_id:" || $1 == "map_id:" || $1 == "link_id:"' | sort -u | wc -l
}

# Of runtime, courier, workers and what starts those, shared pages by their part.
memory_kib() {
	local pid
	while read -r pid _; do
		cat "/proc/$pid/smaps_rollup" 2>/dev/null
	done <<<"$processes" | awk '$1 == "Pss:" {kib += $2} END {print kib + 0}'
}

# How many, and the KiB that they take.
files_below() {
	find "$1" -printf '%k\n' 2>/dev/null | awk '{kib += $1} END {print NR, kib + 0}'
}

# figures_sample FILE WHAT: a row more.
figures_sample() { echo "$SECONDS $2 $(figures)" >>"$1"; }

# figures_compare FILE SECONDS: what has grown in the last third of that time, a line each.
# The first third is for what is taken once, and for kills of those who would let go of it.
figures_compare() {
	awk -v limits="$FIGURES" -v seconds="$2" '
	function median(third, column,    count, at, other, sorted, value) {
		count = rows[third]
		for (at = 1; at <= count; at++) {
			value = values[third, column, at] + 0
			for (other = at - 1; other >= 1 && sorted[other] > value; other--)
				sorted[other + 1] = sorted[other]
			sorted[other + 1] = value
		}
		return sorted[int((count + 1) / 2)]
	}
	NR == 1 {begin = $1}
	{
		third = int(($1 - begin) * 3 / seconds)
		third = third > 2 ? 2 : third
		rows[third]++
		for (column = 3; column <= NF; column++)
			values[third, column, rows[third]] = $column
		columns = NF
	}
	END {
		count = split(limits, words)
		for (at = 1; at <= count; at += 3) {
			column = (at - 1) / 3 + 3
			before = median(1, column)
			after = median(2, column)
			may = before * (1 + words[at + 1] / 100) + words[at + 2]
			printf "%s %s: medians of the thirds %d, %d, %d\n",
				(after > may || column > columns || !rows[1] || !rows[2]) ? "grown" : "flat",
				words[at], median(0, column), before, after
		}
	}' "$1"
}

# lasting FILE ROW: those that must be the same at the beginning and at the end, "name number".
lasting() {
	awk -v names="$(figure_names | xargs)" -v lasting=" $LASTING " -v row="$2" '
	NR == row {
		count = split(names, name, " ")
		for (at = 1; at <= count; at++)
			if (index(lasting, " " name[at] " "))
				print name[at], $(at + 2)
	}' "$1"
}
