#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Areas that the kernel accepts and then cannot activate get neither heap nor
# region, and one line.
#
#	vm/tests/area-lines.sh		on arm64, where a range can lie across two zones
#	vm/tests/area-lines.sh arm	what the device tree asks for, on 32-bit arm,
#					which remaps areas before it knows

set -uo pipefail
. "$(dirname "$0")/boot-lines.sh"

arch=${1:-arm64}
case $arch in
arm64)	digits=16 pageblock=0x200000 cases=4 ;;
arm)	digits=8 pageblock=0x400000 cases=1 ;;
esac

echo "KTAP version 1"
echo "1..$cases"

two_zones() {
# RAM from 1 GiB to beyond 4 GiB, where ZONE_DMA32 ends
boot_case "an area across two zones is not activated" arm64 \
	"default_cma_region 41943040;display@50000000 41943040;good 4194304;video@58000000 67108864;" \
	"default_cma_region display@50000000 good linux,cma video@58000000 " \
	"cma: CMA area across could not be activated" \
	'could not be activated|left out' \
	--memory 4096 --append "dmem.tests=show-areas.sh cma_carveout=across:8M@0xffc00000,good:4M"

boot_case "a carveout of the device tree's is not given away again" arm64 \
	"default_cma_region 41943040;display@50000000 41943040;video@58000000 67108864;" \
	"default_cma_region display@50000000 linux,cma video@58000000 " \
'cma_carveout: "video@58000000:4M" left out: another CMA area has the name
cma_carveout: "mine:4M@0x58000000" left out: part of it is reserved already
cma_carveout: "firm:4M@0x5c000000" left out: not all of it is memory' \
	'left out' \
	--append "dmem.tests=show-areas.sh cma_carveout=video@58000000:4M,mine:4M@0x58000000,firm:4M@0x5c000000"

}
[ $arch = arm ] || two_zones

# Nodes that cannot be areas: one line each, whatever the reason, and one that is
# too many.  Their heaps and regions are not there, a device that was to have one
# of them has the default area.
gone() { printf 'cma_reserved: %s left out: %s; its %s KiB are ordinary memory, devices that point at it are refused it (EINVAL) or use the default area linux,cma' "$1" "$2" "$3"; }
long=a-name-of-more-than-the-sixty-three-characters-that-an-area-has-room-for
taken="the name belongs to another heap"
place() { printf "its %s 0x%0${digits}x is not a multiple of a pageblock, $pageblock" "$1" "$2"; }
devices="lucky 0 area@59800000;orphan -22 linux,cma;"
boot_case "awkward nodes are left out with a line each" $arch \
	"$(printf 'area@%x 4194304;' $(seq $((0x58400000)) $((0x400000)) $((0x5bc00000))))default_cma_region 41943040;" \
	"$(printf 'area@%x ' $(seq $((0x58400000)) $((0x400000)) $((0x5bc00000))))default_cma_region linux,cma " \
"$(gone system_cc_shared "$taken" 4096)
$(gone area@58000000 "there are CONFIG_CMA_AREAS=16 areas already, raise that" 4096)
$(gone tiny@57800000 "$(place size 0x1000)" 4)
$(gone odd@57000000 "$(place size 0x410000)" 4160)
$(gone unaligned@56100000 "$(place base 0x56100000)" 4096)
$(gone "$long" "the name is too long" 4096)
$(gone default_cma_region "$taken" 4096)
$(gone system "$taken" 65536)
$(gone reserved "$taken" 4096)" \
	'left out|^cma: |Reserved memory: (incorrect|unable)' \
	--dts awkward --append "dmem.modules=dma-heap-consumer-test dmem.tests=show-areas.sh"
devices=
[ $arch = arm64 ] || exit $failed

# What was left out is memory like any other: the carveouts' device tree takes the
# 8 MiB of the firmware and the co-processor away from it, this one nothing.
memory() { sed -n 's/^# memory: \([0-9]*\) kB.*/\1/p' \
	"$top/build/$SERIES/arm64${VARIANT:+-$VARIANT}/boot/lines-$1.results"; }
expected=$(($(memory 2) + 8192)) seen=$(($(memory 3)))
number=$((number + 1))
if [ $((expected - seen)) -lt 1024 ] && [ $((seen - expected)) -lt 1024 ]; then
	echo "ok $number the memory of what was left out is there for all"
else
	echo "# expected $expected kB, saw $seen"
	echo "not ok $number the memory of what was left out is there for all"
	failed=1
fi

exit $failed
