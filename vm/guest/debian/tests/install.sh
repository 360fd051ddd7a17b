#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The packages install on a Debian that has never seen them, and what they install
# is in order.
. ./ktap.bash

lib=/usr/lib/systemd/system

check "the packages install" dpkg -i deb/*.deb
check "dmemd runs, and will after a reboot" \
	same "active enabled" "$(systemctl is-active dmemd) $(systemctl is-enabled dmemd)"
check "slices and dmem-limit@ are for the administrator to enable" \
	same "disabled disabled disabled disabled" \
	"$(systemctl is-enabled graphics.slice video.slice camera.slice dmem-limit@video.slice.service | xargs)"
check "the group of those who may open heaps is there" getent group dma-heap

# all units of the package, and whatever systemd has to say about them
verify() {
	local said
	said=$(SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no $lib/dmemd.service \
		$lib/{graphics,video,camera}.slice dmem-limit@video.slice.service 2>&1)
	same "" "$said"
}
check "systemd-analyze verify has nothing to say" verify

# "Overall exposure level for dmemd.service: 0.9 SAFE"
exposure() {
	local level
	level=$(systemd-analyze security --no-pager dmemd.service |
		sed -n 's/.*exposure level for dmemd.service: \([0-9.]*\) .*/\1/p')
	[ -n "$level" ] && awk -v l="$level" 'BEGIN { exit !(l < 3) }' || { echo "level: $level"; false; }
}
check "systemd-analyze security is below 3" exposure

no_capabilities() {
	local pid
	pid=$(systemctl show -P MainPID dmemd)
	same "0000000000000000" "$(awk '/^CapEff/ { print $2 }' "/proc/$pid/status")"
}
check "dmemd has no capability" no_capabilities

udev_rules() { same "" "$(udevadm verify /usr/lib/udev/rules.d/60-dmem-heap.rules 2>&1 | grep -iE 'error|warning|fail.*: [1-9]')"; }
check "udevadm verify has nothing to say" udev_rules

# accounted heaps, and only those, are the group's
heaps() {
	local heap bad=0 accounting want seen
	udevadm trigger --action=change --subsystem-match=dma_heap --settle
	for heap in /sys/class/dma_heap/*; do
		accounting=$(cat "$heap/accounting" 2> /dev/null)
		case $accounting in
		dmem|memory)	want="dma-heap 660" ;;
		*)		want="root 600" ;;
		esac
		seen=$(stat -c '%G %a' "/dev/dma_heap/${heap##*/}")
		[ "$seen" = "$want" ] ||
			{ echo "${heap##*/}: accounting '$accounting', expected $want, seen $seen"; bad=1; }
	done
	return $bad
}
check "heaps that are accounted are the group's, others stay closed" heaps
if ls /sys/class/dma_heap/*/accounting > /dev/null 2>&1; then
	check "the video carveout's heap is accounted" grep -qx dmem "/sys/class/dma_heap/video@58000000/accounting"
fi

# each unit, daemon and configuration file, and what the units themselves refer to
pages() {
	local page missing=0
	for page in dmemctl.1 dmem-limits.5 dmem-slices.7 {graphics,video,camera}.slice.7 dmemd.8 \
		dmemd.service.8 dmem-limit@.service.8 60-dmem-heap.rules.5 \
		$(sed -n 's/^Documentation=//p' $lib/dmem*.service $lib/{graphics,video,camera}.slice |
		  tr ' ' '\n' | sed -n 's/^man:\(.*\)(\(.\))$/\1.\2/p' | sort -u); do
		[ -e "/usr/share/man/man${page##*.}/$page.gz" ] || [ -L "/usr/share/man/man${page##*.}/$page.gz" ] ||
			{ echo "no page $page"; missing=1; }
	done
	return $missing
}
check "everything has its man page" pages
check "help fits a screen" test "$(dmemd --help | wc -l)" -le 24
misused() { dmemd "$@"; same 2 $?; }
check "what makes no sense is misuse: an argument" misused video.slice
check "what makes no sense is misuse: no unit" misused --show video
finish
