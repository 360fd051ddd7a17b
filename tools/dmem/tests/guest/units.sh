#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Units and scopes of a real systemd.  systemd.sh boots it and runs this as a service.

set -u
PATH=$DMEM_TOP/build/tools:$PATH
cd /tmp || exit 1
CG=/sys/fs/cgroup
. "$DMEM_TOP/tools/dmem/tests/guest/judge.sh"
VIDEO=$(basename "$(echo /dev/dma_heap/video*)")
region=cma/$VIDEO

echo "KTAP version 1"
echo "1..8"
echo "# $(systemctl --version | head -n1)"

run 0 systemctl start player.service
run 0 dmemctl set player.service "$VIDEO=25%"
[ -z "$said" ] || wrong "nothing to say, but: $said"
file /media.slice/player.service/dmem.max "^$region 16777216$"
file /media.slice/cgroup.subtree_control dmem
run 0 dmemctl set player --low "$VIDEO=1M"
file /media.slice/player.service/dmem.low "^$region 1048576$"
run 0 dmemctl set media.slice "$VIDEO=32M"
file /media.slice/dmem.max "^$region 33554432$"
run 0 dmemctl show player.service -r "$VIDEO"
says "─/media.slice/player.service +0 .* 16M +0 +16M /media.slice/player.service$"
verdict "set and show: units by name"

run 0 systemctl daemon-reload
file /media.slice/player.service/dmem.max "^$region 16777216$"
file /media.slice/cgroup.subtree_control dmem
verdict "limits and +dmem survive daemon-reload"

run 1 dmemctl set stopped.service "$VIDEO=1M"
says "stopped.service is not running: it has no cgroup"
run 1 dmemctl set nobody.service "$VIDEO=1M"
says "no unit or cgroup 'nobody.service'; there are: .*/media.slice"
verdict "set: a unit that is not running, one that there is not"

run 7 dmemctl run --max "$VIDEO=1M" -- sh -c '
	cat /proc/self/cgroup
	cat /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/dmem.max
	heap-hold '"$VIDEO"' 2M
	exit 7'
says "^0::/system.slice/dmem-run-[0-9]+.scope$" "^$region 1048576$" "ENOSPC"
run 0 systemctl list-units --all --no-legend --plain 'dmem-run-*'
[ -z "$said" ] || wrong "a scope is left: $said"
verdict "run: a scope with limits from the first instruction"

run 0 dmemctl run --unit here --slice media --max "$VIDEO=1M" -- cat /proc/self/cgroup
says "^0::/media.slice/here.scope$"
soon test ! -d "$CG/media.slice/here.scope"
dmemctl run --unit twice -- sleep 1000 &
first=$!
soon grep -q . "$CG/system.slice/twice.scope/cgroup.procs"
run 1 dmemctl run --unit twice -- touch /tmp/it-ran
says "systemd does not start twice.scope: .*twice.scope"
run 1 dmemctl run --unit loud --max "$VIDEO=1M" --slice nested -- false
run 1 dmemctl run --unit gone --max "audio=1M" -- touch /tmp/it-ran
[ ! -e /tmp/it-ran ] || wrong "the command ran"
kill "$first"
ends "$first" 143
run 127 dmemctl run -- no-such-command
verdict "run: --unit, --slice, and what cannot be"

# a unit of the system's is not a user's; and there is no user's manager here
run 1 setpriv --reuid 1000 --regid 1000 --clear-groups dmemctl run -- touch /tmp/it-ran
says "cannot reach the user manager of systemd"
run 1 setpriv --reuid 1000 --regid 1000 --clear-groups dmemctl set player.service "$VIDEO=1M"
says "/media.slice/player.service/dmem.max: writing '$region 1048576': only root"
verdict "a user"

# dmemd as it is installed, but for its place; namespaces are the host's to make
unit=/etc/systemd/system/dmemd.service
sed -e "s,^ExecStart=/usr/sbin/,ExecStart=$DMEM_TOP/build/tools/," \
	-e '/^\(Protect\|Private\|Restrict\|IPAddressDeny\)/d' \
	"$DMEM_TOP/systemd-units/dmemd.service" > $unit
run 0 systemctl daemon-reload
run 0 systemctl start dmemd.service
run 0 dmemctl set player.service --max "$VIDEO=50%" --low "$VIDEO=2M" --persist
file /media.slice/player.service/dmem.max "^$region 33554432$"
run 0 dmemctl set player.service "$VIDEO=12M" --persist
run 0 systemctl daemon-reload
run 0 systemctl cat player.service
says "^\[X-DMem\]$" "^DeviceMemoryMax=$region 12M$" "^DeviceMemoryLow=$region 2M$" "!50%"
run 0 systemctl show -p NeedDaemonReload,LoadState player.service
says "NeedDaemonReload=no" "LoadState=loaded"
verdict "set --persist: a drop-in that systemd takes"

# the cgroup goes, and its limits with it
run 0 systemctl stop player.service
soon test ! -d $CG/media.slice/player.service
run 0 systemctl start player.service
soon grep -q "^$region 12582912$" $CG/media.slice/player.service/dmem.max
file /media.slice/player.service/dmem.low "^$region 2097152$"
run 2 dmemctl set player.service "$VIDEO=nonsense" --persist
file /media.slice/player.service/dmem.max "^$region 12582912$"
run 0 systemctl stop dmemd.service
rm $unit
run 1 dmemctl set player.service "$VIDEO=1M" --persist
says "dmemd, which is not installed"
file /media.slice/player.service/dmem.max "^$region 12582912$"
verdict "set --persist: dmemd applies it again, and is needed"

run 0 systemctl stop player.service
exit $failed
