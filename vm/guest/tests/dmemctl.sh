#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# dmemctl against real heaps: the host's own dmemctl runs on this kernel.
#
# On the kernel command line dmem.top= is the project's folder on the host,
# dmem.script= which of the tests in tools/dmem/tests/guest/ it is.

param() {
	for word in $(cat /proc/cmdline); do
		case $word in "$1"=*) echo "${word#*=}" ;; esac
	done
}

top=$(param dmem.top)
[ -n "$top" ] || { echo "KTAP version 1"; echo "1..0 # SKIP dmem.top= is not given"; exit 4; }
exec with-host /bin/bash "$top/tools/dmem/tests/guest/$(param dmem.script)"
