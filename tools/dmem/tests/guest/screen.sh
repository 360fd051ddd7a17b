#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# dmemctl top in a terminal of 100 x 24, keys pressed, the screen read back.  Part of
# verbs.sh.  The screen is printed as diagnostics, "# screen: ...", which
# vm/top-screen puts into docs/.

# screen_shows REGEX...: each on some line, soon; "!REGEX" on none
screen_shows() {
	local regex try
	for regex in "$@"; do
		for try in $(seq 100); do
			said=$(tmux capture-pane -p -t top 2>&1)
			if [ "${regex#!}" != "$regex" ]; then
				grep -qE -- "${regex#!}" <<< "$said" || continue 2
			else
				! grep -qE -- "$regex" <<< "$said" || continue 2
			fi
			sleep 0.1
		done
		wrong "the screen against /$regex/:"$'\n'"$said"
	done
}

# first_row: the cgroup in the line below the headings
first_row() {
	tmux capture-pane -p -t top | sed -n '/^CGROUP/{n;s/ .*//p;q}'
}
first_row_is() { [ "$(first_row)" = "$1" ]; }

screen_test() {
	export TMUX_TMPDIR=/tmp
	# the shell stays behind top, so that what it leaves can be seen
	tmux -f /dev/null new-session -d -s top -x 100 -y 24 "bash --norc"
	tmux send-keys -t top "PS1='left> '; clear; dmemctl top --delay 0.5 --region $VIDEO; echo ended \$?" Enter
	screen_shows "^dmemctl top " "^> $region .*9.7M/64M  others 0 " "^  cma/$DISPLAY_HEAP" \
		"^CGROUP +CURRENT +PEAK +MAX" "^/media +9.7M +[0-9.]+M +32M \[###" \
		"^/media/player +4.7M" "REF/S"

	# somebody meets the limit while we look
	(
		while [ ! -e /tmp/screen-enough ]; do
			in_cgroup /media/player heap-hold "$VIDEO" 8M
		done
	) &
	local refused=$!
	screen_shows "^/media/player .* [1-9][0-9]* +[0-9]+\.[1-9]$|^/media/player .* [1-9]+\.[0-9]$"
	sed 's/^/# screen: /' <<< "$said"
	touch /tmp/screen-enough
	wait "$refused"

	tmux send-keys -t top n
	screen_shows "by name"
	soon first_row_is /
	tmux send-keys -t top i
	screen_shows "by name, reversed"
	soon first_row_is /new/deep/leaf
	tmux send-keys -t top i s
	screen_shows "by share"
	soon first_row_is /media/player
	tmux send-keys -t top Right
	screen_shows "^> cma/$DISPLAY_HEAP" "^/ui " "!^/media/player"
	tmux send-keys -t top Space
	screen_shows "\(paused\)"
	tmux send-keys -t top Space h
	screen_shows "the region whose cgroups are listed"
	tmux send-keys -t top h +
	screen_shows "every 1 s" "^/ui "

	# a small and a large terminal
	tmux resize-window -t top -x 60 -y 10
	screen_shows "^dmemctl top" "^> cma/$DISPLAY_HEAP"
	tmux resize-window -t top -x 160 -y 50
	screen_shows "^/ui .* 0\.0$"
	tmux send-keys -t top q
	screen_shows "^left> .*|^ended 0$" "ended 0"

	# by a signal, too, the terminal is given back
	tmux send-keys -t top "clear; dmemctl top" Enter
	screen_shows "^dmemctl top"
	tmux send-keys -t top C-c
	screen_shows "^left> *$" "!^dmemctl top "
	# nothing can be drawn here
	tmux send-keys -t top "clear; TERM=nonsense dmemctl top; echo ended \$?" Enter
	screen_shows "cannot draw on this terminal \(TERM=nonsense\): use --batch" "ended 1"
	tmux kill-server
}
