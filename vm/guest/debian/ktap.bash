# SPDX-License-Identifier: GPL-2.0-or-later
#
# KTAP from bash: source it, call check for every rule, finish in the end.

cg=/sys/fs/cgroup
video=cma/video@58000000
display=cma/display@50000000
nr_checks=0 nr_failed=0
# that files have changed which only dmemd reads is known
exec 2> >(grep -v "Run 'systemctl daemon-reload' to reload units" | sed 's/^/# /')
said=$(mktemp)
echo "KTAP version 1"

# check NAME COMMAND...: ok if the command succeeds; what it says if it does not
check() {
	local name=$1
	shift
	nr_checks=$((nr_checks + 1))
	if "$@" > "$said" 2>&1; then
		echo "ok $nr_checks - $name"
	else
		nr_failed=$((nr_failed + 1))
		echo "# $*"
		sed 's/^/# /' "$said" | tail -n 30
		echo "not ok $nr_checks - $name"
	fi
}

skip() {
	nr_checks=$((nr_checks + 1))
	echo "ok $nr_checks - $1 # SKIP $2"
}

# same EXPECTED SEEN
same() {
	[ "$1" = "$2" ] && return
	printf 'expected: %s\nseen:     %s\n' "$1" "$2"
	return 1
}

# fails COMMAND...
fails() { ! "$@"; }

# soon COMMAND...: tried again for up to half a minute
soon() {
	local tries=300
	until "$@" > /dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || { "$@"; return; }
		sleep 0.1
	done
}

# limit CGROUP [REGION] [FILE]: the value
limit() { awk -v r="${2:-$video}" '$1 == r { print $2 }' "$cg/$1/${3:-dmem.max}"; }
limit_is() { same "$2" "$(limit "$1" "${3:-$video}" "${4:-dmem.max}")"; }

# dropin UNIT LINE...: the unit's limits, in one drop-in
dropin() {
	local dir=/etc/systemd/system/$1.d
	shift
	mkdir -p "$dir"
	printf '%s\n' '[X-DMem]' "$@" > "$dir/50-test.conf.new"
	mv "$dir/50-test.conf.new" "$dir/50-test.conf"
}
no_dropin() { rm -rf "/etc/systemd/system/$1.d"; }

# hold UNIT SLICE SIZE [PROPERTIES...]: a service that has that much video memory
hold() {
	local unit=$1 slice=$2 size=$3
	shift 3
	systemd-run -q --collect --unit="$unit" --slice="$slice" "$@" heap-hold video@58000000 "$size"
}

# refused SLICE SIZE: a service there does not get that much
refused() {
	local said
	said=$(systemd-run -q --wait --pipe --collect --slice="$1" heap-hold video@58000000 "$2" 2>&1)
	case $said in *ENOSPC*) ;; *) echo "$said"; return 1 ;; esac
}

finish() {
	echo "1..$nr_checks"
	rm -f "$said"
	[ $nr_failed = 0 ]
}
