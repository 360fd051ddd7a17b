#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# dmemctl against real heaps.  The guest has no shared libraries: on User Mode
# Linux the host's file system is borrowed, read-only, with the guest's own /proc,
# /sys, /dev and /tmp in it, and the host's own dmemctl runs on this kernel.
#
# dmem.top= on the kernel command line is the project's folder on the host.

param() {
	for word in $(cat /proc/cmdline); do
		case $word in "$1"=*) echo "${word#*=}" ;; esac
	done
}

top=$(param dmem.top)
test=$top/tools/dmem/tests/guest/$(param dmem.script)
[ -n "$top" ] || { echo "KTAP version 1"; echo "1..0 # SKIP dmem.top= is not given"; exit 4; }

mkdir -p /host
mount -t hostfs -o ro,/ hostfs /host || exit 1
for dir in proc sys dev run tmp; do
	[ -d "/host/$dir" ] || { echo "# the host has no /$dir"; exit 1; }
done
mount -t proc proc /host/proc
mount -o rbind /sys /host/sys
mount -o rbind /dev /host/dev
mkdir -p /host/dev/pts
mount -t devpts -o ptmxmode=666 devpts /host/dev/pts
mount -t tmpfs tmpfs /host/run
mount -t tmpfs tmpfs /host/tmp
mount -t tracefs tracefs /host/sys/kernel/tracing
# what the host keeps in /tmp or /run is hidden now, perhaps the project
[ -d "/host$top" ] || {
	mkdir -p "/host$top"
	mount -t hostfs -o "ro,$top" hostfs "/host$top" || exit 1
}
cp /bin/heap-hold /bin/busybox /host/tmp/
mkdir -p /host/tmp/results
[ ! -d /results ] || mount -o bind /results /host/tmp/results

exec chroot /host /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp TERM=linux \
	LC_ALL=C.UTF-8 DMEM_TOP="$top" /bin/bash "$test"
