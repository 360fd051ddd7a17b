#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For the host's tests of boot lines: what areas, regions and heaps there are.

echo "KTAP version 1"
echo "1..1"
echo "# regions: $(sed -n 's,^cma/,,p' /sys/fs/cgroup/dmem.capacity | sort | tr '\n' ';')"
echo "# heaps: $(ls /dev/dma_heap | grep -v '^system' | sort | tr '\n' ' ')"
echo "ok 1 shown"
