# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for dmemctl

# of a verb's --help: its options
_dmemctl_options() {
	dmemctl "$1" --help 2> /dev/null | sed -n '/^Options:/,/^Columns/ {
		s/^  -\(.\), --\([a-z-]*\) .*/-\1 --\2/p
		s/^      --\([a-z-]*\) .*/--\1/p
	}'
}

_dmemctl_columns() {
	dmemctl "$1" --help 2> /dev/null |
		sed -n '/^Columns/,$ s/^  \[\{0,1\}\([A-Z/-]*\)\]\{0,1\} .*/\1/p'
}

# regions and the heaps that charge them
_dmemctl_regions() {
	dmemctl list --no-legend -o NAME,HEAPS 2> /dev/null | tr -s ' ,' '\n' | grep -vx -e - -e ''
}

_dmemctl_cgroups() {
	dmemctl show --all --no-legend -o PATH 2> /dev/null | sort -u
	systemctl list-units --no-legend --plain --type=service,scope,slice 2> /dev/null |
		cut -d' ' -f1
}

_dmemctl() {
	local cur prev words cword verb word i
	local -r verbs="list show buffers events top set run export"
	# region names have colons, values follow "="
	_get_comp_words_by_ref -n := cur prev words cword 2> /dev/null || {
		words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
		cur=${words[cword]} prev=${words[cword - 1]}
	}
	COMPREPLY=()

	verb=
	for ((i = 1; i < cword; i++)); do
		for word in $verbs; do
			[ "${words[i]}" != "$word" ] || { verb=$word; break 2; }
		done
	done
	if [ -z "$verb" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$verbs --help --version" -- "$cur")
		return
	fi

	case $verb:$prev in
	*:-o | *:--output)
		mapfile -t COMPREPLY < <(compgen -W "$(_dmemctl_columns "$verb")" \
			-P "${cur%"${cur##*,}"}" -- "${cur##*,}")
		compopt -o nospace 2> /dev/null
		return ;;
	*:-r | *:--region)
		mapfile -t COMPREPLY < <(compgen -W "$(_dmemctl_regions)" -- "$cur")
		return ;;
	run:--max | run:--low | run:--min)
		mapfile -t COMPREPLY < <(compgen -W "$(_dmemctl_regions)" -S = -- "$cur")
		compopt -o nospace 2> /dev/null
		return ;;
	top:-s | top:--sort)
		mapfile -t COMPREPLY < <(compgen -W "current peak max share rate refused name" -- "$cur")
		return ;;
	events:--source)
		mapfile -t COMPREPLY < <(compgen -W "trace files" -- "$cur")
		return ;;
	*:--sysroot)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return ;;
	*:-t | *:--to)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	*:-n | *:--count | *:-d | *:--delay | *:-u | *:--unit)
		return ;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_dmemctl_options "$verb")" -- "$cur")
		return
	fi

	case $verb in
	show | buffers | events | top)
		mapfile -t COMPREPLY < <(compgen -W "$(_dmemctl_cgroups)" -- "$cur") ;;
	set)
		# the first one that is no option is the unit or cgroup
		for ((i = 2; i < cword; i++)); do
			[[ ${words[i]} == -* ]] || break
		done
		if [ "$i" -ge "$cword" ]; then
			mapfile -t COMPREPLY < <(compgen -W "$(_dmemctl_cgroups)" -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -W "$(_dmemctl_regions)" -S = -- "$cur")
			compopt -o nospace 2> /dev/null
		fi ;;
	run)
		mapfile -t COMPREPLY < <(compgen -c -- "$cur") ;;
	esac
	! declare -F __ltrim_colon_completions > /dev/null || __ltrim_colon_completions "$cur"
}

complete -F _dmemctl dmemctl
