/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User mappings of physically contiguous memory, see mm/contig_fault.c.
 */
#ifndef _LINUX_CONTIG_FAULT_H
#define _LINUX_CONTIG_FAULT_H

#include <linux/mm_types.h>

struct vm_fault;

vm_fault_t vmf_insert_contig(struct vm_fault *vmf, unsigned long pfn,
			     unsigned long nr_pages, unsigned int order);

#endif /* _LINUX_CONTIG_FAULT_H */
