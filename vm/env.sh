# SPDX-License-Identifier: GPL-2.0-or-later
#
# The paths and names that every script in vm/ shares.  Source it, do not run
# it; afterwards these are set:
#
#	top	the project's root
#	cache	what may be lost but not quickly made again (tarballs, ccache)
#	SERIES	kernel series, one of the files in vm/series/
#	ARCH	kernel architecture, one that vm/configs/ has a fragment for
#	flavour	"ours" (overlay and patches) or "stock" (neither)
#	work	build/<series>: sources, one output folder for each architecture
#	kernels	where those of the flavour are: that, or a folder in it
#	out	the kernel's O= directory
#
# and use_compiler sets compiler, one_at_a_time waits for others who build here,
# compile_each has the caller's kmake compile single objects.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/dmem-heaps
SERIES=${SERIES:-7.3}
ARCH=${ARCH:-arm64}
flavour=${FLAVOUR:-ours}
variant=${VARIANT:-}

say() { printf '  %-8s %s\n' "$1" "$2" >&2; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

[ -f "$top/vm/series/$SERIES" ] || die "no kernel series '$SERIES' (vm/series/ has:" \
	"$(cd "$top/vm/series" && echo [0-9]*))"
[ -f "$top/vm/configs/$ARCH.config" ] || die "no configuration for ARCH=$ARCH (vm/configs/)"

work=$top/build/$SERIES
pristine=$work/stock/src
# Sources are ../src for both: paths are part of what ccache compares.
case $flavour in
ours)	kernels=$work ;;
stock)	kernels=$work/stock ;;
*)	die "FLAVOUR is 'ours' or 'stock', not '$flavour'" ;;
esac
src=$kernels/src
out=$kernels/$ARCH${variant:+-$variant}

# What differs from one architecture to the next, beside its config fragment:
# the cross compiler, the kernel image and how QEMU is called (empty: UML).
case $ARCH in
arm64)
	cross=aarch64-linux-gnu- image=arch/arm64/boot/Image debarch=arm64
	qemu="qemu-system-aarch64 -M virt -cpu cortex-a57" console=ttyAMA0 ;;
arm)
	cross=arm-linux-gnueabihf- image=arch/arm/boot/zImage debarch=armhf
	qemu="qemu-system-arm -M virt -cpu cortex-a15" console=ttyAMA0 ;;
um)
	cross='' image=linux debarch=$(dpkg --print-architecture) qemu='' console=tty0 ;;
*)
	die "ARCH=$ARCH has a config fragment but no compiler and machine in vm/env.sh" ;;
esac

# The compiler is called through ccache if that is installed.
use_compiler() {
	compiler=${cross}gcc
	command -v ccache > /dev/null || return 0
	export CCACHE_DIR=$cache/ccache CCACHE_BASEDIR=$top CCACHE_NOHASHDIR=1
	export CCACHE_COMPRESS=1 CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-5G}
	compiler="ccache $compiler"
}

# one_at_a_time NAME: wait for other scripts that have said the same NAME in this
# build/SERIES; until the shell that says it, or who it has called, ends
one_at_a_time() {
	mkdir -p "$work"
	exec {lock}> "$work/$1.lock"
	flock "$lock"
}

# compile_each FOLDER JUDGE OBJECTS...: compiles them with kmake, again in any case,
# and calls JUDGE OBJECT SAID for each.  All at once, as make takes long to begin; one
# by one if anything was said, to see of which.
compile_each() {
	local folder=$1 judge=$2 object said all
	shift 2
	(cd "$folder" && rm -f "$@")
	all=$(kmake -k -j"$(nproc)" "$@" 2>&1)
	for object; do
		said=
		if [ -n "$all" ]; then
			rm -f "$folder/$object"
			said=$(kmake "$object" 2>&1)
		fi
		[ -n "$said" ] || [ -f "$folder/$object" ] || said="no $object"
		"$judge" "$object" "$said"
	done
}
