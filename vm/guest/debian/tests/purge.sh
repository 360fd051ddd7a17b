#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A later version replaces the packages while limits are in force; they can be
# removed, purged and installed again.
. ./ktap.bash

M=1048576
dropin video.slice "DeviceMemoryMax=$video 48M"
soon limit_is video.slice $((48 * M))
hold holder video.slice 16M
before=$(systemctl show -P MainPID dmemd)
version() { dpkg-query -W -f '${Version}' dmemd; }

check "a later version installs" dpkg -i deb-next/*.deb
check "it is the later version" same "$(dpkg-deb -f deb-next/dmemd_*.deb Version)" "$(version)"
restarted() { [ "$(systemctl show -P MainPID dmemd)" != "$before" ] && systemctl -q is-active dmemd; }
check "the new daemon runs" soon restarted
check "limits are as they were" limit_is video.slice $((48 * M))
check "... and what is held" soon same $((16 * M)) "$(limit video.slice/holder.service "$video" dmem.current)"
check "the earlier version installs" dpkg -i deb/*.deb

check "the packages can be removed" dpkg -r dmemd dmemctl
check "no dmemd runs" soon fails pgrep -x dmemd
check "limits stay as they are" limit_is video.slice $((48 * M))
check "the administrator's files stay" test -e /etc/systemd/system/video.slice.d/50-test.conf
check "the packages can be purged" dpkg -P dmemd dmemctl
leftovers() {
	local file
	for file in /usr/sbin/dmemd /usr/bin/dmemctl /usr/lib/systemd/system/dmemd.service \
		/usr/lib/udev/rules.d/60-dmem-heap.rules /etc/systemd/system/*/dmemd.service \
		/var/lib/systemd/deb-systemd-helper-*/*dmemd*; do
		[ ! -e "$file" ] && [ ! -L "$file" ] || { echo "$file"; return 1; }
	done
}
check "nothing is left but the group" leftovers
check "systemd has nothing to complain about" same "" "$(systemctl --failed --no-legend)"
check "they can be installed again" dpkg -i deb/*.deb
check "... and the limits are kept again" soon systemctl -q is-active dmemd
no_dropin video.slice
check "... by the daemon" soon limit_is video.slice max
systemctl stop holder.service video.slice
finish
