# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Counting what tests say. A test program prints TAP: "ok N - name",
# "not ok N - name", "# SKIP" behind it for a skip, and a plan "1..N". (cmocka
# writes skips as "not ok N # SKIP name".) Exit status 77 without a result is a
# skip of the whole program, the reason is its last line. A program that prints no
# result, fewer than planned, or fails without saying so has failed. "# UNSTABLE" behind a name:
# it failed, and passed when it was tried again. That is passed, and said at the end; more than
# UNSTABLE_MAX of them are a failure, for so many are no luck.
UNSTABLE_MAX=2

# tally_begin LOG_DIRECTORY ALLOWED_SKIPS
tally_begin() {
	LOGS=$1
	ALLOWED_SKIPS=$2
	passed=0 failed=0 skipped=0
	failures=() unstable=()
	mkdir -p "$LOGS"
}

# tally_one passed|failed|skipped NAME [REMARK]
tally_one() {
	local kind=$1
	if [ "$kind" = skipped ] && ! skip_allowed "$2"; then
		kind=failed
		set -- failed "$2" "skipped, which tests/allowed-skips does not allow${3:+: $3}"
	fi
	case $kind in
	passed) passed=$((passed + 1)) ;;
	failed)
		failed=$((failed + 1))
		failures+=("$2${3:+ ($3)}")
		printf '   FAILED   %s%s\n' "$2" "${3:+: $3}"
		;;
	skipped)
		skipped=$((skipped + 1))
		printf '   skipped  %s%s\n' "$2" "${3:+: $3}"
		;;
	esac
}

tally_unstable() {
	unstable+=("$1")
	printf '   UNSTABLE %s: it failed, and passed when it was tried again\n' "$1"
	tally_one passed "$1"
}

# A line of tests/allowed-skips is "NAME: reason"; # begins a comment.
skip_allowed() {
	[ -e "$ALLOWED_SKIPS" ] || return 1
	grep -v '^#' "$ALLOWED_SKIPS" | cut -d: -f1 | grep -qxF -- "$1"
}

# bounded SECONDS COMMAND...: it ends in time, and with this shell if that is killed.
bounded() {
	local seconds=$1
	shift
	setpriv --pdeathsig TERM timeout --kill-after=30 "$seconds" "$@"
}

# cpu_seconds: what processes of this shell that have ended took of processors, in
# $cpu_seconds. (In a subshell it would be that one's.)
cpu_seconds() {
	local line user system
	times >"$LOGS/times.$BASHPID"
	while read -r user system; do line="$user $system"; done <"$LOGS/times.$BASHPID"
	rm -f "$LOGS/times.$BASHPID"
	cpu_seconds=$(awk -F '[ms ]+' '{printf "%d", $1 * 60 + $2 + $3 * 60 + $4}' <<<"$line")
}

# run_tap NAME SECONDS COMMAND...: one test program of the suite $suite. The seconds are
# for a machine of today: TIME_FACTOR times as many for one that is slower.
run_tap() {
	local name=$1 seconds=$2 log status=0 before=$((passed + failed + skipped)) failed_before=$failed
	local started=$SECONDS took='' cpu_seconds cpu_before
	shift 2
	cpu_seconds
	cpu_before=$cpu_seconds
	log=$LOGS/$suite/${name//\//-}.log
	seconds=$((seconds * ${TIME_FACTOR:-1}))
	bounded "$seconds" "$@" >"$log" 2>&1 </dev/null || status=$?
	# Which are worth making faster.
	cpu_seconds
	[ $((SECONDS - started)) -lt 10 ] ||
		took=", $((SECONDS - started)) s ($((cpu_seconds - cpu_before)) of a processor)"
	tap_count "$suite/$name" "$log"
	if [ $((passed + failed + skipped)) = "$before" ]; then
		if [ "$status" = 77 ]; then
			tally_one skipped "$suite/$name" "$(tail -n 1 "$log")"
		else
			tally_one failed "$suite/$name" "no result; status $status"
		fi
	elif [ "$status" = 124 ] || [ "$status" = 137 ]; then
		tally_one failed "$suite/$name" "not done after $seconds s"
	elif [ "$status" != 0 ] && [ "$failed" = "$failed_before" ]; then
		tally_one failed "$suite/$name" "ended with status $status"
	fi
	if [ "$failed" = "$failed_before" ]; then
		printf '   %-8s %s\n' "$((passed + failed + skipped - before)) ok" "$suite/$name$took"
	else
		printf '            full output: %s\n' "$log"
		tail -n 25 "$log" | sed 's/^/    | /'
	fi
}

# tap_count NAME LOG: add the results in LOG up.
tap_count() {
	local line name test planned=0 found=0
	while IFS= read -r line; do
		case $line in
		1..[0-9]*)
			line=${line#1..}
			planned=$((planned + ${line%% *}))
			continue
			;;
		esac
		[[ $line =~ ^(not\ )?ok\ ([0-9]+)\ *-?\ *(.*)$ ]] || continue
		test=${BASH_REMATCH[3]}
		[ "${BASH_REMATCH[2]}" = 0 ] || found=$((found + 1)) # 0: a group, not a test
		if [[ $test =~ ^(.*)\#\ *[Ss][Kk][Ii][Pp]\ *(.*)$ ]]; then
			name=${BASH_REMATCH[1]%% }
			# cmocka has the name where TAP has the reason.
			[ -n "$name" ] || name=${BASH_REMATCH[2]}
			tally_one skipped "$1/$name" "${BASH_REMATCH[2]}"
		elif [ "${line#not }" != "$line" ]; then
			tally_one failed "$1/$test"
		elif [[ $test =~ ^(.*[^ ])\ *\#\ *UNSTABLE$ ]]; then
			tally_unstable "$1/${BASH_REMATCH[1]}"
		else
			tally_one passed "$1/$test"
		fi
	done < <(tr -d '\000' <"$2")
	[ "$found" = "$planned" ] || [ $((found + planned)) = 0 ] ||
		tally_one failed "$1" "$planned tests planned, $found done"
}

# run_counted NAME SECONDS COMMAND...: a run that ends as tally_end ends. Its tests
# count here, with its name before theirs.
run_counted() {
	local name=$1 seconds=$2 status=0 log=$LOGS/$suite/$1.log last one
	shift 2
	bounded "$seconds" "$@" >"$log" 2>&1 </dev/null || status=$?
	last=$(tail -n 1 "$log")
	if [[ ! $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		tally_one failed "$suite/$name" "no result; status $status; full output: $log"
		tail -n 40 "$log" | sed 's/^/    | /'
		return
	fi
	passed=$((passed + BASH_REMATCH[1]))
	skipped=$((skipped + BASH_REMATCH[3]))
	while IFS= read -r one; do
		tally_one failed "$suite/$name/$one"
	done < <(sed -n 's/^FAILED: //p' "$log")
	while IFS= read -r one; do
		unstable+=("$suite/$name/$one")
	done < <(sed -n 's/^UNSTABLE: //p' "$log")
	printf '   %-8s %s\n' "${BASH_REMATCH[1]} ok" "$suite/$name"
	[ "${BASH_REMATCH[2]}" = 0 ] || printf '            full output: %s\n' "$log"
}

# run_whole NAME SECONDS COMMAND...: a command that is one test.
run_whole() {
	local name=$1 seconds=$2 status=0 log=$LOGS/$suite/$1.log
	shift 2
	bounded "$seconds" "$@" >"$log" 2>&1 </dev/null || status=$?
	if [ "$status" = 0 ]; then
		tally_one passed "$suite/$name"
		printf '   %-8s %s\n' '1 ok' "$suite/$name: $(tail -n 1 "$log")"
	else
		tally_one failed "$suite/$name" "status $status; full output: $log"
		tail -n 40 "$log" | sed 's/^/    | /'
	fi
}

# tally_write, tally_add FILE: what was counted in another shell.
tally_write() {
	local one
	echo "$passed $failed $skipped"
	for one in ${failures[@]+"${failures[@]}"}; do
		printf 'FAILED %s\n' "${one//$'\n'/ }"
	done
	for one in ${unstable[@]+"${unstable[@]}"}; do
		printf 'UNSTABLE %s\n' "$one"
	done
}
tally_add() {
	local counts=() kind one
	{
		read -ra counts
		while read -r kind one; do
			case $kind in
			FAILED) failures+=("$one") ;;
			UNSTABLE) unstable+=("$one") ;;
			esac
		done
	} <"$1"
	passed=$((passed + counts[0])) failed=$((failed + counts[1])) skipped=$((skipped + counts[2]))
}

tally_end() {
	local one
	echo
	[ ${#unstable[@]} -le "$UNSTABLE_MAX" ] ||
		tally_one failed "stability" "${#unstable[@]} tests passed only when they were tried again"
	for one in ${unstable[@]+"${unstable[@]}"}; do
		echo "UNSTABLE: $one"
	done
	for one in ${failures[@]+"${failures[@]}"}; do
		echo "FAILED: $one"
	done
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
}
