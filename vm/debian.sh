#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Download one Debian package from another suite or architecture, without
# touching this machine's apt: its mirror and keyring, a state of our own.
#
#	vm/debian.sh DEST ARCH PACKAGE SUITE...
#	vm/debian.sh DEST source PACKAGE SUITE...
#	vm/debian.sh --mirror
#
# Prints the path of the .deb, the newest that any of the suites has, or of the
# original tarball of a source package.  apt checks the suites' signatures and
# the package's hash against them.  With --mirror, prints where this machine has its
# own packages from.

set -euo pipefail

# "|| true": head and awk close the pipe early
mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' \
	'Created-By: Packages' | awk '$2 == "Debian" && $3 == "Debian" { print $1 }' |
	head -n1 || true)
if [ -z "$mirror" ]; then
	echo "debian.sh: apt knows no Debian mirror here: run 'apt-get update' first" >&2
	exit 1
fi

if [ "$1" = --mirror ]; then
	echo "$mirror"
	exit
fi

dest=$1 arch=$2 package=$3
shift 3

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
mkdir -p "$state"/{lists/partial,cache/archives/partial,parts} "$dest"
# apt drops to its own user for downloads
chmod -R a+rX "$state"

type=deb
if [ "$arch" = source ]; then
	type=deb-src
	arch=$(dpkg --print-architecture)
fi
for suite in "$@"; do
	echo "$type [signed-by=$keyring] $mirror $suite main"
done > "$state/sources.list"

opts=(-qq -o Dir::State="$state" -o Dir::State::lists="$state/lists"
      -o Dir::State::status=/var/lib/dpkg/status
      -o Dir::Cache="$state/cache" -o Dir::Etc::sourcelist="$state/sources.list"
      -o Dir::Etc::sourceparts="$state/parts" -o Dir::Etc::preferences=/dev/null
      -o Dir::Etc::preferencesparts="$state/parts"
      -o Acquire::Languages=none -o Acquire::Retries=3
      -o APT::Architecture="$arch" -o APT::Architectures="$arch"
      -o APT::Sandbox::User=root)

# a suite that is gone is no error as long as another one has the package
apt-get "${opts[@]}" update >&2 || echo "debian.sh: not every one of '$*' answered" >&2

if [ $type = deb-src ]; then
	cd "$dest"
	apt-get "${opts[@]}" source --download-only --only-source "$package" >&2
	find "$dest" -name "${package}_*.orig.tar.*" ! -name '*.asc' | sort -V | tail -n1
	exit
fi

version=$(apt-cache "${opts[@]}" madison "$package" | awk -F' *[|] *' '{ print $2 }' |
	while read -r v; do
		if [ -z "${best:-}" ] || dpkg --compare-versions "$v" gt "$best"; then
			best=$v
			echo "$v"
		fi
	done | tail -n1)
if [ -z "$version" ]; then
	echo "debian.sh: none of '$*' has $package for $arch" >&2
	exit 1
fi

cd "$dest"
# the file is named after the architecture, or "all"
have() { find . -name "${package}_${version/:/%3a}_$arch.deb" -o -name "${package}_${version/:/%3a}_all.deb"; }
existing=$(have)
if [ -z "$existing" ]; then
	echo "debian.sh: downloading $package $version ($arch)" >&2
	apt-get "${opts[@]}" download "$package=$version" >&2
	existing=$(have)
fi
echo "$dest/${existing#./}"
