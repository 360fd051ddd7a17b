#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 500 units are started and stopped, drop-ins rewritten meanwhile, dmemd killed at
# any moment.  In the end every limit is what the files say.
#
# One unit in five is a service.  The others are slices, which are units with cgroups
# to dmemd just the same, and take no time to start a program.
. ./ktap.bash

M=1048576
units=500
slice=load.slice
pace=25

cat > /etc/systemd/system/load@.service <<END
[Service]
ExecStart=sleep infinity
Slice=$slice
END
dropin $slice "DeviceMemoryMax=$video 60M"
dropin load@.service "DeviceMemoryMax=$video 1M"
dropin load-.slice "DeviceMemoryMax=$video 1M"
systemctl daemon-reload
check "the slice has its limit" soon limit_is $slice $((60 * M))

# unit NUMBER
unit() { [ $(($1 % 5)) = 0 ] && echo "load@$1.service" || echo "load-$1.slice"; }
units() { local i; for i in $(seq "$1" "$2"); do unit "$i"; done; }

# files are written, and sometimes some of them are gone
n=0
rewrite() {
	n=$((n % 50 + 1))
	dropin load@.service "DeviceMemoryMax=$video ${n}M"
	dropin load-.slice "DeviceMemoryMax=$video $((n + 1))M"
	dropin "$(unit $((n * 9)))" "DeviceMemoryLow=$video ${n}K"
	[ $((n % 7)) != 0 ] || no_dropin "$(unit $((n * 9)))"
}
moment() { sleep "$((RANDOM % 2)).$((RANDOM % 10))"; }

# beside COMMAND...: while it runs, the files change and dmemd is killed, in the
# middle of anything.  As often on a slow machine as on a fast one.
kills=0
beside() {
	local pid
	"$@" &
	pid=$!
	moment
	rewrite
	moment
	! systemctl kill -s KILL dmemd || kills=$((kills + 1))
	rewrite
	wait $pid
}
i=1
while [ $i -le $units ]; do
	last=$((i + pace - 1))
	# shellcheck disable=SC2046
	beside systemctl start $(units $i $last)
	# every third stays
	# shellcheck disable=SC2046
	beside systemctl stop $(units $i $last | awk 'NR % 3')
	i=$((last + 1))
	echo "# $last units after $SECONDS s"
done
echo "# dmemd was killed $kills times"
check "dmemd was killed while it worked" test $kills -ge $((units / pace))

# the last word
dropin load@.service "DeviceMemoryMax=$video 9M"
dropin load-.slice "DeviceMemoryMax=$video 8M"
dropin "$(unit 90)" "DeviceMemoryLow=$video 7M"
no_dropin "$(unit 18)"
living() {
	systemctl list-units --no-legend --plain --state=active 'load@*.service' 'load-*.slice' |
		awk '{ print $1 }'
}
check "a third of them runs" test "$(living | wc -l)" -ge $((units / 3 - units / pace))
check "... services" test "$(living | grep -c service)" -ge $((units / 15 - units / pace))

# what the files say of every unit against what the kernel says
settled() {
	local unit want seen bad=0 low
	for unit in $(living); do
		want=$((9 * M))
		[ "${unit%.slice}" = "$unit" ] || want=$((8 * M))
		low=0
		file=/etc/systemd/system/$unit.d/50-test.conf
		if [ -e "$file" ]; then
			low=$(sed -n 's/^DeviceMemoryLow=[^ ]* //p' "$file" | numfmt --from=iec)
			# same name as the template's: it alone counts
			want=max
		fi
		seen="$(limit "$slice/$unit") $(limit "$slice/$unit" "$video" dmem.low)"
		[ "$seen" = "$want ${low:-0}" ] || { echo "$unit: expected $want ${low:-0}, seen $seen"; bad=1; }
	done
	return $bad
}
try=0
until settled > /dev/null || [ $try = 60 ]; do
	try=$((try + 1))
	sleep 0.5
done
check "every limit is what the files say" settled
check "the slice's, too" limit_is $slice $((60 * M))
rss() { awk '/^VmRSS/ { exit !($2 < 32768) }' "/proc/$(systemctl show -P MainPID dmemd)/status"; }
check "dmemd is as small as before" rss

systemctl stop 'load@*.service' 'load-*.slice'
systemctl stop $slice
rm -rf /etc/systemd/system/load*
systemctl daemon-reload
failed() { systemctl --failed --no-legend --plain | awk '$1 ~ /^(dmem|load)/ { print $1 }'; }
check "nothing of ours has failed" same "" "$(failed)"
finish
