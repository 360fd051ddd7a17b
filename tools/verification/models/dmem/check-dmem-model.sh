#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Has spin look at every interleaving of dmem.pml, and says so in KTAP.
#
#	check-dmem-model.sh		all rows of the tables below
#	check-dmem-model.sh WORD	the rows that have WORD in them
#
# The true model must have no counter-example, whoever runs.  Each way to break
# it must have one, of the property that is named: a model that cannot fail says
# nothing.  The counter-example follows as comments, one for each event: who (0
# and 1 tasks, 2 a file's user, 3 removal, 4 the driver, 5 the end), and what.
#
# Needs spin and gcc.  Two at a time, each within 450 MiB.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
model=$here/dmem.pml
source=$here/../../../../kernel/cgroup/dmem.c
only=${1:-}

# name | who runs, see the head of dmem.pml
true_rows='
limits: three charges, limits change | POOLS_EXIST=1 ROUNDS0=2 ROUNDS1=1 COUSINS=1 SIZE2=2 FILES=1 LIMIT1=2 LIMIT2=15
limits: nobody asks which limit refused | POOLS_EXIST=1 ROUNDS0=1 ROUNDS1=1 SIZE2=2 FILES=2 NO_LIMIT_POOL=1
creation: two cousins, and a limit | ROUNDS0=1 ROUNDS1=1 COUSINS=1 FILES=1
creation: allocations fail | ROUNDS0=1 FILES=1 ALLOCATIONS_FAIL=1
removal: two tasks, two levels go | ROUNDS0=1 ROUNDS1=1 REMOVALS=2
removal: a task, files in use, two levels go | ROUNDS0=1 SIZE2=2 FILES=1 REMOVALS=2 POOLS_EXIST=1
removal: limits are written while pools are made | ROUNDS0=1 FILES=1 REMOVALS=1
removal: a refusal is told to who watches the events | ROUNDS0=1 SIZE1=2 SIZE2=2 FILES=1 REMOVALS=1 POOLS_EXIST=1 NO_LIMIT_POOL=1
unregistration: two tasks | ROUNDS0=1 ROUNDS1=1 DRIVERS=1
unregistration: a task, files in use, reclaim | ROUNDS0=1 FILES=1 DRIVERS=1
unregistration: a task, and its cgroup goes, too | ROUNDS0=1 REMOVALS=1 DRIVERS=1
an id is used again: two tasks | ROUNDS0=1 ROUNDS1=1 DRIVERS=2
an id is used again: a limit of the old region is written | ROUNDS1=1 FILES=1 DRIVERS=2
'

# name | who runs: there is no way to go round for ever
live_rows='
every call ends: two levels go | ROUNDS0=2 REMOVALS=2
every call ends: the driver goes | ROUNDS0=1 ROUNDS1=1 DRIVERS=1
'

# BREAK_ | the property that fails | name | who runs
broken_rows='
TAKE_BACK | fits_is_granted | as 7.3: add at each level, then take back | POOLS_EXIST=1 ROUNDS0=1 ROUNDS1=1 COUSINS=1 SIZE2=3 FILES=1 LIMIT1=2 LIMIT2=2
TAKE_BACK | sum_of_subtree | as 7.3: and for a while usage is nobody'\''s | POOLS_EXIST=1 ROUNDS0=1 ROUNDS1=1 COUSINS=1 SIZE2=3 FILES=1 LIMIT1=2 LIMIT2=2
PIN_CSS | cgroup_goes | as 7.3: a charge keeps its cgroup | ROUNDS0=1 REMOVALS=1
UNORDERED | sum_of_subtree | as 7.3: parent and inited are seen in any order | ROUNDS0=1 ROUNDS1=1
UNORDERED | within_limit | as 7.3: and the limit above is passed by | ROUNDS0=1 ROUNDS1=1 FILES=1
LOCK_TWICE | within_limit | look, unlock, lock, add | POOLS_EXIST=1 ROUNDS0=1 ROUNDS1=1 COUSINS=1 FILES=1
HALF_UNDONE | sum_of_subtree | a refused charge stays at the first level | POOLS_EXIST=1 ROUNDS0=1 ROUNDS1=1 FILES=1 SIZE2=2
NO_LIMIT_POOL_REF | refcount | ret_limit_pool comes without a reference | POOLS_EXIST=1 ROUNDS0=1 ROUNDS1=1 SIZE1=2 FILES=1
NOTIFY_LATE | use_after_free | put the pool, then notify | POOLS_EXIST=1 ROUNDS0=1 SIZE1=2 FILES=1 REMOVALS=1 NO_LIMIT_POOL=1
PUT_FIRST | use_after_free | put the pool, then uncharge it | ROUNDS0=1 REMOVALS=1
NO_DEAD_RECHECK | leak | creation does not look at dead again | ROUNDS0=1 REMOVALS=1
NO_UNREGISTERED_RECHECK | leak | creation does not look at unregistered again | ROUNDS0=1 DRIVERS=1
NO_UNREGISTERED_RECHECK | unregistered_refuses | and charges on | ROUNDS0=1 DRIVERS=1
NO_FOUND_RECHECK | sum_of_subtree | creation does not look for a pool again | ROUNDS0=1 ROUNDS1=1
NO_RETRY | no_other_error | a cgroup that dies meanwhile is an error | ROUNDS0=1 REMOVALS=1
ERROR_KEEPS_PARENT | leak | a failed creation keeps the parent | ROUNDS0=1 ALLOCATIONS_FAIL=1
NO_PARENT_REF | use_after_free | a pool holds no reference to its parent | ROUNDS0=1 DRIVERS=1
NO_TRYGET | refcount | a lookup counts up from 0 | POOLS_EXIST=1 ROUNDS0=1 REMOVALS=1
NO_RCU_FREE | use_after_free | kfree() instead of kfree_rcu() | POOLS_EXIST=1 ROUNDS0=1 REMOVALS=1
NO_REGION_CHECK | right_cgroup | a lookup takes the id for the region | ROUNDS1=1 FILES=1 DRIVERS=2
KEEP_LIMITS | fits_is_granted | limits stay when the cgroup goes | POOLS_EXIST=1 ROUNDS0=1 SIZE1=2 FILES=1 REMOVALS=1
KEEP_CS | use_after_free | the pool remembers its css | ROUNDS0=1 SIZE1=2 FILES=1 REMOVALS=2
DETACH_KEEPS_REF | leak | what leaves the xarray stays referenced | ROUNDS0=1 REMOVALS=1
NO_SRCU | driver_gone | unregistration does not wait for callbacks | FILES=1 DRIVERS=1
FILES_STAY | fits_is_granted | the core does not wait for who writes a file | POOLS_EXIST=1 ROUNDS0=1 SIZE1=2 FILES=1 REMOVALS=1
CALLER_HOLDS_NOTHING | use_after_free | a driver unregisters while it charges | ROUNDS0=1 DRIVERS=1
PARENT_FIRST | every_call_ends | the core takes the parent offline first | ROUNDS0=1 REMOVALS=2
'

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# build GCC OPTIONS -- SPIN OPTIONS: a verifier in the current directory
build() {
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	spin -a "$@" "$model" > build.log 2>&1 &&
		gcc -w -DNOCLAIM -DCOLLAPSE -DMEMLIM=450 "${options[@]}" -o pan pan.c >> build.log 2>&1
}

# row KIND PROPERTY FLAG SETTINGS: 0 if it is as it must be; the rest of the line
# of the result on stdout, then comments
row() {
	local kind=$1 property=$2 flag=$3 settings=$4
	local pan=./pan found=none run=()

	case $kind in
	true)
		pan=../true/pan
		;;
	live)
		pan=../live/pan run=(-l)
		;;
	broken)
		if [ "$property" = every_call_ends ]; then
			run=(-l)
			build -O0 -DNP -- "-DBREAK_$flag" "-DONLY=$property"
		else
			build -O0 -DSAFETY -- "-DBREAK_$flag" "-DONLY=$property"
		fi || {
			echo "does not build"
			sed 's/^/# /' build.log
			return 1
		}
		;;
	esac

	[ -x "$pan" ] || {
		echo "does not build"
		return 1
	}

	# shellcheck disable=SC2086
	env $settings "$pan" -w22 -m100000 "${run[@]}" > pan.log 2>&1 || true
	if grep -q '^pan:1: non-progress cycle' pan.log; then
		found=every_call_ends
	elif [ -e dmem.pml.trail ]; then
		# no property of ours: a deadlock, or a fault of the model
		found=$(sed -n 's/^pan:1: *//p' pan.log)
	elif ! grep -q 'errors: 0$' pan.log || grep -q 'not completed' pan.log; then
		found="nothing, in what it could see"
		sed 's/^/# /' pan.log > comments
	fi
	if [ -e dmem.pml.trail ]; then
		# shellcheck disable=SC2086
		env $settings "$pan" -r dmem.pml.trail > trail.log 2>&1 || true
		sed -n 's/^[ \t]*\([0-9]: .*\)/#   \1/p' trail.log > comments
		if grep -q '^violated: ' trail.log; then
			found=$(sed -n 's/^violated: *//p' trail.log)
		fi
	fi

	if [ "$kind" = broken ]; then
		echo "breaks $found"
	else
		echo "$(awk '/states, stored/ { print $1; exit }' pan.log) states"
		[ "$found" = none ] || echo "# breaks $found"
	fi
	[ ! -e comments ] || cat comments
	[ "$found" = "$property" ]
}

# run NR KIND PROPERTY FLAG NAME SETTINGS: leaves NR.out
run() {
	local ok="ok"
	mkdir "$dir/$1"
	cd "$dir/$1"
	row "$2" "$3" "$4" "$6" > out || ok="not ok"
	{
		printf '%s %d - %s: ' "$ok" "$1" "$5"
		cat out
	} > "$dir/$1.out"
	# the steps of the model that this row did not come to
	if [ "$2" = true ]; then
		awk '/^unreached in/ { who = $NF } /^\t.*pml:/ { print who, $0 }' pan.log |
			grep -v -e 'violated: ' -e "printf('.n')" -e 'assert(0)' |
			sort -u > "$dir/$1.unreached" || true
	fi
	cd "$dir"
	rm -rf "${dir:?}/$1"
}

trim() {
	local text=$1
	text=${text#"${text%%[! ]*}"}
	printf '%s' "${text%"${text##*[! ]}"}"
}

rows=()
add_rows() {
	local kind=$1 line flag property name settings
	while read -r line; do
		[ -n "$line" ] || continue
		case $line in *"$only"*) ;; *) continue ;; esac
		if [ "$kind" = broken ]; then
			IFS='|' read -r flag property name settings <<< "$line"
			flag=$(trim "$flag")
			name="$flag, $(trim "$name")"
		else
			IFS='|' read -r name settings <<< "$line"
			property=none flag=
		fi
		rows+=("$kind|$(trim "$property")|$flag|$(trim "$name")|$settings")
	done <<< "$2"
}

# The functions that the model says it is, which may have been renamed.
check_names() {
	local name missing=()
	for name in $(sed -n 's/^inline \(dmem[a-z]*_[a-z_]*\)(.*/\1/p' "$model") \
		dmem_cgroup_try_charge dmem_cgroup_uncharge dmemcs_free dmemcg_limit_write \
		dmemcg_number_show dmemcg_region_get dmemcg_region_put; do
		grep -q "\<$name(" "$source" || missing+=("$name")
	done
	[ ${#missing[@]} -eq 0 ] || {
		echo "# not in dmem.c: ${missing[*]}"
		return 1
	}
}

# Every property is broken by some row: none of them holds for want of a case.
check_properties() {
	local property missing=()
	for property in $(sed -n '/^mtype/,/^}/s/^\t\([a-z_]*\).*/\1/p' "$model"); do
		grep -q "| $property |" <<< "$broken_rows" || missing+=("$property")
	done
	[ ${#missing[@]} -eq 0 ] || {
		echo "# nothing breaks ${missing[*]}"
		return 1
	}
}

# Every step is taken in some row: nothing is right for never having happened.
check_steps() {
	local rows=("$dir"/*.unreached) steps
	steps=$(sort "${rows[@]}" | uniq -c | awk -v all=${#rows[@]} '$1 == all')
	[ -z "$steps" ] || {
		sed 's/^/# never: /' <<< "$steps"
		return 1
	}
}

command -v spin > /dev/null || {
	echo "TAP version 13"
	echo "1..0 # SKIP no spin"
	exit 4
}

add_rows true "$true_rows"
add_rows live "$live_rows"
add_rows broken "$broken_rows"
count=${#rows[@]}

self_checks=(
	"check_names:the functions that the model names are in dmem.c"
	"check_properties:every property is seen to fail"
)
[ -n "$only" ] || self_checks+=("check_steps:every step of the model is taken in some row")

echo "TAP version 13"
echo "1..$((count + ${#self_checks[@]}))"

# the true model is one program, a fast one; its rows differ in who runs
verifier() {
	mkdir "$dir/$1"
	cd "$dir/$1"
	build "${@:2}" -- || cat build.log >&2
}
verifier true -O2 -DSAFETY &
verifier live -O1 -DNP &
wait

running=0
for i in "${!rows[@]}"; do
	IFS='|' read -r kind property flag name settings <<< "${rows[i]}"
	if [ $running -ge 2 ]; then
		wait -n || true
		running=$((running - 1))
	fi
	run $((i + 1)) "$kind" "$property" "$flag" "$name" "$settings" &
	running=$((running + 1))
done
wait

status=0
for ((i = 1; i <= count; i++)); do
	cat "$dir/$i.out"
	grep -q '^ok' "$dir/$i.out" || status=1
done
for check in "${self_checks[@]}"; do
	count=$((count + 1))
	if "${check%%:*}"; then
		echo "ok $count - ${check#*:}"
	else
		echo "not ok $count - ${check#*:}"
		status=1
	fi
done
exit $status
