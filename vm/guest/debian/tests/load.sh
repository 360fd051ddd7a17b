#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 500 units are started and stopped, drop-ins rewritten meanwhile, dmemd killed at
# any moment.  In the end every limit is what the files say.
. ./ktap.bash

M=1048576
units=500
slice=load.slice
pace=50

cat > /etc/systemd/system/load@.service <<END
[Service]
ExecStart=sleep infinity
Slice=$slice
END
dropin $slice "DeviceMemoryMax=$video 60M"
dropin load@.service "DeviceMemoryMax=$video 1M"
systemctl daemon-reload
check "the slice has its limit" soon limit_is $slice $((60 * M))

# files are written all the time, and sometimes half of them are gone
rewrite() {
	local n=0
	while [ -e "$busy" ]; do
		n=$((n % 50 + 1))
		dropin load@.service "DeviceMemoryMax=$video ${n}M"
		dropin "load@$((n * 10)).service" "DeviceMemoryLow=$video ${n}K"
		[ $((n % 7)) != 0 ] || no_dropin "load@$((n * 10)).service"
		sleep 0.2
	done
}
kills=$(mktemp)
murder() {
	while [ -e "$busy" ]; do
		# it gets far enough to be in the middle of things
		sleep "$((RANDOM % 4 + 1)).$((RANDOM % 10))"
		systemctl kill -s KILL dmemd 2> /dev/null && echo >> "$kills"
	done
}
busy=$(mktemp)
rewrite &
writer=$!
murder &
murderer=$!
i=1
while [ $i -le $units ]; do
	last=$((i + pace - 1))
	# shellcheck disable=SC2046
	systemctl start $(seq -f 'load@%g.service' $i $last)
	# every third stays
	# shellcheck disable=SC2046
	systemctl stop $(seq -f 'load@%g.service' $i $last | awk 'NR % 3')
	i=$((last + 1))
	echo "# $last units after $SECONDS s"
done
rm "$busy"
# not for all: the filter of stderr is a child as well
wait $writer $murderer
echo "# dmemd was killed $(wc -l < "$kills") times"
check "dmemd was killed while it worked" test -s "$kills"

# the last word
dropin load@.service "DeviceMemoryMax=$video 9M"
dropin load@100.service "DeviceMemoryLow=$video 7M"
no_dropin load@200.service
living() { systemctl list-units --no-legend --plain --state=active 'load@*.service' | awk '{ print $1 }'; }
check "a third of them runs" test "$(living | wc -l)" -ge $((units / 3 - units / pace))

# what the files say of every unit against what the kernel says
settled() {
	local unit want seen bad=0 low
	for unit in $(living); do
		want=$((9 * M))
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

systemctl stop 'load@*.service'
systemctl stop $slice
rm -rf /etc/systemd/system/load*
systemctl daemon-reload
failed() { systemctl --failed --no-legend --plain | awk '$1 ~ /^(dmem|load)/ { print $1 }'; }
check "nothing of ours has failed" same "" "$(failed)"
finish
