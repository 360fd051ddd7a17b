#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Make a guest busy in a way that everything dmemctl shows can be seen: limits on
# two levels, refusals, a buffer whose allocator and cgroup are gone, one that is
# held by a mapping.  Leaves processes running; scenario_end ends them.
#
# To be sourced.  Needs heap-hold, and the carveouts display:32M and video:64M.
#
#	/media			video: max 32M
#	/media/player		video: max 8M, low 25% of 64M; 5000000 bytes; refused twice
#	/media/camera		video: 1M that /media/gone, now removed, allocated
#				and 4M of its own
#	/ui			display: max 16M, holds 2M

CG=$(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .* - cgroup2 .*/\1/p' /proc/self/mountinfo | head -n1)
VIDEO=$(basename "$(echo /dev/dma_heap/video*)")
DISPLAY_HEAP=$(basename "$(echo /dev/dma_heap/display*)")

# in CGROUP COMMAND...: in the background, until it says what it has
in_cgroup() {
	group=$1
	shift
	said=$(mktemp)
	(echo 0 > "$CG$group/cgroup.procs"; exec "$@") > "$said" 2>&1 < /dev/null &
	last=$!
	scenario_pids="${scenario_pids:-} $last"
	for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ -s "$said" ] && break
		sleep 0.1
	done
	rm -f "$said"
}

scenario_begin() {
	mkdir -p "$CG/media/player" "$CG/media/camera" "$CG/media/gone" "$CG/ui"
	echo +dmem > "$CG/cgroup.subtree_control"
	echo +dmem > "$CG/media/cgroup.subtree_control"
	echo "cma/$VIDEO 32M" > "$CG/media/dmem.max"
	echo "cma/$VIDEO 8M" > "$CG/media/player/dmem.max"
	echo "cma/$VIDEO 16M" > "$CG/media/player/dmem.low"
	echo "cma/$DISPLAY_HEAP 16M" > "$CG/ui/dmem.max"

	in_cgroup /media/player heap-hold "$VIDEO" 5000000
	player=$last
	in_cgroup /media/player heap-hold "$VIDEO" 4M
	in_cgroup /media/player heap-hold "$VIDEO" 8M
	in_cgroup /media/camera heap-hold "$VIDEO" 4M
	in_cgroup /ui heap-hold "$DISPLAY_HEAP" 2M

	in_cgroup /media/camera heap-hold --receive /tmp/scenario.socket
	receiver=$last
	in_cgroup /media/gone heap-hold "$VIDEO" 1M --send /tmp/scenario.socket
	wait "$last"
	rmdir "$CG/media/gone"
}

scenario_end() {
	# shellcheck disable=SC2086	# several
	kill $scenario_pids 2> /dev/null
	wait
	rmdir "$CG/media/player" "$CG/media/camera" "$CG/media" "$CG/ui"
}
