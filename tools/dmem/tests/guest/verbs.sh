#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every verb of dmemctl against the heaps of this guest, as root and as a user, for
# people and for programs.  vm/guest/tests/dmemctl.sh runs it.  KTAP on stdout.

set -u
PATH=$DMEM_TOP/build/tools:/tmp:$PATH
cd /tmp || exit 1
. "$DMEM_TOP/tools/dmem/tests/guest/scenario.sh"

. "$DMEM_TOP/tools/dmem/tests/guest/judge.sh"

as_user() { setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }
echo "KTAP version 1"
echo "1..28"

scenario_begin
trap 'scenario_end 2> /dev/null' EXIT
region=cma/$VIDEO
[ -e "/sys/class/dma_heap/$VIDEO/accounting" ] && discovery=yes || discovery=

# -- looking ---------------------------------------------------------------
run 0 dmemctl list
says "^$region +64M +9.7M +0 +[-0] +54.2M +$VIDEO" "^cma/$DISPLAY_HEAP +32M +2M +0 +[-0] +30M"
[ -n "$discovery" ] || says "this kernel does not tell which region a heap charges"
[ -z "$discovery" ] || says "!does not tell"
verdict "list, for people"

run 0 sh -c 'dmemctl list --json 2> /dev/null'
json "[r for r in j['regions'] if r['name'] == '$region'][0]['charged'] == 10244096"
json "all(r['size'] == r['charged'] + r['others'] + (r['cached'] or 0) + r['free'] for r in j['regions'])"
json "[r for r in j['regions'] if r['name'] == '$region'][0]['heaps'] == ['$VIDEO']"
verdict "list, for programs: the parts are the whole"

run 0 dmemctl show
says "^$region +9.7M .* 54.2M \(region\)$" "media +9.7M +9.7M +0 +0 +32M +0 +22.2M /media$" \
	"camera +4M .* max +0 +22.2M /media$" \
	"player +4.7M +4.7M +0 +16M +8M +2 +3.2M /media/player$" \
	"^cma/$DISPLAY_HEAP +2M" "ui +2M"
[ "$(grep -c ui <<< "$said")" = 1 ] || wrong "ui has nothing of $region: $said"
run 0 dmemctl show --json --region "$VIDEO" /media/player
json "len(j['pools']) == 1 and j['pools'][0]['max'] == 8388608 and j['pools'][0]['refused'] == 2"
json "j['pools'][0]['room'] == 8388608 - 5001216 and j['pools'][0]['bound_by'] == '/media/player'"
verdict "show: who has how much, and whose limit ends it"

run 0 dmemctl events
says "^$region +/media/player +2 +0$" "!/ui"
verdict "events so far"

run 0 dmemctl buffers
says "^$region +4.7M .*heap-hold\[$player\]:" "^$region +1M .*heap-hold\[$receiver\]:" "^cma/$DISPLAY_HEAP +2M"
[ "$(grep -c heap-hold <<< "$said")" = 4 ] || wrong "not four buffers: $said"
if [ -n "$discovery" ]; then
	says "^$region +4.7M +/media/player " "^$region +1M +\(removed\) "
else
	says "does not tell who is charged"
fi
run 0 dmemctl buffers "$player" --json
json "len(j['buffers']) == 1 and j['buffers'][0]['size'] == 5001216"
json "j['buffers'][0]['holders'][0]['cgroup'] == '/media/player'"
run 0 dmemctl buffers /media/camera -o SIZE --no-legend
says "^ *4M$" "^ *1M$" "!4.7M"
run 1 dmemctl buffers 999999
says "no process 999999"
verdict "buffers: also the one whose allocator is gone"

# a buffer that is mapped, without a descriptor
cat > /tmp/mapper.py << 'END'
import fcntl, mmap, os, struct, sys, time
heap = os.open("/dev/dma_heap/" + sys.argv[1], os.O_RDONLY)
data = bytearray(struct.pack("QIIQ", 65536, 0, os.O_RDWR, 0))
fcntl.ioctl(heap, 0xc0184800, data)
fd = struct.unpack("QIIQ", data)[1]
area = mmap.mmap(fd, 65536)
os.closerange(3, 256)
print("mapped", flush=True)
time.sleep(1000)
END
in_cgroup /ui python3 /tmp/mapper.py "$DISPLAY_HEAP"
mapper=$last
run 0 dmemctl buffers "$mapper"
# python3 keeps a duplicate of the descriptor in its mmap object; close it, too
says "^cma/$DISPLAY_HEAP +64K .*python3\[$mapper\]:map"
kill "$mapper"
verdict "buffers: one that is mapped alone"

# -- setting ---------------------------------------------------------------
run 0 dmemctl set /media/player --max "$VIDEO=25%" --low "$region=1M" "$DISPLAY_HEAP=0"
[ -z "$said" ] || wrong "nothing to say, but: $said"
file /media/player/dmem.max "^$region 16777216$"
file /media/player/dmem.low "^$region 1048576$"
run 0 dmemctl set /media/player "$VIDEO=4M"
says "4.7M is in use, above the limit of 4M"
file /media/player/dmem.max "^$region 4194304$"
run 0 dmemctl show -r "$VIDEO" /media/player
says " 4M! "
run 0 dmemctl set player "$VIDEO=max"
file /media/player/dmem.max "^$region max$"
verdict "set: shares, bytes, max, below what is in use"

run 0 dmemctl set /media/player "$VIDEO=8M" --dry-run
says "^/sys/fs/cgroup/media/player/dmem.max: $region 8388608 \(now max\)$"
file /media/player/dmem.max "^$region max$"
verdict "set --dry-run writes nothing"

mkdir -p "$CG/new/deep/leaf"
run 0 dmemctl set /new/deep/leaf "$VIDEO=1M" "$DISPLAY_HEAP=2M"
file /new/cgroup.subtree_control "dmem"
file /new/deep/cgroup.subtree_control "dmem"
file /new/deep/leaf/dmem.max "^$region 1048576$"
file /new/deep/leaf/dmem.max "^cma/$DISPLAY_HEAP 2097152$"
verdict "set enables the controller on the way down"

# dmem.low cannot be written: dmem.max, written before it, goes back
mount --bind /proc/version "$CG/new/deep/leaf/dmem.low"
run 1 dmemctl set /new/deep/leaf --max "$VIDEO=3M" --low "$VIDEO=1M"
umount "$CG/new/deep/leaf/dmem.low"
says "/sys/fs/cgroup/new/deep/leaf/dmem.low: writing '$region 1048576'" "!could not be undone"
file /new/deep/leaf/dmem.max "^$region 1048576$"
verdict "set: all or nothing, limits"

# the second level has a process: the first does not stay enabled
mkdir -p "$CG/busy/inner/leaf"
sleep 1000 &
sleeper=$!
echo "$sleeper" > "$CG/busy/inner/cgroup.procs"
run 1 dmemctl set /busy/inner/leaf "$VIDEO=1M"
says "/sys/fs/cgroup/busy/inner/cgroup.subtree_control: writing '\+dmem': it has processes of its own"
! grep -q dmem "$CG/busy/cgroup.subtree_control" || wrong "/busy stays enabled"
kill "$sleeper"
wait "$sleeper" 2> /dev/null
rmdir "$CG/busy/inner/leaf" "$CG/busy/inner" "$CG/busy"
verdict "set: all or nothing, the controller"

run 1 dmemctl set /media/player audio=1M
says "no region 'audio'; there are: cma/$DISPLAY_HEAP, $region"
run 1 dmemctl set /nowhere "$VIDEO=1M"
says "no cgroup '/nowhere'"
run 1 dmemctl set nobody.service "$VIDEO=1M"
says "no unit or cgroup 'nobody.service'; there are: .*/media/player"
run 2 dmemctl set /media/player "$VIDEO=1Q"
says "'1Q' is no amount"
run 2 dmemctl set /media/player "$VIDEO=1M" "$region=2M"
says "given twice"
run 1 dmemctl set / "$VIDEO=1M"
says "root cgroup has no limits"
run 1 dmemctl set /media/player "$VIDEO=1M" --persist
says "dmemd, which is not installed"
file /media/player/dmem.max "^$region max$"
verdict "set: what cannot be, said plainly"

# -- running ---------------------------------------------------------------
run 7 dmemctl run --max "$VIDEO=1M" --low "$VIDEO=4K" -- sh -c '
	cgroup=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)
	cat $cgroup/dmem.max $cgroup/dmem.low
	true | heap-hold '"$VIDEO"' 1M
	heap-hold '"$VIDEO"' 2M < /dev/null
	exit 7'
says "^$region 1048576$" "^$region 4096$" "^allocated 1048576 bytes" "ENOSPC"
! ls -d "$CG"/dmem-run-* > /dev/null 2>&1 || wrong "the cgroup stays: $(ls -d "$CG"/dmem-run-*)"
verdict "run: limits from the first instruction, status of the command, no trace"

run 127 dmemctl run -- no-such-command
says "cannot run no-such-command"
run 126 dmemctl run -- /etc
run 143 dmemctl run -- sh -c 'kill $$'
run 1 dmemctl run --max audio=1M -- touch /tmp/it-ran
run 1 dmemctl run --slice nowhere -- touch /tmp/it-ran
says "no such --slice"
run 2 dmemctl run --max "$VIDEO" -- touch /tmp/it-ran
run 2 dmemctl run
# the parent of its cgroup has a process: no limit, no command
mkdir "$CG/full"
sleep 1000 &
sleeper=$!
echo "$sleeper" > "$CG/full/cgroup.procs"
run 1 dmemctl run --slice full --unit mine --max "$VIDEO=1M" -- touch /tmp/it-ran
says "it has processes of its own"
[ ! -e /tmp/it-ran ] || wrong "the command ran without its limits"
[ ! -e "$CG/full/mine.scope" ] || wrong "the cgroup stays"
kill "$sleeper"
wait "$sleeper" 2> /dev/null
rmdir "$CG/full"
verdict "run: what cannot be, and then the command does not begin"

dmemctl run --unit signalled -- sh -c 'trap "exit 9" TERM; while :; do sleep 0.1; done' &
dmemctl=$!
soon grep -q . "$CG/signalled.scope/cgroup.procs"
# the shell has its trap by then
sleep 1
kill "$dmemctl"
# the status of the command, which SIGTERM reached
ends "$dmemctl" 9
run 0 dmemctl run --slice media --unit here -- cat /proc/self/cgroup
says "^0::/media/here.scope$"
verdict "run: signals, --slice and --unit"

# -- watching --------------------------------------------------------------
run 0 dmemctl set /media/player "$VIDEO=8M"
dmemctl events -n 2 /media > /tmp/trace.said 2>&1 &
trace=$!
dmemctl events -n 1 --source files --json > /tmp/files.said 2>&1 &
files=$!
soon test -d "/sys/kernel/tracing/instances/dmemctl-$trace"
sleep 2
in_cgroup /media/player heap-hold "$VIDEO" 8M
in_cgroup /ui heap-hold "$DISPLAY_HEAP" 16M
in_cgroup /media/player heap-hold "$VIDEO" 4M
ends "$trace" 0
ends "$files" 0
said=$(cat /tmp/trace.said)
says "^[-0-9]{10}T[:.0-9]{12}\+0000 $region /media/player refused 8M to heap-hold\[[0-9]+\]$" \
	"refused 4M to" "!/ui"
[ ! -e "/sys/kernel/tracing/instances/dmemctl-$trace" ] || wrong "the trace instance stays"
said=$(cat /tmp/files.said)
json "j['region'] == '$region' and j['cgroup'] == '/media/player' and j['count'] == 1 and j['event'] == 'refused'"
verdict "events --follow: by the trace, by the files"

dmemctl events -n 1 > /tmp/trace.said 2>&1 &
trace=$!
soon test -d "/sys/kernel/tracing/instances/dmemctl-$trace"
sleep 1
dmemctl run --unit shortlived --max "$VIDEO=1M" -- heap-hold "$VIDEO" 2M > /dev/null 2>&1 < /dev/null
ends "$trace" 0
said=$(cat /tmp/trace.said)
says " /shortlived.scope refused 2M to heap-hold"
verdict "events --follow: a cgroup that is gone by then has a name"

dmemctl events --follow > /dev/null 2>&1 &
trace=$!
soon test -d "/sys/kernel/tracing/instances/dmemctl-$trace"
kill -9 "$trace"
ends "$trace" 137
dmemctl events --follow > /dev/null 2>&1 &
trace=$!
soon test -d "/sys/kernel/tracing/instances/dmemctl-$trace"
kill -INT "$trace"
kill "$trace"
ends "$trace" 0
left=$(ls /sys/kernel/tracing/instances)
[ -z "$left" ] || wrong "trace instances are left: $left"
verdict "events --follow leaves nothing behind, killed or ended"

dmemctl top --batch --json -d 2 -n 2 --region "$VIDEO" > /tmp/top.said &
top=$!
sleep 1
for i in 1 2 3 4; do in_cgroup /media/player heap-hold "$VIDEO" 8M; done
ends "$top" 0
said="[$(paste -sd, /tmp/top.said)]"
json "len(j) == 2 and all(p['refused_per_second'] is None for p in j[0]['pools'])"
# four in two seconds or more, whatever was before
json "0 < [p for p in j[1]['pools'] if p['cgroup'] == '/media/player'][0]['refused_per_second'] <= 2"
json "[p for p in j[1]['pools'] if p['cgroup'] == '/media'][0]['refused_per_second'] == 0"
run 0 dmemctl top --batch -n 1 --sort name -o CGROUP --no-legend -r "$VIDEO"
says "^/media/player$"
verdict "top --batch: refusals per second"

run 0 dmemctl export
says "^dmem_region_charged_bytes\{region=\"$region\"\} 10244096$" \
	"^dmem_cgroup_max_bytes\{region=\"$region\",cgroup=\"/media/player\"\} 8388608$" \
	"^dmem_cgroup_max_bytes\{region=\"$region\",cgroup=\"/ui\"\} \+Inf$" \
	"^dmem_cgroup_refusals_total\{region=\"$region\",cgroup=\"/media/player\"\} [0-9]+$"
[ "$(tail -n1 <<< "$said")" = "# EOF" ] || wrong "the last line is no # EOF"
bad=$(grep -vE '^(# (TYPE|UNIT|HELP) dmem_[a-z_]+ .+|# EOF|dmem_[a-z_]+\{region="[^"]*"(,cgroup="[^"]*")?\} ([0-9]+|\+Inf))$' <<< "$said")
[ -z "$bad" ] || wrong "no OpenMetrics: $bad"
run 0 dmemctl export --to /tmp/dmem.prom
[ "$(tail -n1 /tmp/dmem.prom)" = "# EOF" ] || wrong "half a file"
[ "$(ls /tmp/dmem.prom* | wc -l)" = 1 ] || wrong "something is left beside it"
run 1 dmemctl export --to /nowhere/dmem.prom
verdict "export: OpenMetrics"

# -- others ----------------------------------------------------------------
run 0 as_user dmemctl list
says "^$region +64M +9.7M"
run 0 as_user dmemctl show
says "player +4.7M"
run 0 as_user dmemctl buffers
says "of [0-9]+ processes could not be looked into: run as root" "bufinfo"
run 1 as_user dmemctl set /media/player "$VIDEO=1M"
says "/sys/fs/cgroup/media/player/dmem.max: writing '$region 1048576': only root, and whom"
file /media/player/dmem.max "^$region 8388608$"
run 1 as_user dmemctl run -- true
says "cannot make the cgroup"
as_user dmemctl events -n 1 > /tmp/user.said 2>&1 &
user=$!
sleep 2
in_cgroup /media/player heap-hold "$VIDEO" 8M
ends "$user" 0
said=$(cat /tmp/user.said)
says "no amounts, no processes" "$region /media/player refused 1 time$"
verdict "a user reads, and is told what is root's"

# a subtree that is a user's
mkdir "$CG/theirs"
run 0 dmemctl set /theirs "$VIDEO=8M"
mkdir "$CG/theirs/a"
chown -R 1000:1000 "$CG/theirs/a" "$CG/theirs/cgroup.procs" "$CG/theirs/cgroup.subtree_control"
run 0 as_user dmemctl set /theirs/a "$VIDEO=1M"
file /theirs/a/dmem.max "^$region 1048576$"
run 1 as_user dmemctl set /theirs "$VIDEO=max"
file /theirs/dmem.max "^$region 8388608$"
rmdir "$CG/theirs/a" "$CG/theirs"
verdict "a user tightens below, and cannot loosen above"

# cgroups and processes that come and go are no error
(
	while [ ! -e /tmp/enough ]; do
		mkdir -p "$CG/churn/a" "$CG/churn/b"
		echo +dmem > "$CG/churn/cgroup.subtree_control"
		/tmp/busybox true
		rmdir "$CG/churn/a" "$CG/churn/b" "$CG/churn"
	done
) 2> /dev/null &
churn=$!
for i in 1 2 3 4 5 6 7 8 9 10; do
	run 0 dmemctl show --all
	says "!dmemctl:"
	run 0 sh -c 'dmemctl buffers > /dev/null'
	says "!cannot|vanish|No such"
done
touch /tmp/enough
wait "$churn"
rmdir "$CG/churn/a" "$CG/churn/b" "$CG/churn" 2> /dev/null
verdict "cgroups and processes vanish during a scan"

# a name with an escape sequence in it does nothing to the terminal
evil=$(printf '\033[31mevil')
mkdir "$CG/$evil"
run 0 dmemctl set "/$evil" "$VIDEO=1M"
run 0 dmemctl show
says 'x1b\[31mevil' "!$(printf '\033')"
run 0 dmemctl show --json
json "any(p['cgroup'] == '/\x1b[31mevil' for p in j['pools'])"
run 1 dmemctl set "/$evil/x" "$VIDEO=1M"
says "!$(printf '\033')"
rmdir "$CG/$evil"
verdict "names of others on a terminal"

# -- top as a person sees it -------------------------------------------------
. "$DMEM_TOP/tools/dmem/tests/guest/screen.sh"
screen_test
verdict "top on a terminal"

mkdir "$CG"/new/c{0..999}
start=$(date +%s%N)
run 0 dmemctl show --json --all -o CGROUP,PATH,CURRENT
end=$(date +%s%N)
json "len([p for p in j['pools'] if p['cgroup'].startswith('/new/c')]) == 2000"
echo "# show of 1000 cgroups more, in this guest: $(((end - start) / 1000000)) ms"
rmdir "$CG"/new/c{0..999}
verdict "1000 cgroups"

rmdir "$CG/new/deep/leaf" "$CG/new/deep" "$CG/new"
scenario_end
trap - EXIT
run 0 dmemctl buffers --no-legend
[ -z "$said" ] || wrong "buffers are left: $said"
verdict "nothing is left"

# what the heap keeps of a buffer that is gone, for the next one
cache=/sys/kernel/mm/cma_recycle/$VIDEO
if [ -e $cache ]; then
	echo 0 > $cache/max_percent
	run 0 dmemctl list
	says "^$region +64M +0 +0 +0 +64M"
	echo 50 > $cache/max_percent
	echo 600000 > $cache/idle_ms
	in_cgroup / heap-hold "$VIDEO" 3M
	run 0 dmemctl list
	says "^$region +64M +3M +0 +0 +61M"
	kill "$last"
	wait "$last"
	run 0 dmemctl list
	says "^$region +64M +0 +0 +3M +61M"
	run 0 dmemctl export
	says "^dmem_region_cached_bytes.*\"$region\".* 3145728$"
	verdict "list and export: what is kept to be handed out again"
else
	echo "ok 28 list and export # SKIP this kernel recycles nothing"
fi
exit $failed
