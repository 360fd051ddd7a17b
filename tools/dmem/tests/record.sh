#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Record what dmemctl reads of a system, to look at it elsewhere:
#
#	record.sh DIRECTORY
#	dmemctl --sysroot DIRECTORY list
#
# Copies text files that say who has how much dmem: no contents of buffers, no
# environment, no command lines.  As root it sees all processes.  Needs no more
# than a busybox.

set -u

[ $# = 1 ] || { echo "usage: $0 DIRECTORY" >&2; exit 2; }
to=$1
mkdir -p "$to" || exit 1

# copy FILE...: those that can be read
copy() {
	for file in "$@"; do
		[ -f "$file" ] || continue
		mkdir -p "$to${file%/*}"
		cat "$file" > "$to$file" 2> /dev/null || rm -f "$to$file"
	done
}

# of the mounts only cgroup2: paths of others are nobody's business
mkdir -p "$to/proc/self"
grep ' - cgroup2 ' /proc/self/mountinfo > "$to/proc/self/mountinfo"
copy /proc/cgroups
mount=$(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .* - cgroup2 .*/\1/p' /proc/self/mountinfo | head -n1)
if [ -n "$mount" ]; then
	find "$mount" -type d | while read -r dir; do
		copy "$dir"/dmem.* "$dir"/cgroup.controllers \
			"$dir"/cgroup.subtree_control "$dir"/cgroup.procs
	done
fi

for heap in /sys/class/dma_heap/*; do
	[ -d "$heap" ] || continue
	mkdir -p "$to$heap"
	copy "$heap"/uevent "$heap"/accounting "$heap"/region "$heap"/size "$heap"/available \
		"$heap"/alignment
	for link in "$heap"/of_node "$heap"/consumers/*; do
		[ -L "$link" ] || continue
		mkdir -p "$to${link%/*}"
		ln -s "$(readlink "$link")" "$to$link"
	done
done
for area in /sys/kernel/mm/cma/*; do
	copy "$area"/total_pages "$area"/available_pages
done
copy /sys/kernel/debug/dma_buf/bufinfo

# those who hold a buffer, by a descriptor or a mapping
for process in /proc/[0-9]*; do
	grep ' /dmabuf:' "$process"/maps > "$to/maps" 2> /dev/null && {
		mkdir -p "$to$process"
		cp "$to/maps" "$to$process/maps"
	}
	for fd in "$process"/fd/*; do
		target=$(readlink "$fd" 2> /dev/null) || continue
		case $target in /dmabuf:*) ;; *) continue ;; esac
		mkdir -p "$to${fd%/*}" "$to$process/fdinfo"
		ln -sf "$target" "$to$fd"
		copy "$process/fdinfo/${fd##*/}"
	done
	[ ! -d "$to$process" ] || copy "$process"/comm "$process"/cgroup
done
rm -f "$to/maps"
