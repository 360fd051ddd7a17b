#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Areas that the kernel accepts and then cannot activate get neither heap nor
# region, and one line.  On arm64, where a range can lie across two zones.

set -uo pipefail
. "$(dirname "$0")/boot-lines.sh"

echo "KTAP version 1"
echo "1..2"

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

exit $failed
