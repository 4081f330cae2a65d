#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Parameters that change while the workflow runs.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

tune() {
	network
	faas load --netns "$GATEWAY" "$FIXTURES/tune.yaml"
	stack_listen 10.77.0.1:5005
}

# Numbers 0 to 99 are sent each time: so many are dropped in all.
dropped_are() {
	traffic --to 10.77.0.1:5005 --count 100
	settle tune
	same "dropped" "$1" "$(counted dropped)"
}

changed_live() {
	tune
	dropped_are 20
	faas set tune first-limit.limit=50 >"$CASE/output"
	says '^first-limit.limit: 10 -> 50$'
	dropped_are 70
	faas set tune again.limit=90 first-limit.limit=0 >"$CASE/output"
	dropped_are 160
	faas set tune again.pause=1ms again.scale=2 >"$CASE/output"
	says '^again.pause: 500ms -> 1ms$'
	says '^again.scale: -0.5 -> 2$'
	dropped_are 205
	faas set --json tune again.inverted=true | tee "$CASE/output"
	says '"value": *"true"'
	dropped_are 260
}

listed() {
	tune
	faas set tune | tee "$CASE/output"
	same "lines" 8 "$(lines_of "$CASE/output")"
	says '^first-limit.limit = 10  \(u32, 0 to 1000\)$'
	says '^again.inverted = false  \(bool, false to true\)$'
	says '^again.pause = 500ms  \(duration, 1ms to 1h\)$'
	says '^again.scale = -0.5  \(decimal, -1000 to 1000\)$'
	same "parameters in JSON" 8 "$(faas set --json tune | jq '.params | length')"
	bpftool map dump pinned "$PIN_ROOT/workflows/tune/params" >"$CASE/output"
	says '"first_limit__limit": 10'
}

# One mistake among them, and none is stored.
all_or_none() {
	tune
	fails 3 "$FAAS" set tune first-limit.limit=50 again.limit=2000
	says 'again.limit: 2000 is out of range'
	says '0 to 1000'
	fails 3 "$FAAS" set tune first-limit.limit=50 again.pause=5
	says 'not a duration'
	fails 3 "$FAAS" set tune first-limit.limit=50 first-limit.offset=5
	says 'no changeable parameter .first-limit.offset.'
	fails 3 "$FAAS" set tune frist-limit.limit=50
	says 'did you mean .first-limit.limit.'
	fails 2 "$FAAS" set tune first-limit.limit
	fails 2 "$FAAS" set tune first-limit.limit=5 first-limit.limit=6
	fails 5 "$FAAS" set nobody
	faas set tune >"$CASE/output"
	says '^first-limit.limit = 10 '
	dropped_are 20
}

nothing_changeable() {
	network
	faas load --netns "$GATEWAY" "$FIXTURES/gate.yaml"
	faas set gate >"$CASE/output"
	same "lines" 0 "$(lines_of "$CASE/output")"
	fails 3 "$FAAS" set gate readings.min=1
	says 'none of its functions has a changeable parameter'
}

# A new version does not undo what somebody set, and says so.
set_stays() {
	tune
	faas set tune first-limit.limit=50
	fails 0 faas update "$FIXTURES/tune.yaml" --set functions.first-limit.params.limit=30
	says '^first-limit.limit stays 50, as it was set; the version says 30$'
	dropped_are 50
	faas set tune first-limit.limit=30
	fails 0 faas update --json "$FIXTURES/tune.yaml" --set functions.first-limit.params.limit=30
	same "set" '[]' "$(jq -c .set "$CASE/output")"
	dropped_are 80
}

test_case "what is set counts from the next packet on" changed_live
test_case "what is set stays over an update" set_stays
test_case "without values, those that can be changed are listed" listed
test_case "all values are stored, or none" all_or_none
test_case "a workflow without changeable parameters" nothing_changeable
tests_done
