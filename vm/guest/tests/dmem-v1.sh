#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# dmem in a cgroup v1 hierarchy of its own: charges, limits and their removal
# work as in v2, and in v2 once that is unmounted.  Needs a boot that mounts no v2
# hierarchy (dmem.cgroup=v1), as a controller is in one hierarchy at a time.

echo "KTAP version 1"
echo "1..6"
root=/sys/fs/cgroup
n=0

# check NAME SEEN EXPECTED
check() {
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n $1"
	else
		echo "# expected \"$3\", saw \"$2\""
		echo "not ok $n $1"
	fi
}

# wait_until COMMAND...: until it succeeds, or for ten seconds
wait_until() {
	local tries=100
	until "$@" || [ $tries = 0 ]; do
		tries=$((tries - 1))
		usleep 100000
	done
}

# listed FIELD VALUE: of dmem's line in /proc/cgroups
listed() {
	awk -v "f=$1" -v "v=$2" '$1 == "dmem" { exit $f != v }' /proc/cgroups
}

seen=$(mount -t cgroup -o dmem dmem $root 2>&1)
check "mounts" "$seen" ""
mkdir $root/a
echo "cma/video 1M" > $root/a/dmem.max
check "limit is kept" "$(grep video $root/a/dmem.max)" "cma/video 1048576"

sh -c "echo \$\$ > $root/a/cgroup.procs; exec heap-hold video 1M" > /tmp/held 2>&1 &
wait_until [ -s /tmp/held ]
check "charge is seen" "$(grep video $root/a/dmem.current)" "cma/video 1048576"
seen=$(sh -c "echo \$\$ > $root/a/cgroup.procs; exec heap-hold video 4K" 2>&1)
check "limit holds" "$seen" \
	"heap-hold: video: 4096 bytes: No space left on device (ENOSPC)"
kill $!
wait $!
check "charge is given back" "$(grep video $root/a/dmem.current)" "cma/video 0"
rmdir $root/a

# The root's cgroup is another one afterwards: a buffer says its path

wait_until listed 3 1
umount $root
wait_until listed 2 0
mount -t cgroup2 cgroup2 $root
rm /tmp/held
heap-hold video 4K > /tmp/held 2>&1 &
wait_until [ -s /tmp/held ]
check "then in v2: a buffer says who is charged" \
	"$(cat /proc/$!/fdinfo/* | sed -n 's/^dmem_cgroup:\t//p')" /
kill $!
wait $!
