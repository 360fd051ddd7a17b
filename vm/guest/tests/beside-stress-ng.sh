#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# dmem-stress while stress-ng, the host's, fills memory, the areas' included, with
# pages that have to be moved out of the way of each buffer.
#
# stress-ng is bounded: by size, so that nothing has to be killed for want of
# memory, and by dmem-stress, with which it ends.  --verify has it look at the
# contents of its own memory: moved pages must be what they were.
#
# Needs a kernel with compaction, and dmem.top= on its command line.

tracing=/sys/kernel/tracing
events=$tracing/instances/moved
log=/tmp/stress-ng.log
failed=0

echo "KTAP version 1"
[ -d /host/usr ] || with-host /bin/true || { echo "1..0 # SKIP no file system of a host"; exit 4; }
[ -x /host/usr/bin/stress-ng ] || { echo "1..0 # SKIP the host has no stress-ng"; exit 4; }
[ -w /proc/sys/vm/compact_memory ] || { echo "1..0 # SKIP no CONFIG_COMPACTION"; exit 4; }
echo "1..5"

# ok NUMBER NAME CONDITION...
ok() {
	local number=$1 name=$2
	shift 2
	if "$@"; then
		echo "ok $number $name"
	else
		echo "not ok $number $name"
		failed=1
	fi
}

# kB of the areas that processes have borrowed; buffers are not CmaFree either,
# so this means something only while there are none
meminfo() {
	sed -n "s/^$1: *\([0-9]*\) kB/\1/p" /proc/meminfo
}
borrowed() {
	echo $(($(meminfo CmaTotal) - $(meminfo CmaFree)))
}

# those that were moved to make room for a contiguous allocation, and not by
# compaction: MR_CONTIG_RANGE
[ -d $tracing/instances ] || mount -t tracefs tracefs $tracing
mkdir $events
echo 'reason == 6 && succeeded > 0' > $events/events/migrate/mm_migrate_pages/filter
echo 1 > $events/events/migrate/mm_migrate_pages/enable
moved() {
	cat $events/per_cpu/cpu*/stats | sed -n 's/^\(entries\|overrun\): //p' |
		awk '{ sum += $1 } END { print sum + 0 }'
}

# A quarter of what there is for each of the largest two, in processes that cannot
# have more than that and their program; mlockmany is among those that stress-ng
# wants to be asked twice for
quarter=$(($(meminfo MemAvailable) / 4096))
(
	ulimit -v $((quarter * 1024 + 98304))
	ulimit -l 4096
	exec with-host /usr/bin/nice -n 10 stress-ng --temp-path /tmp --timeout 0 --verify \
		--oom-avoid --vm 1 --vm-bytes ${quarter}m --vm-keep --pagemove 1 \
		--memfd 1 --memfd-bytes 16m --bigheap 1 --bigheap-growth 1m \
		--mlockmany 1 --mlockmany-procs 4 --pathological --thrash
) > $log 2>&1 &
pid=$!
# as --compact-memory does, which Debian 12's does not have
while echo 1 > /proc/sys/vm/compact_memory; do
	usleep 200000
done &
compacting=$!

tries=600
while [ $(($(borrowed) * 2)) -lt "$(meminfo CmaTotal)" ] && [ $tries -gt 0 ]; do
	usleep 100000
	tries=$((tries - 1))
	kill -0 $pid || tries=0
done
ok 1 "processes have borrowed half of the areas" [ $tries -gt 0 ]
echo "# beside stress-ng: $(borrowed) of $(meminfo CmaTotal) kB borrowed"

# what mm/cma_recycle.c has counted for all areas
recycle() {
	cat /sys/kernel/mm/cma_recycle/*/"$1" | awk '{ sum += $1 } END { print sum + 0 }'
}

before=$(moved)
hits=$(recycle hits) misses=$(recycle misses) pressure=$(recycle given_back_pressure)
./dmem-stress > /tmp/dmem-stress.log 2>&1
status=$?
sed 's/^/    /' /tmp/dmem-stress.log
ok 2 "dmem-stress beside it" [ $status = 0 ]
after=$(moved)
echo "# beside stress-ng: pages were moved for buffers $((after - before)) times"
sed -n 's/^# dmem-stress:/# beside stress-ng:/p' /tmp/dmem-stress.log
ok 3 "pages had to be moved" [ "$after" -gt "$before" ]

hits=$(($(recycle hits) - hits))
pressure=$(($(recycle given_back_pressure) - pressure))
echo "# beside stress-ng: $hits buffers of recycled memory, $(($(recycle misses) - misses)) of other;" \
	"$pressure bytes given back for want of memory"
# how short memory gets here is stress-ng's affair; cma-heap-recycle has it go back
ok 4 "memory was recycled" [ $hits -gt 0 ]

wrong=0
kill $compacting
kill -INT $pid || wrong=1
wait $pid
grep -E "fail:|error:" $log && wrong=1
[ $wrong = 0 ] || sed 's/^/# /' $log
ok 5 "stress-ng ran all the time, and found its memory as it was" [ $wrong = 0 ]
exit $failed
