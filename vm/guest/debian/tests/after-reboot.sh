#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Limits are there after a reboot, before the first service that needs them.
. ./ktap.bash

M=1048576
check "the machine was booted again" test ! -e /run/dmem-before-reboot
check "dmemd runs" systemctl -q is-active dmemd
check "the slice has its limit" limit_is camera.slice $((12 * M))
check "... and had it when the first service in it started" grep -x "$video $((12 * M))" /run/early
check "... because dmemd was there before" grep -x active /run/early
check "a service that runs since boot has its own" limit_is camera.slice/early.service $((4 * M))
check "nothing has failed" same "" "$(systemctl --failed --no-legend)"
systemctl -q disable --now early.service
rm -r /etc/systemd/system/early.service /etc/systemd/system/early.service.d
no_dropin camera.slice
systemctl daemon-reload
finish
