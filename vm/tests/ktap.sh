#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Test vm/ktap on the logs in vm/tests/ktap, good and broken ones, under every
# awk it has to work with that is installed.
#
#	vm/tests/ktap.sh [CASE...]
#
# A case is a name and up to five files:
#
#	CASE.results	the result channel, or else good.results
#	CASE.console	the console, or else good.console
#	CASE.options	options for the reader, before the two logs
#	CASE.command	instead of all these, the whole command line
#	CASE.out	what the reader has to say, and its exit status

set -u
cd "$(dirname "$0")/ktap" || exit 1

awks=
for awk in mawk gawk; do
	if command -v $awk >/dev/null; then
		awks="$awks $awk"
	fi
done
awks=${awks:-awk}

# this case's log, or the good boot's
log() {
	if [ -e "$1.$2" ]; then
		echo "$1.$2"
	else
		echo "good.$2"
	fi
}

reader() {
	if [ -e "$1.command" ]; then
		# shellcheck disable=SC2046 # words
		../../ktap $(cat "$1.command")
	else
		# shellcheck disable=SC2046 # words
		../../ktap $(cat "$1.options" 2>/dev/null) "$(log "$1" results)" "$(log "$1" console)"
	fi 2>&1
	echo "exit $?"
}

# every file names a case, so that none is forgotten
if [ $# -eq 0 ]; then
	# shellcheck disable=SC2046 # names without blanks
	set -- $(printf '%s\n' *.results *.console *.options *.command *.out |
		sed 's/\.[a-z]*$//' | sort -u)
fi

echo "KTAP version 1"
echo "1..$#"
echo "# with$awks"

number=0 failed=0
for case; do
	number=$((number + 1)) verdict=ok
	for awk in $awks; do
		export AWK="$awk"
		if ! difference=$(reader "$case" | diff -u "$case.out" - 2>&1); then
			verdict='not ok'
			echo "# $awk, expected (-) and seen (+):"
			echo "$difference" | sed 's/^/# /'
		fi
	done
	[ "$verdict" = ok ] || failed=1
	echo "$verdict $number - $case"
done
exit $failed
