#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# All tests of the tools that need no guest, as one KTAP: unit tests under sanitizers,
# what dmemctl says, the work of a large scan, pages and completions, parsers under
# libFuzzer, installation.

set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=${O:-$(realpath ../..)/build/tools}
export O=$build
number=0 failed=0

# part NAME COMMAND...: its KTAP, as subtests of one result
part() {
	local name=$1 said status=0
	shift
	number=$((number + 1))
	said=$("$@" 2>&1) || status=$?
	# whatever else was said, by make for instance, is a diagnostic
	sed -e '/^ *\(KTAP\|1\.\.\|ok\|not ok\|#\)/!s/^/# /' -e 's/^/    /' <<< "$said"
	# a part without a plan did not run
	if [ $status = 0 ] && grep -q '^1\.\.[1-9]' <<< "$said" &&
	   ! grep -q '^ *not ok' <<< "$said"; then
		echo "ok $number $name"
	else
		echo "not ok $number $name"
		failed=1
	fi
}

installs() {
	local dir missing=
	dir=$(mktemp -d)
	make -s install DESTDIR="$dir" PREFIX=/usr > "$dir/log" 2>&1 || missing=$(cat "$dir/log")
	for file in bin/dmemctl share/man/man1/dmemctl.1 share/man/man5/dmemctl-json.5 \
		share/bash-completion/completions/dmemctl share/zsh/vendor-completions/_dmemctl; do
		[ -s "$dir/usr/$file" ] || missing="$missing $file"
	done
	"$dir/usr/bin/dmemctl" --version > /dev/null || missing="$missing (does not start)"
	rm -rf "$dir"
	echo "KTAP version 1"
	echo "1..1"
	[ -z "$missing" ] && echo "ok 1 installed" || { echo "# $missing"; echo "not ok 1 installed"; }
}

echo "KTAP version 1"
echo "1..7"
part "builds without a warning" sh -c '
	make -s -j2 WERROR=-Werror all unit fuzzer && echo 1..1 && echo "ok 1 build"'
part "unit tests, ASan and UBSan" make -s unit-tests
part "what dmemctl says of recorded trees" tests/run-cli "$build/dmemctl"
part "the work of a large scan" tests/run-scan "$build/dmemctl"
part "man pages and completions" tests/run-pages "$build/dmemctl"
part "parsers under libFuzzer" make -s fuzz
part "make install" installs
exit $failed
