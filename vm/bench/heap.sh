#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in the guest, as its only test: times of the heap "bench", or of the one
# at the address that vm/dts/bench.dtso has it at, in a cgroup of depth 3 that
# has a limit, see heap-time.c.

set -eu
path=/sys/fs/cgroup
for level in a b c; do
	path=$path/$level
	mkdir $path
	[ $level = c ] || echo +dmem > $path/cgroup.subtree_control
done
name=$(basename /dev/dma_heap/bench*)
! grep -q "^cma/$name " /sys/fs/cgroup/dmem.capacity || echo "cma/$name 1G" > $path/dmem.max
echo $$ > $path/cgroup.procs

# where there is no DMA there is nothing to map for it
[ "$(uname -m)" = x86_64 ] || insmod importer_selftest.ko

recycler=/sys/kernel/mm/cma_recycle/$name
[ -d $recycler ] || recycler=
# shellcheck disable=SC2086	# none, or one word
exec heap-time /dev/dma_heap/$name $recycler
