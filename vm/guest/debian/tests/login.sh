#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A user who is not root: limited from the first process of the login on, may
# tighten what is his own, cannot loosen what is above.
#
#	user.slice
#	  user-1000.slice		16 MiB by user-.slice.d
#	    session-N.scope		what alice does at a terminal
#	    user@1000.service		delegated to her
#	      app.slice			hers: 4 MiB by her own hand
. ./ktap.bash

M=1048576
mine=user.slice/user-1000.slice
own=$mine/user@1000.service

# as_alice COMMAND: a login of hers that does that
as_alice() {
	systemd-run -q --wait --pipe --collect -p PAMName=login -p User=alice \
		-p Environment="PATH=$PATH XDG_RUNTIME_DIR=/run/user/1000" bash -c "$*" 2>&1
}

closed() { as_alice heap-hold video@58000000 1M | grep 'Permission denied\|EACCES'; }
check "heaps are closed to whoever is not in the group" closed
usermod -aG dma-heap alice
grep -qxs dmem /sys/class/dma_heap/video@58000000/accounting ||
	# this kernel does not say what is accounted, so that the rule opened none
	{ chgrp dma-heap /dev/dma_heap/video*; chmod 660 /dev/dma_heap/video*; }

dropin user-.slice "DeviceMemoryMax=25%"
sleep 1
in_session() { as_alice cat /proc/self/cgroup | grep -q "^0::/$mine/session-.*scope$"; }
check "a login has a session of its own" soon in_session
granted() { as_alice 'heap-hold video@58000000 15M & sleep 2; kill %1' | grep 'allocated 15728640'; }
check "a user has what the limit leaves" granted
enospc() { as_alice heap-hold video@58000000 17M | grep ENOSPC; }
check "... and not more" enospc
for i in 1 2 3; do
	while [ -d $cg/$mine ]; do
		loginctl terminate-user alice 2> /dev/null
		systemctl stop user-1000.slice
		sleep 0.2
	done
	check "... in the first login of all, $i" enospc
done

loginctl enable-linger alice
check "the user's own systemd runs" soon systemctl -q is-active user@1000.service
check "the user's slice has its limit" soon limit_is $mine $((16 * M))

delegate() {
	as_alice "echo +dmem > $cg/$own/cgroup.subtree_control && cat $cg/$own/cgroup.subtree_control" | grep -w dmem
}
check "a user may enable dmem inside" delegate
tighten() {
	as_alice "mkdir -p $cg/$own/app.slice && echo '$video 4M' > $cg/$own/app.slice/dmem.max && cat $cg/$own/app.slice/dmem.max" |
		grep -x "$video $((4 * M))"
}
check "... and tighten there" tighten
user_run() { as_alice "systemd-run --user -q --wait --pipe --collect --slice=app heap-hold video@58000000 $1"; }
tight() { user_run 5M | grep ENOSPC; }
check "... which holds" tight
loosen_above() {
	local file
	for file in $own/dmem.max $mine/dmem.max user.slice/dmem.max; do
		as_alice "echo '$video max' > $cg/$file" | grep 'Permission denied' || return
		[ "$file" = user.slice/dmem.max ] || [ "$(limit "${file%/*}")" != max ] || [ "$file" = $own/dmem.max ]
	done
}
check "a user may not write what is above" loosen_above
loosen_inside() {
	as_alice "echo '$video max' > $cg/$own/app.slice/dmem.max"
	user_run 17M | grep ENOSPC
}
check "... and gains nothing by loosening inside" loosen_inside
check "the user's limit is what it was" limit_is $mine $((16 * M))
forged() { as_alice "setfattr -n user.dmemd -v x $cg/$own/dmem.max" | grep -i 'denied\|not permitted'; }
check "what dmemd remembers is not the user's to change" forged

dropin user@.service "DeviceMemoryMax=$video 6M"
check "a drop-in of user@.service limits the user's own systemd" soon limit_is $own $((6 * M))
no_dropin user@.service
check "... and no longer" soon limit_is $own max
no_dropin user-.slice
check "the user's limit goes with its file" soon limit_is $mine max
loginctl disable-linger alice
loginctl terminate-user alice
finish
