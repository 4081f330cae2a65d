# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# bash completion of ebpf-faas. A test compares it with `ebpf-faas help --json`.
_ebpf_faas()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]:-}
	local verbs='build validate load update rollback confirm bypass resume diff history unload restore list status state deadletter explain set functions gc version help'

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$word")
		return
	fi
	case $before in
	--funcs | --output)
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return ;;
	--pcap)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return ;;
	--interface)
		mapfile -t COMPREPLY < <(compgen -W "$(ls /sys/class/net 2>/dev/null)" -- "$word")
		return ;;
	--hook)
		mapfile -t COMPREPLY < <(compgen -W "xdp xdp-generic tc-ingress tc-egress" -- "$word")
		return ;;
	--netns)
		mapfile -t COMPREPLY < <(compgen -W "$(ls /run/netns 2>/dev/null)" -- "$word")
		return ;;
	--linker)
		mapfile -t COMPREPLY < <(compgen -W "bpf llvm" -- "$word")
		return ;;
	--set | --reset-state | --confirm | --wait | --packet)
		return ;;
	esac
	local options=--json
	case $verb in
	build) options='--json --funcs --set --output --linker' ;;
	validate) options='--json --funcs --set' ;;
	load) options='--json --funcs --set --reset-state --netns --confirm --overcommit --dry-run' ;;
	update) options='--json --funcs --set --reset-state --confirm --drain --overcommit' ;;
	rollback) options='--json --reset-state --drain --overcommit' ;;
	diff) options='--json --funcs --set' ;;
	bypass | resume | deadletter) options='--json --all' ;;
	gc) options='--json --dry-run' ;;
	restore) options='--json --wait' ;;
	unload) options='--json --now --purge' ;;
	state) options='--json --all' ;;
	explain) options='--json --packet --pcap --pace --interface --hook --funcs --set --netns' ;;
	functions) options='--json --funcs' ;;
	esac
	case $word in
	-*)
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
		return ;;
	esac
	case $verb in
	diff)
		if [ "$COMP_CWORD" = 2 ]; then
			mapfile -t COMPREPLY < <(compgen -W "$(ls /sys/fs/bpf/ebpf-faas/workflows 2>/dev/null)" -- "$word")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$word")
		fi ;;
	build | validate | load | update | explain)
		mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
	state)
		[ "$COMP_CWORD" = 2 ] || return
		mapfile -t COMPREPLY < <(compgen -W "$(ls /sys/fs/bpf/ebpf-faas/workflows 2>/dev/null)" -- "$word") ;;
	restore)
		mapfile -t COMPREPLY < <(compgen -W "$(ls /var/lib/ebpf-faas/workflows 2>/dev/null)" -- "$word") ;;
	deadletter)
		if [ "$COMP_CWORD" = 2 ]; then
			mapfile -t COMPREPLY < <(compgen -W "list show replay drop" -- "$word")
		elif [ "$COMP_CWORD" = 3 ]; then
			mapfile -t COMPREPLY < <(compgen -W "$(ls /var/lib/ebpf-faas/workflows 2>/dev/null)" -- "$word")
		fi ;;
	unload | status | set | history | rollback | confirm | bypass | resume)
		mapfile -t COMPREPLY < <(compgen -W "$(ls /sys/fs/bpf/ebpf-faas/workflows 2>/dev/null)" -- "$word") ;;
	help)
		mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$word") ;;
	esac
}
complete -F _ebpf_faas ebpf-faas
