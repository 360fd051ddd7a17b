#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# cma_carveout=: what cannot be had is left out with one line that says what and
# why, and takes nothing else along.  On User Mode Linux, 512 MiB.

set -uo pipefail
. "$(dirname "$0")/boot-lines.sh"

# uml_case NAME REGIONS HEAPS LINES PARAMETERS
uml_case() {
	boot_case "$1" um "$2" "$3" "$4" '^cma_carveout: .*left out' \
		--memory 512 --append "dmem.tests=show-areas.sh $5"
}
out() { printf 'cma_carveout: "%s" left out: %s' "$1" "$2"; }

charset="the name has a character other than A-Z a-z 0-9 . _ + - @"
n63=$(printf 'n%.0s' {1..63})
many=$(printf 'a%d:4M,' {1..17})

echo "KTAP version 1"
echo "1..9"

uml_case "none asked for" "" "" "" ""

uml_case "sizes are rounded up to pageblocks, parameters add up" \
	"one 4194304;three 12582912;two 8388608;" "one three two " "" \
	"cma_carveout=one:1,two:4097K cma-carveout=three:0xc00000"

uml_case "names as in a device tree" \
	"cam_0.a+b-c 4194304;$n63 4194304;video@58000000 4194304;" \
	"cam_0.a+b-c $n63 video@58000000 " "" \
	"cma_carveout=video@58000000:4M,cam_0.a+b-c:4M,$n63:4M"

uml_case "bad names" "ok 4194304;" "ok " \
"$(out ":4M" "the name is empty")
$(out "a/b:4M" "$charset")
$(out ".:4M" "the name does not start with a letter or digit")
$(out "n$n63:4M" "the name is too long")
$(out "system:4M" "the name belongs to another heap")
$(out "default_cma_region:4M" "the name belongs to another heap")
$(out "reserved:4M" "the name belongs to another heap")
$(out "ok:8M" "another CMA area has the name")" \
	"cma_carveout=:4M,a/b:4M,.:4M,n$n63:4M,system:4M,default_cma_region:4M,reserved:4M,ok:4M,ok:8M"

uml_case "bad syntax" "z 4194304;" "z " \
"$(out "a" "no size: expected <name>:<size>[@<base>]")
$(out "b:" "the size is not a number")
$(out "c:M" "the size is not a number")
$(out "d:-4M" "the size is not a number")
$(out "e:4MM" "there is something after the size or base")
$(out "f:4M@" "the base is not a number")
$(out "g:4M@x" "the base is not a number")
$(out "h:4M@0x1000000k1" "there is something after the size or base")
$(out "i:0" "the size is 0")
$(out "" "no size: expected <name>:<size>[@<base>]")" \
	"cma_carveout=a,b:,c:M,d:-4M,e:4MM,f:4M@,g:4M@x,h:4M@0x1000000k1,i:0,,z:4M"

uml_case "bases" "there 4194304;" "there " \
"$(out "odd:4M@0x8001000" "the base is not aligned to a pageblock")
$(out "beyond:4M@0x40000000" "not all of it is memory")
$(out "across:8M@0x1fc00000" "not all of it is memory")
$(out "zero:4M@0" "the base is 0")
$(out "kernel:4M@4M" "part of it is reserved already")
$(out "again:8M@0x10000000" "part of it is reserved already")" \
	"cma_carveout=odd:4M@0x8001000,beyond:4M@0x40000000,across:8M@0x1fc00000,zero:4M@0,kernel:4M@4M,there:4M@0x10000000,again:8M@0x10000000"

uml_case "too large" "small 4194304;" "small " \
"$(out "all:512M" "it would leave too little memory for the kernel")
$(out "nearly:440M" "it would leave too little memory for the kernel")
$(out "more:1T" "there is not so much memory")
$(out "most:15E" "there is not so much memory")" \
	"cma_carveout=all:512M,nearly:440M,more:1T,most:15E,small:4M"

uml_case "one more than CONFIG_CMA_AREAS" \
	"$(printf 'a%d 4194304;' 1 10 11 12 13 14 15 16 2 3 4 5 6 7 8 9)" \
	"$(printf 'a%d ' 1 10 11 12 13 14 15 16 2 3 4 5 6 7 8 9)" \
"$(out "a17:4M" "there are CONFIG_CMA_AREAS=16 areas already, raise that")
$(out "" "no size: expected <name>:<size>[@<base>]")" \
	"cma_carveout=$many"

uml_case "a value is missing" "" "" "$(out "" "no size: expected <name>:<size>[@<base>]")" \
	"cma_carveout="

exit $failed
