#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# dmemctl on the kernel as it was released: regions of a driver, and nothing of ours
# that tells of heaps, limit hits or buffers.  The driver is the selftest module,
# built for that kernel; a GPU's would do the same calls.  vm/guest/tests/dmemctl.sh
# runs it.

set -u
PATH=$DMEM_TOP/build/tools:/tmp:$PATH
cd /tmp || exit 1
CG=$(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .* - cgroup2 .*/\1/p' /proc/self/mountinfo | head -n1)
driver=/sys/kernel/debug/dmem_selftest
region=dmem_selftest

. "$DMEM_TOP/tools/dmem/tests/guest/judge.sh"

# charge CGROUP BYTES: as the driver would for a process there
charge() { (echo 0 > "$CG$1/cgroup.procs"; echo "$2" > $driver/charge) 2> /dev/null; }

echo "KTAP version 1"
echo "1..8"

[ ! -e /sys/kernel/mm/cma_recycle ] || wrong "this is not the released kernel"
run 0 dmemctl list
says "^$region +[0-9.]+[KMGT] +0 " "this kernel does not tell which region a heap charges"
run 0 dmemctl list --json
json "[r for r in j['regions'] if r['name'] == '$region'][0]['charged'] == 0"
json "all(r['free'] is None for r in j['regions'])"
verdict "list: the region, and what cannot be told"

mkdir "$CG/gpu" "$CG/gpu/app"
run 0 dmemctl set /gpu/app --max $region=4M --low $region=1M
file /gpu/app/dmem.max "^$region 4194304$"
file /gpu/app/dmem.low "^$region 1048576$"
file /cgroup.subtree_control dmem
file /gpu/cgroup.subtree_control dmem
verdict "set: enables the controller on the way down"

run 1 dmemctl set /gpu/app --max no-such-region=1M
says "no-such-region" "$region"
file /gpu/app/dmem.max "^$region 4194304$"
verdict "set: an unknown region is named, with those that exist"

charge /gpu/app 3145728 || wrong "3 MiB of 4 MiB are refused"
! charge /gpu/app 2097152 || wrong "5 MiB of 4 MiB are not refused"
run 0 dmemctl show
says "app +3M .* 1M +4M .* 1M "
run 0 dmemctl show --json /gpu/app
json "j['pools'][0]['current'] == 3145728 and j['pools'][0]['room'] == 1048576"
json "j['pools'][0]['refused'] is None"
verdict "show: usage and limits; refusals are not counted here"

run 1 dmemctl events
says "does not count limit hits"
verdict "events: says that there are none to be had"

run 0 dmemctl export
says "^dmem_cgroup_current_bytes\{region=\"$region\",cgroup=\"/gpu/app\"\} 3145728$" "!^dmem_cgroup_refusals\{"
verdict "export: what there is, and no zeros for what there is not"

run 0 dmemctl run --max $region=1M -- sh -c 'cat /proc/self/cgroup; cat '"$CG"'$(sed s/0::// /proc/self/cgroup)/dmem.max'
says "^$region 1048576$"
verdict "run: limits before the command"

heap-hold system 1M > /dev/null 2>&1 < /dev/null &
holder=$!
soon sh -c "dmemctl buffers 2> /dev/null | grep -q heap-hold"
run 0 dmemctl buffers
says "1M .*heap-hold\[$holder\]:" "does not tell who is charged"
kill $holder
echo 1 > $driver/uncharge
run 0 dmemctl show
says "app +0 "
verdict "buffers: without a charge to tell; after the return usage is 0"

rmdir "$CG/gpu/app" "$CG/gpu"
exit $failed
