#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in the guest, as its only test.  With one CPU it prints
#
#	floor DEPTH NS			a pair of bare page counters
#	pair DEPTH REGIONS USED NS	charge and uncharge; the cgroup has a limit
#					on USED of the REGIONS, the charged one
#					is the last
#	read REGIONS USED NS		reading dmem.current
#
# and with two, for processes at the same time in sibling cgroups,
#
#	together DEPTH REGIONS NS	charge and uncharge, the slower one

set -eu
pairs=/sys/kernel/debug/dmem_selftest/pairs
top=/sys/fs/cgroup

# a new cgroup
cgroup() { # DEPTH
	local path=$top level=1
	while [ $level -lt "$1" ]; do
		path=$path/$level
		[ -d "$path" ] || mkdir "$path"
		echo +dmem > "$path/cgroup.subtree_control"
		level=$((level + 1))
	done
	mktemp -d "$path/XXXXXX"
}

# the charged region is registered last: others before it in every list
use() { # CGROUP REGIONS
	local n=1
	while [ $n -lt "$2" ]; do
		echo "dmem_selftest_$n 1G" > "$1/dmem.max"
		n=$((n + 1))
	done
	echo "dmem_selftest 1G" > "$1/dmem.max"
}

one_cpu() {
	local depth regions used path

	for depth in 1 3 8; do
		echo floor $depth \
			"$(dmem-time pairs /sys/kernel/debug/dmem_floor/pairs $depth 1000 50)"
	done
	for regions in 1 8 64 512; do
		echo $regions > "${pairs%pairs}regions"
		for depth in 1 3 8; do
			for used in 1 $regions; do
				path=$(cgroup $depth)
				use "$path" $used
				echo $$ > "$path/cgroup.procs"
				echo pair $depth $regions $used \
					"$(dmem-time pairs "$pairs" '' 1000 50)"
				[ $depth != 3 ] || echo read $regions $used \
					"$(dmem-time read "$path/dmem.current" 10 50)"
				[ $regions != 1 ] || break
			done
		done
	done
}

two_cpus() {
	local depth regions one two

	for regions in 1 64; do
		echo $regions > "${pairs%pairs}regions"
		for depth in 1 3 8; do
			one=$(cgroup $depth)
			two=$(cgroup $depth)
			use "$one" $regions
			use "$two" $regions
			echo together $depth $regions \
				"$(dmem-time together "$pairs" 100000 10 "$one" "$two")"
		done
	done
}

insmod dmem_selftest.ko
insmod dmem_floor.ko
if [ "$(nproc)" = 1 ]; then
	one_cpu
else
	two_cpus
fi
