#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For the host's tests of boot lines: what areas, regions and heaps there are, and
# what devices have that were to have one of them.

echo "KTAP version 1"
echo "1..1"
echo "# regions: $(sed -n 's,^cma/,,p' /sys/fs/cgroup/dmem.capacity | sort | tr '\n' ';')"
echo "# heaps: $(ls /dev/dma_heap | grep -v '^system' | sort | tr '\n' ' ')"
# device: error with which it was refused its region, what it has instead
for device in /sys/bus/platform/drivers/dma-heap-test-consumer/*:*; do
	[ -e "$device/given" ] || continue
	devices="$devices${device##*:} $(cat "$device/given") $(cat "$device/area");"
done
echo "# devices: $devices"
echo "# memory: $(sed -n 's/^MemTotal: *//p' /proc/meminfo)"
echo "ok 1 shown"
