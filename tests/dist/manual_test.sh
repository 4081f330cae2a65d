#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Help, man page and completion say the same: they are compared with the tables
# that the command prints of itself.
set -u
# shellcheck source=../../tools/lib/common.sh
. "$(dirname "$(readlink -f "$0")")/../../tools/lib/common.sh"
MAN=$TOP/loader/man/ebpf-faas.8
COMPLETION=$TOP/loader/completion/ebpf-faas.bash
number=0

# result STATUS NAME [WHAT IS WRONG]
result() {
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		sed 's/^/# /' <<<"${3:-}"
	fi
}

same() { # NAME EXPECTED FOUND
	[ -n "$2" ] && [ "$2" = "$3" ]
	result $? "$1" "expected: $2
found: $3"
}

table=$("$FAAS" help --json) || table='{}'
verbs=$(jq -r '.verbs[].verb' <<<"$table")
options=$(jq -r '.options[].option' <<<"$table")
echo 1..7

# entries SECTION NEXT_SECTION: of the man page, "NAME<tab>first sentence" each; an
# entry is what follows .TP.
entries() {
	sed -n "/^\.SH $1/,/^\.SH $2/p" "$MAN" | tr -d '\\"' | awk '
		/^\.TP/ {if (name) print name "\t" text; name = text = ""; head = 1; next}
		head {name = $2; head = 0; next}
		!/^\.SH/ && text !~ /\.$/ {
			if ($1 ~ /^\.[BI]+$/) $1 = ""
			sub(/^ +/, "")
			text = text (text ? " " : "") $0
		}
		END {print name "\t" text}'
}

# Man page: VERBS and OPTIONS in the order of the tables.
same 'the man page has the verbs' "$verbs" "$(entries VERBS OPTIONS | cut -f 1)"
same 'the man page has the options' "$options" "$(entries OPTIONS 'THE LEDGER' | cut -f 1)"
# Each option's help is the first sentence of its paragraph in the man page.
wrong=
while IFS=$'\t' read -r option help; do
	text=$(entries OPTIONS 'THE LEDGER' | awk -F '\t' -v option="$option" '$1 == option {print $2}')
	[ "${text,,}" = "$(tr -d '`' <<<"${help,,}")." ] || wrong+="$option: $text"$'\n'
done < <(jq -r '.options[] | [.option, .help] | @tsv' <<<"$table")
[ -z "$wrong" ]
result $? 'the man page describes the options as help does' "$wrong"

# Completion.
same 'completion has the verbs' "$(tr '\n' ' ' <<<"$verbs")" \
	"$(sed -nE "s/.*verbs='([^']*)'.*/\1 /p" "$COMPLETION")"
wrong=
while IFS=$'\t' read -r verb wanted; do
	found=$(bash -c ". '$COMPLETION'; COMP_WORDS=(ebpf-faas $verb --) COMP_CWORD=2; _ebpf_faas
		printf '%s\n' \"\${COMPREPLY[@]}\"" | sort | tr '\n' ' ')
	[ "$found" = "$wanted" ] || wrong+="$verb: completion has $found, help $wanted"$'\n'
done < <(jq -r '.verbs[] | [.verb, (.options | sort | map(. + " ") | join(""))] | @tsv' <<<"$table")
[ -z "$wrong" ]
result $? 'completion has the options of each verb' "$wrong"

# Every verb has a help of its own.
wrong=
for verb in $verbs; do
	"$FAAS" help "$verb" | grep -q "^usage: ebpf-faas $verb" || wrong+="$verb "
done
[ -z "$wrong" ]
result $? 'every verb has a help of its own' "$wrong"

# The workflows of the man page are workflows.
wrong=
scratch=$(mktemp -d /tmp/ebpf-faas-test.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
echo 10.20.0.0/16 >"$scratch/stations.txt"
examples=$(awk -v to="$scratch/example" '
	/^\.fi/ {on = 0}
	/^workflow: / {on = ++count}
	on {gsub(/\\-/, "-"); print >(to on ".yaml")}
	END {print count + 0}' "$TOP/loader/man/ebpf-faas-workflow.5")
for ((example = 1; example <= examples; example++)); do
	said=$("$FAAS" validate "$scratch/example$example.yaml" 2>&1) || wrong+=$said$'\n'
done
[ "$examples" = 2 ] && [ -z "$wrong" ]
result $? 'the workflows of the man page are valid' "$examples workflows found
$wrong"
