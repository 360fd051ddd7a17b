// SPDX-License-Identifier: GPL-2.0
/*
 * Faults on mappings of physically contiguous memory
 *
 * Whoever maps one page of a frame or of a framebuffer is about to use the
 * others.  With all of the memory in one piece nothing has to be looked up for
 * them, so one fault maps as much as one lock protects:
 *
 *	a PMD	where address, page frame and the bounds of VMA and memory allow
 *	or	all of the page table that are within these bounds
 *
 * What is mapped
 *	Pages with the VMA's protection: writable if it is, and dirty then, so
 *	that the first write does not fault again on CPUs that leave the dirty
 *	bit to software.  Nobody looks at the dirty bit of special entries.
 *
 * What is not
 *	Pages beyond the memory or beyond the VMA, whatever there is.
 *
 * Split PMDs
 *	mm drops a special PMD when it has to be split (partial munmap, mprotect,
 *	mremap).  Later faults map what the new bounds allow.
 *
 * Locking
 *	The page table's lock is held while it is filled.  Faults on the same page
 *	table, PMD and page table alike, may race; the first one wins and the
 *	others find nothing to do, or come again.
 */

#include <linux/align.h>
#include <linux/contig_fault.h>
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "internal.h"

static vm_fault_t contig_insert_pmd(struct vm_fault *vmf, unsigned long pfn,
				    unsigned long nr_pages)
{
	const unsigned long pmd_pages = PMD_SIZE >> PAGE_SHIFT;
	unsigned long addr = ALIGN_DOWN(vmf->address, PMD_SIZE);
	struct vm_area_struct *vma = vmf->vma;
	unsigned long pgoff;

	/* fork copies a special PMD without the page table that goes with it */
	if (arch_needs_pgtable_deposit())
		return VM_FAULT_FALLBACK;
	if (addr < vma->vm_start || vma->vm_end - addr < PMD_SIZE)
		return VM_FAULT_FALLBACK;
	/* the VMA has these pages: no underflow */
	pgoff = vmf->pgoff - ((vmf->address - addr) >> PAGE_SHIFT);
	if (pgoff >= nr_pages || nr_pages - pgoff < pmd_pages ||
	    !IS_ALIGNED(pfn + pgoff, pmd_pages))
		return VM_FAULT_FALLBACK;

	return vmf_insert_pfn_pmd(vmf, pfn + pgoff, vma->vm_flags & VM_WRITE);
}

static vm_fault_t contig_fill_table(struct vm_fault *vmf, unsigned long pfn,
				    unsigned long nr_pages)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long addr = vmf->address & PAGE_MASK;
	unsigned long before, nr, i;
	pgprot_t prot = vma->vm_page_prot;
	pte_t *start, *pte;
	spinlock_t *ptl;	/* the page table's */

	before = min(pte_index(addr), (addr - vma->vm_start) >> PAGE_SHIFT);
	nr = min3(PTRS_PER_PTE - pte_index(addr),
		  (vma->vm_end - addr) >> PAGE_SHIFT, nr_pages - vmf->pgoff);
	nr += before;
	addr -= before << PAGE_SHIFT;
	pfn += vmf->pgoff - before;

	pfnmap_setup_cachemode(pfn, nr << PAGE_SHIFT, &prot);

	if (pmd_none(*vmf->pmd)) {
		if (vmf->prealloc_pte)
			pmd_install(vma->vm_mm, vmf->pmd, &vmf->prealloc_pte);
		else if (pte_alloc(vma->vm_mm, vmf->pmd))
			return VM_FAULT_OOM;
	}
	start = pte_offset_map_lock(vma->vm_mm, vmf->pmd, addr, &ptl);
	/* somebody has put something else there: see what the fault is then */
	if (!start)
		return VM_FAULT_NOPAGE;

	lazy_mmu_mode_enable();
	for (i = 0, pte = start; i < nr; i++, pte++) {
		pte_t entry;

		if (!pte_none(ptep_get(pte)))
			continue;
		entry = pte_mkyoung(pte_mkspecial(pfn_pte(pfn + i, prot)));
		if (vma->vm_flags & VM_WRITE)
			entry = maybe_mkwrite(pte_mkdirty(entry), vma);
		set_pte_at(vma->vm_mm, addr + (i << PAGE_SHIFT), pte, entry);
		/* no range: some CPUs flush the first page's folio, a page here */
		update_mmu_cache_range(vmf, vma, addr + (i << PAGE_SHIFT), pte,
				       1);
	}
	lazy_mmu_mode_disable();

	pte_unmap_unlock(start, ptl);
	return VM_FAULT_NOPAGE;
}

/**
 * vmf_insert_contig() - map contiguous memory around a fault
 * @vmf: the fault, in a shared mapping with VM_PFNMAP set whose page offsets
 *	count from @pfn
 * @pfn: first page of the memory; all of it has struct pages
 * @nr_pages: how many pages there are
 * @order: what .huge_fault was asked for; 0 from .fault
 *
 * A driver that maps contiguous memory calls it from its .fault, and from its
 * .huge_fault where CONFIG_ARCH_SUPPORTS_PMD_PFNMAP is set.  It needs both, as a
 * mapping may be partly of one kind and partly of the other.
 *
 * Context: Page fault.  May sleep.  The caller makes sure that the memory does
 * not go before the mapping does.
 * Return: %VM_FAULT_NOPAGE when the page is mapped, %VM_FAULT_SIGBUS if it is
 * beyond the memory, %VM_FAULT_OOM without memory for a page table,
 * %VM_FAULT_FALLBACK if @order is not possible here: .fault is called next.
 */
vm_fault_t vmf_insert_contig(struct vm_fault *vmf, unsigned long pfn,
			     unsigned long nr_pages, unsigned int order)
{
	if (WARN_ON_ONCE(!(vmf->vma->vm_flags & VM_PFNMAP) ||
			 vma_is_cow_mapping(vmf->vma)))
		return VM_FAULT_SIGBUS;
	if (vmf->pgoff >= nr_pages)
		return VM_FAULT_SIGBUS;
	if (!order)
		return contig_fill_table(vmf, pfn, nr_pages);
	if (IS_ENABLED(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP) && order == PMD_ORDER)
		return contig_insert_pmd(vmf, pfn, nr_pages);
	return VM_FAULT_FALLBACK;
}
EXPORT_SYMBOL_GPL(vmf_insert_contig);
