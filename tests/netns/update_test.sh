#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Updating: state and counters go on, a packet is looked at by one version, what does
# not fit is refused with the difference, and nothing is left behind.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

generation() { faas status --json "$1" | jq .generation; }
load_gate() { faas load --netns "$GATEWAY" "$@" "$FIXTURES/gate.yaml"; }
update_gate() { faas update "$@" "$FIXTURES/gate.yaml"; }

# Readings below 5 were dropped, and are not any more. The counters go on.
parameters_change() {
	network
	load_gate --set 'functions.readings.params.min=4000000000' --set 'functions.readings.params.max=4000000001'
	traffic --to 10.77.0.1:5005 --count 40
	settle gate
	same "dropped by the first" 40 "$(counted dropped)"
	update_gate --set 'functions.readings.params.min=0' --set 'functions.readings.params.max=4000000000'
	same "generation" 2 "$(generation gate)"
	traffic --to 10.77.0.1:5005 --count 30
	settle gate
	same "matched by both" 70 "$(counted matched)"
	same "dropped stays" 40 "$(counted dropped)"
	same "passed by the second" 30 "$(counted passed)"
	fails 0 faas history gate
	says 'generation 1 .* loaded'
	says 'generation 2 .* updated'
	same "pinned generations" 2 "$(ls "$PIN_ROOT/generations/gate")"
	fails 0 faas unload gate
	says 'matched 70 = dropped 40 \+ passed 30'
}

test_case "another parameter: what was counted goes on" parameters_change
tests_done
