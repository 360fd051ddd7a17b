# SPDX-License-Identifier: GPL-2.0-or-later
#
# Shared by the tests of boot lines: boot a guest with carveouts that cannot be
# had, and compare what the kernel said and what there is with what should be.
# Source it, then call boot_case; it prints a KTAP line each.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SERIES=${SERIES:-7.3}	# and VARIANT= as for vm/build
number=0
failed=0

# boot_case NAME ARCH REGIONS HEAPS LINES PATTERN BOOT-OPTIONS...
#
#	REGIONS	"name bytes;..." as show-areas.sh prints them
#	HEAPS	"name name "
#	LINES	what PATTERN finds in the console, time stamps removed
#
# and, in the variable devices, "name errno area;...".
devices=
boot_case() {
	local name=$1 arch=$2 regions=$3 heaps=$4 lines=$5 pattern=$6
	local dir=$top/build/$SERIES/$arch${VARIANT:+-$VARIANT}/boot results console seen
	shift 6
	number=$((number + 1))
	results=$dir/lines-$number.results console=$dir/lines-$number.console

	ARCH=$arch "$top/vm/boot" --name "lines-$number" --run check --limit 120 "$@" \
		2> "$dir/lines-$number.boot" || true

	local wrong=0
	compare() {
		[ "$2" != "$3" ] || return 0
		wrong=1
		printf '# %s: expected\n%s\n# but saw\n%s\n' "$1" "$(sed 's/^/#   /' <<< "$2")" \
			"$(sed 's/^/#   /' <<< "$3")"
	}
	seen=$(tr -d '\r' < "$console" | sed -E 's/^\[ *[0-9.]+\](\[ *[TC][0-9]+\])? //' |
		grep -E "$pattern" | grep -v "command line:" || true)
	compare "lines" "$lines" "$seen"
	compare "regions" "$regions" "$(tr -d '\r' < "$results" | sed -n 's/^# regions: //p')"
	compare "heaps" "$heaps" "$(tr -d '\r' < "$results" | sed -n 's/^# heaps: //p')"
	compare "devices" "$devices" "$(tr -d '\r' < "$results" | sed -n 's/^# devices: //p')"
	compare "end" "# done" "$(tr -d '\r' < "$results" | tail -n1)"
	compare "complaints" "" "$(grep -E 'WARNING:|BUG:|Oops|Call [Tt]race' "$console" || true)"

	if [ $wrong = 0 ]; then
		echo "ok $number $name"
	else
		echo "not ok $number $name"
		failed=1
	fi
}
