# SPDX-License-Identifier: GPL-2.0-or-later
cd /tmp
PATH=$PATH:/tmp; D=$DMEM_TOP/build/tools/dmemctl
. $DMEM_TOP/tools/dmem/tests/guest/scenario.sh
scenario_begin
$D list; $D show; $D buffers; $D events
echo "== set"; $D set /media/player --max video=4M --low video=max; echo $?; grep . $CG/media/player/dmem.{max,low}
$D set /new/a video=1M; echo $?; mkdir -p $CG/new/a; $D set /new/a video=1M display=2M --low video=1%;  echo $?; cat $CG/new/a/dmem.max $CG/new/cgroup.subtree_control
$D set /media/camera video=50% --dry-run
mkdir $CG/busy $CG/busy/a; sleep 100 & echo $! > $CG/busy/cgroup.procs;  $D set /busy/a video=1M; echo $?; cat $CG/busy/cgroup.subtree_control
echo "== run";  $D run --max video=1M -- sh -c 'cat /proc/self/cgroup; cat /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/dmem.max; heap-hold video 2M < /dev/null; exit 7'; echo "=> $?"; ls -d $CG/*run*
$D run -- nosuchthing; echo "=> $?";  $D run -- /etc; echo "=> $?"; $D run --max video=1M -- sh -c 'kill -9 $$'; echo "=> $?"; $D run --max audio=1M -- true;  echo "=> $?"; $D run --slice media --unit foo -- cat /proc/self/cgroup; echo "=> $?"; 
echo "== follow"; ($D events -n 2 > /tmp/ev 2>&1; echo "=> $?" >> /tmp/ev) & p=$!; sleep 0.5; ($D events -n 2 --source files --json > /tmp/ev2 2>&1; echo "=> $?" >> /tmp/ev2) & q=$!; sleep 1; for i in 1 2 3; do $D run --max video=1M -- heap-hold video 2M; done; in_cgroup /media/player heap-hold video 8M; in_cgroup /media/player heap-hold video 8M;  sleep 2; cat /tmp/ev /tmp/ev2; ls /sys/kernel/tracing/instances
echo "== user"; setpriv --reuid 1000 --regid 1000 --clear-groups $D buffers;  setpriv --reuid 1000 --regid 1000 --clear-groups $D set /media/camera video=1M; setpriv --reuid 1000 --regid 1000 --clear-groups $D run true; echo $?
timeout 1 setpriv --reuid 1000 --regid 1000 --clear-groups $D events --follow; 
kill %1 %2 2>/dev/null
