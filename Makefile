# SPDX-License-Identifier: GPL-2.0-or-later

SERIES ?= 7.3
ARCH ?= arm64
export SERIES ARCH VARIANT KERNEL_SRC KERNEL_CONFIG REFRESH

.PHONY: help deps fetch kernel stock boot demo check check-fast nightly kunit model bench lint dropin overlay tools check-tools install deb kernel-deb boot-debian check-debian clean
.DEFAULT_GOAL := help

help: ## this list
	@echo "make TARGET [SERIES=7.3] [ARCH=arm64|arm|um] [KERNEL_SRC=TREE or TARBALL]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## install the Debian packages that building and booting needs
	@vm/deps

fetch: deps ## get the kernel source (REFRESH=1: ask the mirror for a newer one)
	@vm/fetch

kernel: deps ## build build/SERIES/ARCH: kernel with the overlay and patches
	@vm/build

stock: deps ## build build/SERIES/stock/ARCH: same configuration, nothing of ours
	@FLAVOUR=stock vm/build

boot: deps ## an interactive shell in a guest with carveouts
	@vm/build > /dev/null
	@vm/initramfs > /dev/null
	@vm/boot --run shell $(if $(filter um,$(ARCH)),--append "cma_carveout=display:32M$(comma)video:64M")

demo: deps ## the main job on an arm64 board in QEMU, from nothing
	@ARCH=arm64 vm/build > /dev/null
	@ARCH=arm64 vm/initramfs > /dev/null
	@ARCH=arm64 vm/demo/run

check: deps ## all tests: User Mode Linux, arm64, 32-bit arm, Debian (DEBUG=1: on debug kernels)
	@vm/check $(if $(filter-out 0,$(DEBUG)),debug)

check-fast: deps ## the tests that User Mode Linux can run, seconds once built
	@vm/check fast

nightly: deps ## hours: check DEBUG=1, and a million of each operation (then vm/figures)
	@vm/check nightly

kunit: deps ## the controller's unit tests (FILTER=dmem_peak: some of them)
	@vm/kunit "$(FILTER)"

model: deps ## the controller's protocol in a model checker: docs/model.md
	@tools/verification/models/dmem/check-dmem-model.sh

bench: deps ## what a charge costs, ours against stock: docs/benchmarks.md
	@vm/bench/run

lint: deps ## checkpatch, kernel-doc, W=1 and sparse on our files
	@ARCH=um vm/build > /dev/null
	@ARCH=um vm/lint

dropin: deps ## compile every in-tree user of the controller (TTM, xe, amdgpu, nouveau)
	@vm/dropin

overlay: ## lay overlay and patches over your own tree: make overlay TREE=/path/to/linux
	@vm/tree --into "$(TREE)"

tools: deps ## build dmemctl and dmemd: build/tools
	@$(MAKE) -s -C tools/dmem
	@$(MAKE) -s -C tools/dmem/dmemd

check-tools: deps ## the tests of the tools that need no guest
	@$(MAKE) -s -C tools/dmem check

install: tools ## install the tools: make install DESTDIR= PREFIX=/usr/local
	@$(MAKE) -s -C tools/dmem install
	@$(MAKE) -s -C tools/dmem/dmemd install
	@$(MAKE) -s -C systemd-units install

deb: deps ## Debian packages of the tools for this machine: build/deb
	@vm/deb

kernel-deb: deps ## Debian packages of the kernel (KERNEL_CONFIG=FILE: with your configuration)
	@vm/kernel-deb

boot-debian: deps ## a shell in Debian with systemd, dmemd, libcgroup and containers
	@VARIANT=systemd+$(if $(filter um,$(ARCH)),ubd,virtio-blk) vm/build > /dev/null
	@VARIANT=systemd+$(if $(filter um,$(ARCH)),ubd,virtio-blk) vm/debian-guest --run shell

check-debian: deps ## the tests that need systemd, in that guest
	@vm/check debian

clean: ## remove build/ (caches stay)
	rm -rf build

comma := ,
