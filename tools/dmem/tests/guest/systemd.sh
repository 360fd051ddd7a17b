#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# dmemctl with a real systemd: the host's, booted in this guest as a container, with
# nothing but dbus and this test.  units.sh is what runs inside.

set -u
root=/tmp/root
mkdir -p $root/{usr,etc/systemd/system,etc/dbus-1,proc,sys,dev,run,tmp,var,root,opt}
mount --bind /usr $root/usr
for link in bin sbin lib lib64; do ln -s "usr/$link" $root/$link; done
ln -s ../run $root/var/run
cp /etc/passwd /etc/group /etc/ld.so.cache $root/etc/
[ ! -f /etc/nsswitch.conf ] || cp /etc/nsswitch.conf $root/etc/
: > $root/etc/machine-id
mount --rbind /sys $root/sys
mount --rbind /dev $root/dev
mount -t tmpfs tmpfs $root/run
mkdir -p "$root$DMEM_TOP"
mount --bind "$DMEM_TOP" "$root$DMEM_TOP"
# /tmp is emptied at boot
cp /tmp/heap-hold $root/opt/

units=$root/etc/systemd/system
# nothing of what a host starts by default
cat > $units/test.target << 'END'
[Unit]
Requires=dbus.socket test.service
END
cat > $units/test.service << END
[Unit]
DefaultDependencies=no
After=dbus.socket
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
Environment=DMEM_TOP=$DMEM_TOP LC_ALL=C.UTF-8 PATH=/opt:/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/bin/bash $DMEM_TOP/tools/dmem/tests/guest/units.sh
StandardOutput=file:/tmp/said
StandardError=file:/tmp/said
TimeoutStartSec=200
END
cat > $units/player.service << 'END'
[Unit]
DefaultDependencies=no
[Service]
Slice=media.slice
ExecStart=/bin/sleep infinity
END
cat > $units/stopped.service << 'END'
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/sleep infinity
END

# systemd takes over the cgroup tree: this shell, and the guest's init, out of its way
container=dmem unshare --pid --fork --mount sh -c "
	mount -t proc proc $root/proc
	exec chroot $root /usr/lib/systemd/systemd --system --unit=test.target \
		--log-target=console --log-level=${DMEM_LOG:-notice} --show-status=no" \
	> /tmp/systemd.log 2>&1 < /dev/null
if [ -s $root/tmp/said ]; then
	cat $root/tmp/said
	! grep -q '^not ok' $root/tmp/said
else
	sed 's/^/# /' /tmp/systemd.log | tail -n 60
	echo "1..0 # nothing was said"
	exit 1
fi
