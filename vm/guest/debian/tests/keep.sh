#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Limits are what the files say, whatever happens to units, files, regions, dmemd
# and systemd.  Sizes are of the video carveout, 64 MiB.
. ./ktap.bash

M=1048576
nothing_failed() { same "" "$(systemctl --failed --no-legend | grep dmem)"; }
said() { journalctl -b --no-pager -o cat -u dmemd.service | grep -F -- "$1"; }
# write FILE SIZE: a limit in place, with no other file that takes its name
write() { printf '[X-DMem]\nDeviceMemoryMax=%s %s\n' "$video" "$2" > "$1"; }

# ---- files ----
dropin video.slice "DeviceMemoryMax=$video 48M"
check "a limit of a slice that nobody has started is in force" soon limit_is video.slice $((48 * M))
dropin video.slice "DeviceMemoryMax=$video 32M" "DeviceMemoryLow=$video 25%"
check "an edited drop-in counts at once" soon limit_is video.slice $((32 * M))
check "a share is one of the region" soon limit_is video.slice $((16 * M)) "$video" dmem.low
check "what is in the slice is seen" grep -qw dmem $cg/video.slice/cgroup.subtree_control

echo "$display 8M" > $cg/video.slice/dmem.max
dropin video.slice "DeviceMemoryMax=$video 48M"
check "a line that is gone is taken back" soon limit_is video.slice 0 "$video" dmem.low
check "... and what somebody else has set stays" limit_is video.slice $((8 * M)) "$display"
echo "$display max" > $cg/video.slice/dmem.max

no_dropin video.slice
check "with its file the limit goes" soon limit_is video.slice max
dropin video.slice "DeviceMemoryMax=50%"
check "a share of all regions: video" soon limit_is video.slice $((32 * M))
check "a share of all regions: display" soon limit_is video.slice $((20 * M)) "$display"
dropin video.slice "DeviceMemoryMax=50%" "DeviceMemoryMax=" "DeviceMemoryMax=$video 48M"
check "an empty assignment forgets what came before" soon limit_is video.slice max "$display"
check "... and not what comes after" soon limit_is video.slice $((48 * M))

# one file of several: written in place, replaced, removed
f=/etc/systemd/system/video.slice.d/70-test.conf
write $f 24M
check "a second file counts" soon limit_is video.slice $((24 * M))
write $f 25M
check "... when it is written in place" soon limit_is video.slice $((25 * M))
# as packages and images have them that are built to be the same each time
old_file() { write $f.new "$1" && touch -d @0 $f.new && mv $f.new $f && soon limit_is video.slice $((${1%M} * M)); }
check "... when one of 1970 replaces it" old_file 26M
check "... when one of the same size and date replaces that" old_file 27M
rm $f
check "... and no longer when it is removed" soon limit_is video.slice $((48 * M))

# folders that systemd looks into, and that nobody has made yet
f=/usr/local/lib/systemd/system/video.slice.d
mkdir -p $f
write $f/70-test.conf 24M
check "a folder of unit files that is made later counts" soon limit_is video.slice $((24 * M))
rm -r /usr/local/lib/systemd
check "... and no longer when it is removed" soon limit_is video.slice $((48 * M))
mkdir -p $f
write $f/70-test.conf 25M
check "... and when it is made again" soon limit_is video.slice $((25 * M))
rm -r /usr/local/lib/systemd
soon limit_is video.slice $((48 * M))

# without a limit, and with parents in which nothing is enabled yet
dropin seen-inner.slice "DeviceMemoryAccounting=yes"
check "DeviceMemoryAccounting= alone: dmem files" soon test -e $cg/seen.slice/seen-inner.slice/dmem.current
check "... without a limit" limit_is seen.slice/seen-inner.slice max
check "... and what is in the slice is seen" soon grep -qw dmem $cg/seen.slice/seen-inner.slice/cgroup.subtree_control
dropin first-inner.slice "DeviceMemoryMax=$video 4M"
check "a limit in a slice in a slice" soon limit_is first.slice/first-inner.slice $((4 * M))
no_dropin first-inner.slice
check "... is taken back, although it was the first there" soon limit_is first.slice/first-inner.slice max
no_dropin seen-inner.slice
systemctl stop seen.slice first.slice

# ---- systemd ----
systemctl daemon-reload
check "limits survive daemon-reload" limit_is video.slice $((48 * M))
systemctl daemon-reexec
check "limits survive daemon-reexec" limit_is video.slice $((48 * M))
# Once more if dmemd was just then told that systemd was executed again, and
# started what it found stopped: that happens once
stays_stopped() {
	systemctl stop video.slice
	sleep 3
	test ! -e $cg/video.slice/dmem.max
}
check "a stopped slice is left alone" eval "stays_stopped || stays_stopped"
systemctl start video.slice
check "a started slice has its limit" soon limit_is video.slice $((48 * M))
dropin later.slice "DeviceMemoryMax=$video 4M"
check "dmemd hears of new slices after systemd was executed again" soon limit_is later.slice $((4 * M))
no_dropin later.slice
systemctl stop later.slice

# ---- dmemctl set --persist ----
systemctl start stays.slice
check "dmemctl sets a limit to stay" dmemctl set --persist stays.slice --max "$video=12M" --low "$display=25%"
check "... in force at once" limit_is stays.slice $((12 * M))
# dmemd starts a slice whose file it first sees when the slice is stopped already
stays_stopped() { systemctl stop stays.slice && test ! -e $cg/stays.slice; }
check "... gone with the slice" soon stays_stopped
systemctl start stays.slice
check "... and there again with it" soon limit_is stays.slice $((12 * M))
check "... a share of a region as well" soon limit_is stays.slice $((10 * M)) "$display" dmem.low
check "dmemctl changes one line of what stays" dmemctl set --persist stays.slice --max "$video=13M"
systemctl restart stays.slice
check "... that one" soon limit_is stays.slice $((13 * M))
check "... and no other" soon limit_is stays.slice $((10 * M)) "$display" dmem.low
systemctl stop stays.slice
rm -r /etc/systemd/system/stays.slice.d

# the limit of a slice is there before the first process: none of these gets more
first_moments() {
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		refused video.slice 52M || return
	done
	same 0 "$(limit video.slice "$video" dmem.current)"
}
check "units started under a limited slice never exceed it" first_moments
peak() { [ "$(limit video.slice "$video" dmem.peak)" -le $((48 * M)) ] || limit video.slice "$video" dmem.peak; }
check "... and never have" peak

# ---- services ----
dropin holder.service "DeviceMemoryMax=$video 8M"
hold holder video.slice 4M
check "a service has its limit when it starts" soon limit_is video.slice/holder.service $((8 * M))
check "... and what it holds is charged to it" soon same $((4 * M)) \
	"$(sleep 1; limit video.slice/holder.service "$video" dmem.current)"
systemctl stop holder.service
hold holder system.slice 4M
check "the same in another slice" soon limit_is system.slice/holder.service $((8 * M))
dropin holder.service "DeviceMemoryMax=$video 2M"
check "a limit below what is in use stays" soon limit_is system.slice/holder.service $((2 * M))
systemctl stop holder.service
no_dropin holder.service

# systemd puts a "_" before names that could be taken for files of the kernel's
dropin cpu.service "DeviceMemoryMax=$video 8M"
hold cpu system.slice 4M
check "a unit whose cgroup is named otherwise has its limit" soon limit_is system.slice/_cpu.service $((8 * M))
systemctl stop cpu.service
no_dropin cpu.service

cat > /etc/systemd/system/inst@.service <<END
[Service]
ExecStart=sleep infinity
END
dropin inst@.service "DeviceMemoryMax=$video 5M"
dropin inst@b.service "DeviceMemoryMax=$video 6M"
mv /etc/systemd/system/inst@b.service.d/{50,60}-test.conf
systemctl daemon-reload
systemctl start inst@a inst@b
check "an instance has the limit of its template" soon limit_is system.slice/system-inst.slice/inst@a.service $((5 * M))
check "... unless its own drop-in comes later" soon limit_is system.slice/system-inst.slice/inst@b.service $((6 * M))

# systemd's own opinion on which files there are, and in which order
same_files() {
	local file want=
	for file in $(systemctl show -P FragmentPath "$1") $(systemctl show -P DropInPaths "$1"); do
		! grep -q '^DeviceMemoryMax' "$file" ||
			want=$(sed -n 's/^DeviceMemoryMax=[^ ]* //p' "$file" | numfmt --from=iec)
	done
	same "dmem.max: $video $want" "$(dmemd --show "$1" | sed 's/  (.*//')"
}
for place in etc/systemd/system/a-.service.d/20-x etc/systemd/system/a-b@.service.d/10-x \
	usr/lib/systemd/system/a-b@c.service.d/30-x run/systemd/system/a-b@c.service.d/30-x \
	etc/systemd/system/a-b@.service.d/30-x etc/systemd/system/service.d/30-x \
	usr/lib/systemd/system/service.d/40-x etc/systemd/system/a-@c.service.d/35-x; do
	mkdir -p "/${place%/*}"
	n=$((${n:-9} + 1))
	printf '[X-DMem]\nDeviceMemoryMax=%s %dM\n' "$video" $n > "/$place.conf"
done
printf '[Service]\nExecStart=true\n' > /etc/systemd/system/a-b@.service
ln -s /dev/null /run/systemd/system/a-b@c.service.d/40-x.conf 2> /dev/null
systemctl daemon-reload
check "which files count is as systemd says" same_files a-b@c.service
rm -f /run/systemd/system/a-b@c.service.d/40-x.conf
systemctl daemon-reload
check "... also when one is no longer hidden" same_files a-b@c.service
rm /usr/lib/systemd/system/service.d/40-x.conf /etc/systemd/system/a-@c.service.d/35-x.conf
systemctl daemon-reload
check "... of several with one name" same_files a-b@c.service
rm -rf /{etc,run,usr/lib}/systemd/system/{a-*service*,service.d}
ln -s inst@a.service /etc/systemd/system/alias-of-a.service
dropin alias-of-a.service "DeviceMemoryMax=$video 7M"
mv /etc/systemd/system/alias-of-a.service.d/{50,70}-test.conf
check "a drop-in of another name of the unit counts" soon limit_is system.slice/system-inst.slice/inst@a.service $((7 * M))
rm -rf /etc/systemd/system/alias-of-a.service*

# before ExecStart= in any case: a service that applies its own limit first
dropin gated.service "DeviceMemoryMax=$video 8M"
gated() {
	local i said
	for i in 1 2 3 4 5; do
		said=$(systemd-run -q --wait --pipe --collect --unit=gated -p 'ExecStartPre=+/usr/sbin/dmemd --apply gated.service' \
			heap-hold video@58000000 9M 2>&1)
		case $said in *ENOSPC*) ;; *) echo "$said"; return 1 ;; esac
	done
}
systemctl stop dmemd
check "ExecStartPre=+dmemd --apply comes before the service, with no daemon" gated
no_dropin gated.service

# ---- dmemd itself ----
dropin video.slice "DeviceMemoryMax=$video 40M"
systemctl start dmemd
check "what was edited while dmemd was away is applied when it starts" limit_is video.slice $((40 * M))
systemctl stop dmemd
no_dropin video.slice
dropin inst@a.service "DeviceMemoryMax=$video 3M"
mv /etc/systemd/system/inst@a.service.d/{50,60}-test.conf
echo "$display 8M" > $cg/video.slice/dmem.max
systemctl start dmemd
check "what was removed while dmemd was away is taken back" limit_is video.slice max
check "... only that" limit_is video.slice $((8 * M)) "$display"
check "... and what was added is applied" limit_is system.slice/system-inst.slice/inst@a.service $((3 * M))
echo "$display max" > $cg/video.slice/dmem.max

dropin video.slice "DeviceMemoryMax=$video 48M"
soon limit_is video.slice $((48 * M))
systemctl stop dmemd
echo "$video 20M" > $cg/video.slice/dmem.max
no_dropin video.slice
systemctl start dmemd
check "what somebody else has changed is his" limit_is video.slice $((20 * M))
echo "$video max" > $cg/video.slice/dmem.max

killed() {
	systemctl kill -s KILL dmemd
	dropin video.slice "DeviceMemoryMax=$video 44M"
	soon limit_is video.slice $((44 * M))
}
check "a dmemd that is killed comes back" killed
check "... and a reload by hand works" systemctl reload dmemd

# ---- messages ----
dropin video.slice "DeviceMemoryMax=$video 48M" "DeviceMemoryMax=cma/nothing 1M" "DeviceMemoryMax=$video lots" \
	"DeviceMemoryFoo=1" "nonsense" "DeviceMemoryMax=a b c"
f=/etc/systemd/system/video.slice.d/50-test.conf
check "the good lines of a file count" soon limit_is video.slice $((48 * M))
check "unit, file and line: a region that is not there, and those that are" said "video.slice: $f:3: DeviceMemoryMax=cma/nothing 1M: no region 'cma/nothing'; there are: "
check "unit, file and line: no amount" said "video.slice: $f:4: DeviceMemoryMax=: 'lots' is no amount of memory"
check "unit, file and line: a key" said "video.slice: $f:5: unknown key 'DeviceMemoryFoo'"
check "unit, file and line: no assignment" said "video.slice: $f:6: 'nonsense' is not KEY=VALUE"
check "unit, file and line: too much" said "video.slice: $f:7: DeviceMemoryMax= takes a region and a value, not 'a b c'"
dropin ./-.slice "DeviceMemoryMax=$video 48M"
check "the root cannot be limited" soon said "the root of all cgroups takes no limits"
no_dropin ./-.slice

# ---- regions ----
dropin video.slice "DeviceMemoryMax=$video 48M" "DeviceMemoryMax=dmem_selftest 1M"
check "a region that is not there yet is waited for" soon said "no region 'dmem_selftest'"
if [ -f modules/dmem_selftest.ko ]; then
	insmod modules/dmem_selftest.ko
	check "a region that comes later has its limit" soon limit_is video.slice $M dmem_selftest
	rmmod dmem_selftest
	insmod modules/dmem_selftest.ko
	check "... and when it comes back" soon limit_is video.slice $M dmem_selftest
	check "... and others have theirs" limit_is video.slice $((48 * M))
	rmmod dmem_selftest
else
	skip "a region that comes later has its limit" "no dmem_selftest.ko"
fi

# ---- without the daemon ----
dropin video.slice "DeviceMemoryMax=$video 48M"
systemctl stop dmemd
systemctl stop video.slice
systemctl start dmem-limit@video.slice.service
check "dmem-limit@: the slice has its limit" limit_is video.slice $((48 * M))
dropin video.slice "DeviceMemoryMax=$video 24M"
systemctl reload dmem-limit@video.slice.service
check "dmem-limit@: reload reads the file again" limit_is video.slice $((24 * M))
systemctl stop video.slice
check "dmem-limit@: goes with the slice" soon same inactive "$(systemctl is-active dmem-limit@video.slice.service)"
systemctl start dmemd
check "dmemd takes over" soon limit_is video.slice $((24 * M))

systemctl stop inst@a inst@b
no_dropin inst@.service
no_dropin inst@a.service
no_dropin inst@b.service
rm -f /etc/systemd/system/inst@.service
no_dropin video.slice
check "nothing of ours has failed" nothing_failed
check "limits are gone in the end" soon limit_is video.slice max
finish
