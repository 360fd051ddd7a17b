#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What guest tests of the tools judge with.  To be sourced: run a command, look at
# what it says and at cgroup files, then give a verdict on all of it.

number=0 failed=0
said=
wrongs=

wrong() { wrongs="$wrongs$1"$'\n'; }

# run EXPECTED-STATUS COMMAND...: what it says is in $said
run() {
	local expected=$1 status=0
	shift
	said=$("$@" 2>&1 < /dev/null) || status=$?
	[ "$status" = "$expected" ] ||
		wrong "'$*' ended with $status, not $expected: ${said:0:2000}"
}

# says REGEX...: each of them is in what was said; "!REGEX" is not
says() {
	local regex
	for regex in "$@"; do
		if [ "${regex#!}" != "$regex" ]; then
			! grep -qE -- "${regex#!}" <<< "$said" ||
				wrong "said /${regex#!}/:"$'\n'"${said:0:2000}"
		else
			grep -qE -- "$regex" <<< "$said" ||
				wrong "not said /$regex/:"$'\n'"${said:0:2000}"
		fi
	done
}

# file PATH REGEX: a line of a cgroup's file
file() { grep -qE -- "$2" "$CG$1" || wrong "$1 has no /$2/: $(cat "$CG$1" 2>&1)"; }

# json PYTHON: true of what was said, notes aside, as j
json() {
	python3 -c "
import json, sys
text = sys.stdin.read()
j = json.loads(text[min(i for i in map(text.find, '{[') if i >= 0):])
assert $1" <<< "$said" 2> /tmp/python ||
		wrong "not true: $1: $(tail -n1 /tmp/python) in ${said:0:2000}"
}

# soon CONDITION...: within ten seconds
soon() {
	local try
	for try in $(seq 100); do
		! "$@" > /dev/null 2>&1 || return 0
		sleep 0.1
	done
	wrong "not within 10 s: $*"
	return 1
}

# ends PID STATUS: a child of this shell ends so, within 30 seconds
ends() {
	local try status=0
	for try in $(seq 300); do
		kill -0 "$1" 2> /dev/null || break
		sleep 0.1
	done
	kill -9 "$1" 2> /dev/null && wrong "process $1 does not end"
	wait "$1" 2> /dev/null || status=$?
	[ "$status" = "$2" ] || wrong "process $1 ended with $status, not $2"
}

# verdict NAME: on what was done since the last one
verdict() {
	number=$((number + 1))
	if [ -z "$wrongs" ]; then
		echo "ok $number $1"
	else
		sed -e '/^$/d' -e 's/^/# /' <<< "$wrongs"
		echo "not ok $number $1"
		failed=1
	fi
	wrongs=
}
