#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What after-reboot.sh will look at.
. ./ktap.bash

dropin camera.slice "DeviceMemoryMax=$video 12M"
dropin early.service "DeviceMemoryMax=$video 4M"
# as early as a service can be that waits for nothing but sysinit.target
cat > /etc/systemd/system/early.service <<'END'
[Unit]
Description=Takes what it can get in camera.slice
[Service]
Slice=camera.slice
ExecStartPre=/bin/sh -c 'cat /sys/fs/cgroup/camera.slice/dmem.max > /run/early; systemctl is-active dmemd >> /run/early'
ExecStart=sleep infinity
[Install]
WantedBy=basic.target
END
systemctl -q enable early.service
check "the limit is in force" soon limit_is camera.slice $((12 * 1048576))
touch /run/dmem-before-reboot
sync
finish
