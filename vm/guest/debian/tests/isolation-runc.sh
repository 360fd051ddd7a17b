#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What test_dmem_isolation attempts, in containers of runc.
export RUNTIME=runc DMEM_TEST_SLOW=4
exec test_dmem_isolation --runner="$PWD/in-container"
