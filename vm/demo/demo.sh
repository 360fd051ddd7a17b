#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The main job as a person would try it, in the guest of "make demo": each step
# shows the command and the kernel's own answer, and says so if the answer is
# not what it should be.  Exits with the number of wrong answers (at most 99).

cg=/sys/fs/cgroup
wrong=0
log=/tmp/holder

say() { printf '\n-- %s\n' "$*"; }

# run COMMAND: shows it and its answer, which stays in $answer and $status
run() {
	printf '$ %s\n' "$*"
	answer=$(eval "$*" 2>&1)
	status=$?
	[ -z "$answer" ] || printf '%s\n' "$answer"
}

# expect STATUS ANSWER: of the last command
expect() {
	if [ "$status" != "$1" ] || [ "$answer" != "$2" ]; then
		wrong=$((wrong + 1))
		printf '!! WRONG: expected exit status %s and:\n%s\n' "$1" "$2"
	fi
}

# until CONDITION: waits for it, ten seconds at most
until_true() {
	local tries=100
	until eval "$1"; do
		tries=$((tries - 1))
		if [ $tries = 0 ]; then
			wrong=$((wrong + 1))
			printf '!! WRONG: this never came true: %s\n' "$1"
			return
		fi
		usleep 100000
	done
}

# hold NAME CGROUP ARGUMENTS: heap-hold in the background, in a cgroup; returns
# when it says what it got
hold() {
	local name=$1 group=$2
	shift 2
	printf '$ (echo $$ > %s/cgroup.procs; exec heap-hold %s) &\n' "$group" "$*"
	# shellcheck disable=SC2016
	sh -c 'echo $$ > "$0/cgroup.procs"; exec heap-hold "$@"' "$group" "$@" \
		> "$log.$name" 2>&1 &
	eval "pid_$name=$!"
	until_true "[ -s $log.$name ]"
	cat "$log.$name"
}

release() {
	eval "kill \$pid_$1; wait \$pid_$1 2> /dev/null"
	printf '$ kill %%%s; wait\n' "$1"
}

say "Every reusable carveout is a region that cgroups are charged for ..."
run "sort $cg/dmem.capacity"
expect 0 "cma/default_cma_region 41943040
cma/display@50000000 41943040
cma/video@58000000 67108864"

say "... and a heap.  The firmware's and the co-processor's are neither."
run "ls -1 /dev/dma_heap"
case $answer in
*firmware*|*coprocessor*) expect 0 "neither firmware nor coprocessor" ;;
esac
run "ls -1d /proc/device-tree/reserved-memory/*@* | sed s,.*/,,"
expect 0 "coprocessor@5d000000
display@50000000
firmware@5c000000
video@58000000"

say "Two cgroups side by side in a parent.  A may have 8 MiB of video memory."
run "mkdir -p $cg/media/a $cg/media/b"
run "echo +dmem > $cg/media/cgroup.subtree_control"
expect 0 ""
run "echo 'cma/video@58000000 8M' > $cg/media/a/dmem.max"
expect 0 ""
run "grep video $cg/media/a/dmem.max"
expect 0 "cma/video@58000000 8388608"

say "A process in A takes 5000000 bytes: charged by whole pages, here and above."
hold first $cg/media/a video@58000000 5000000
run "grep video $cg/media/a/dmem.current $cg/media/dmem.current $cg/dmem.current $cg/media/b/dmem.current"
expect 0 "$cg/media/a/dmem.current:cma/video@58000000 5001216
$cg/media/dmem.current:cma/video@58000000 5001216
$cg/dmem.current:cma/video@58000000 5001216
$cg/media/b/dmem.current:cma/video@58000000 0"

say "4 MiB more would be too much for A, and the kernel says so."
run "sh -c 'echo \$\$ > $cg/media/a/cgroup.procs; exec heap-hold video@58000000 4M'"
expect 1 "heap-hold: video@58000000: 4194304 bytes: No space left on device (ENOSPC)"
run "grep video $cg/media/a/dmem.current"
expect 0 "cma/video@58000000 5001216"

say "B, at the same time, gets them."
hold other $cg/media/b video@58000000 4M
run "grep video $cg/media/a/dmem.current $cg/media/b/dmem.current $cg/media/dmem.current"
expect 0 "$cg/media/a/dmem.current:cma/video@58000000 5001216
$cg/media/b/dmem.current:cma/video@58000000 4194304
$cg/media/dmem.current:cma/video@58000000 9195520"
release other

say "A passes a buffer to a process in B and exits.  Who allocated stays charged."
release first
hold receiver $cg/media/b --receive /tmp/socket
hold sender $cg/media/a video@58000000 1M --send /tmp/socket
eval "wait \$pid_sender"
until_true "grep -q received $log.receiver"
run "cat $cg/media/a/cgroup.procs"
expect 0 ""
run "grep video $cg/media/a/dmem.current $cg/media/b/dmem.current"
expect 0 "$cg/media/a/dmem.current:cma/video@58000000 1048576
$cg/media/b/dmem.current:cma/video@58000000 0"

say "A is removed: it does not wait for the buffer, whose bytes stay above."
run "rmdir $cg/media/a"
expect 0 ""
run "grep video $cg/media/dmem.current"
expect 0 "cma/video@58000000 1048576"
until_true "grep -qx 'nr_dying_descendants 0' $cg/cgroup.stat"
run "grep nr_dying_descendants $cg/cgroup.stat"
expect 0 "nr_dying_descendants 0"

say "The last reference goes, and with it the charge."
release receiver
run "sort $cg/media/dmem.current"
expect 0 "cma/default_cma_region 0
cma/display@50000000 0
cma/video@58000000 0"
run "rmdir $cg/media/b $cg/media"
expect 0 ""

if [ $wrong = 0 ]; then
	printf '\nAll answers were as they should be.\n'
else
	printf '\n%d answers were wrong.\n' $wrong
fi
[ $wrong -lt 100 ] || wrong=99
exit $wrong
