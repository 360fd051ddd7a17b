#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The example program finds the heap of a device from its node in /dev, goes by
# what the cgroup's limits leave, and says what is wrong.  The devices are those
# of dma-heap-consumer-test.c in vm/dts/carveouts.dtso.

echo "KTAP version 1"
echo "1..13"
root=/sys/fs/cgroup
n=0

# node DEVICE: what it has in /dev/dri
node() {
	echo /dev/dri/$(ls "/sys/bus/platform/devices/heap-test:$1/drm" | grep card)
}

# video DEVICE: its /dev/videoN
video() {
	echo /dev/$(ls "/sys/bus/platform/devices/heap-test:$1/video4linux")
}

# check NAME EXPECTED ARGUMENTS...: what the program says in cgroup $group
check() {
	local name=$1 expected=$2 seen
	shift 2
	n=$((n + 1))
	seen=$(sh -c "echo \$\$ > $group/cgroup.procs; exec heap-for-device \"\$@\"" \
		sh "$@" 2>&1)
	seen="$seen ($?)"
	if [ "$seen" = "$expected" ]; then
		echo "ok $n $name"
	else
		printf 'expected:\n%s\nsaw:\n%s\n' "$expected" "$seen" | sed 's/^/# /'
		echo "not ok $n $name"
	fi
}

mkdir -p $root/example/inner
echo +dmem > $root/example/cgroup.subtree_control
group=$root/example/inner

# limit CGROUP HEAP BYTES
limit() { echo "cma/$2 $3" > "$1/dmem.max"; }

check "one heap" "video@58000000: 1048576 bytes (0)" "$(node codec)" 1M
check "another device, another heap" "display@50000000: 4096 bytes (0)" \
	"$(node display-engine)" 1
check "a V4L2 device" "video@58000000: 1048576 bytes (0)" "$(video codec)" 1M
check "another one" "display@50000000: 4096 bytes (0)" "$(video display-engine)" 1
check "several heaps: the one with the most room" \
	"video@58000000: 2097152 bytes (0)" "$(node camera)" 2M

limit $group video@58000000 1M
check "a limit leaves less room there" \
	"display@50000000: 2097152 bytes (0)" "$(node camera)" 2M
limit $group video@58000000 max
limit $root/example video@58000000 1M
check "so does the limit of a cgroup above" \
	"display@50000000: 2097152 bytes (0)" "$(node camera)" 2M
check "exactly the limit" "video@58000000: 1048576 bytes (0)" "$(node codec)" 1M
limit $group display@50000000 4096
check "no room anywhere" \
"heap-for-device: video@58000000: room for 1048576 bytes, not 2097152
heap-for-device: display@50000000: room for 4096 bytes, not 2097152 (1)" \
	"$(node camera)" 2M

check "a device without memory of its own" \
"heap-for-device: no heap shares memory with $(node mixer) ($(realpath /sys/bus/platform/devices/heap-test:mixer)) (1)" \
	"$(node mixer)" 1M
check "no such node" \
	"heap-for-device: /dev/dri/none: No such file or directory (1)" /dev/dri/none 1M
check "not a node" "heap-for-device: /init: not a device node (1)" /init 1M
check "not a number" "usage: heap-for-device DEVICE BYTES[K|M|G] (2)" "$(node codec)" 1x

rmdir $group $root/example
