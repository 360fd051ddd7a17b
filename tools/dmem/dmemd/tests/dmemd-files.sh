#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# dmemd builds without a warning, and its unit tests.
cd "$(dirname "$0")/.." || exit 1
O=${O:-$(realpath ../../..)/build/tools}
if ! said=$(make -s O="$O" CFLAGS="-O2 -g -Werror" CC=gcc all "$O/unit-dmemd" 2>&1); then
	echo "KTAP version 1"
	echo "1..1"
	echo "$said" | sed 's/^/# /' | tail -n 20
	echo "not ok 1 - dmemd builds"
	exit 1
fi
exec "$O/unit-dmemd"
