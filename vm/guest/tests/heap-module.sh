#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The CMA heap as a module: absent before it is loaded, its regions there all
# the same (they belong to the areas), complete after.  The programs that run
# after this one find the heaps that it leaves.

echo "KTAP version 1"
echo "1..3"

heaps() { ls /dev/dma_heap | grep -v '^system' | sort | tr '\n' ' '; }
regions() {
	sed -n 's,^cma/\([^ ]*\) .*,\1,p' /sys/fs/cgroup/dmem.capacity 2> /dev/null |
		sort | tr '\n' ' '
}

# check NUMBER NAME SEEN EXPECTED
check() {
	if [ "$3" = "$4" ]; then
		echo "ok $1 $2"
	else
		echo "# expected \"$4\", saw \"$3\""
		echo "not ok $1 $2"
	fi
}

# without the controller there are no regions at all
expected="display video "
grep -qw dmem /sys/fs/cgroup/cgroup.controllers || expected=""

check 1 "no CMA heap before the module" "$(heaps)" ""
check 2 "regions do not need the module" "$(regions)" "$expected"
seen=$(insmod /tests/cma_heap.ko 2>&1)
check 3 "the module loads and adds a heap for each area" "$seen$(heaps)" "display video "
