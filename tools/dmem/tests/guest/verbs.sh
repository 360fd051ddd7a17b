#!/bin/bash
id; uname -a; ls /dev/dma_heap; $DMEM_TOP/build/tools/dmemctl list; ls /dev/pts; mount | tail -15; date
