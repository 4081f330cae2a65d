#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Run a command, as root, with compilers that keep what they made below the build
# directory, under a digest of what it was made from (but the compiler: clean after a
# new one). End-to-end tests build the same functions again and again: a third of their
# processor time is that. And on an emulated processor, where a compiler takes a hundred
# times as long as the test, those that ran here with this compile nothing.
#
#   tests/lib/kept_compilers.sh COMMAND...
#
# The command gets a mount namespace of its own, in which ebpf-faas-fuse is this script,
# and so are clang and cc, by PATH. What fails, or says anything, is not kept.
set -u

# The compilers of one build share a directory with what they made.
SELF=$(readlink -f "$0")
NAME=${0##*/}

# enter COMMAND...
enter() {
	[ -z "${KEPT:-}" ] || exec "$@" # within another one
	# shellcheck source=../../tools/lib/common.sh
	. "$(dirname "$SELF")/../../tools/lib/common.sh"
	need_root
	KEPT=$BUILD/tests/kept
	KEPT_FUSE=$BUILD/libexec/ebpf-faas-fuse
	mkdir -p "$KEPT/bin"
	keep "$SELF" "$KEPT/bin/clang"
	keep "$SELF" "$KEPT/bin/cc"
	keep "$KEPT_FUSE" "$KEPT/fuse"
	export KEPT KEPT_FUSE PATH=$KEPT/bin:$PATH
	# shellcheck disable=SC2016
	exec unshare --mount bash -c 'mount --bind "$KEPT/bin/clang" "$KEPT_FUSE" && exec "$@"' - "$@"
}

# keep FILE COPY: others may run a copy of another version at this moment.
keep() {
	cmp -s "$1" "$2" && return
	cp "$1" "$2.$$" && mv "$2.$$" "$2"
}

# What a command line makes its output from, on stdout. Where things lie does not count,
# but for what tells instances of one function apart.
ingredients() {
	local word next='' file directories=()
	printf '%s\n' "$NAME"
	[ "$NAME" != cc ] || uname -m
	for word; do
		case $next$word in
		output*) next='' && continue ;;
		include*) directories+=("$word") && next='' && continue ;;
		-o) next=output && continue ;;
		-I) next=include && continue ;;
		-I*) directories+=("${word#-I}") && continue ;;
		esac
		file=${word#*=}
		if [ ! -f "$file" ]; then
			printf '%s\n' "$word"
			continue
		fi
		[ "$file" = "$word" ] || printf '%s\n' "${word%%=*}"
		printf '%s: ' "${file##*.}"
		cat "$file"
		[[ $file != *.c ]] || directories+=("${file%/*}")
	done
	for word in ${directories[@]+"${directories[@]}"}; do
		[[ $word == /usr/include/* ]] || cat "$word"/*.h "$word"/ebpf_faas/*.h 2>/dev/null
	done
}

# compile REAL ARGUMENT...: as REAL does, from what was kept if it is there.
compile() {
	local real=$1 digest kept output='' word previous='' status
	shift
	for word; do
		[ "$previous" != -o ] || output=$word
		previous=$word
	done
	[ -n "$output" ] || exec "$real" "$@"
	digest=$(ingredients "$@" | sha256sum)
	kept=$KEPT/${digest%% *}
	if [ -e "$kept.stdout" ]; then
		cat "$kept.object" >"$output" && exec cat "$kept.stdout"
	fi
	[ -w "$KEPT" ] || exec "$real" "$@" # a test without privilege
	"$real" "$@" >"$kept.$$.stdout" 2>"$kept.$$.stderr"
	status=$?
	cat "$kept.$$.stdout"
	cat "$kept.$$.stderr" >&2
	if [ "$status" = 0 ] && [ ! -s "$kept.$$.stderr" ]; then
		cat "$output" >"$kept.$$.object" && mv "$kept.$$.object" "$kept.object" &&
			mv "$kept.$$.stdout" "$kept.stdout"
	fi
	rm -f "$kept.$$".*
	exit "$status"
}

case $NAME in
clang | cc)
	PATH=${PATH#"$KEPT/bin:"}
	compile "$(command -v "$NAME")" "$@"
	;;
ebpf-faas-fuse) compile "$KEPT/fuse" "$@" ;;
*) enter "$@" ;;
esac
