/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inputs of cma-heap-fuzz that were worth keeping, with what has to come of each.
 * Done in this order for each heap, before anything generated: an input that
 * needs a buffer, a mapping or a sync file takes what came before it.
 *
 * Slot 0 is the heap, what an input makes goes to the slot in @into. SIZE stands
 * for the size of the heap; a size of 0 for that of the request's own struct.
 * Found something? Add it here, with the errno that it should have had.
 */
#ifndef CMA_HEAP_FUZZ_CORPUS_H
#define CMA_HEAP_FUZZ_CORPUS_H

#define SIZE	0x8000000000512e00ULL

static const struct {
	const char *name;
	int want;
	struct op op;
} corpus[] = {
	/* Lengths */
	{ "a page", 0,
	  { ALLOC, .slot = 0, .into = 1, .a = 4096, .b = O_RDWR } },
	{ "a byte", 0,
	  { ALLOC, .slot = 0, .into = 2, .a = 1, .b = O_RDWR | O_CLOEXEC } },
	{ "nothing", EINVAL,
	  { ALLOC, .slot = 0, .a = 0, .b = O_RDWR } },
	{ "a length that wraps to 0", EINVAL,
	  { ALLOC, .slot = 0, .a = ~0ULL, .b = O_RDWR } },
	{ "a page less than 2^64", ENOMEM,
	  { ALLOC, .slot = 0, .a = ~0ULL << 16, .b = O_RDWR } },
	{ "a page more than 2^32", ENOMEM,
	  { ALLOC, .slot = 0, .a = (1ULL << 32) + 4096, .b = O_RDWR } },
	{ "a page more than 2^63", ENOMEM,
	  { ALLOC, .slot = 0, .a = (1ULL << 63) + 4096, .b = O_RDWR } },
	{ "more than there is", ENOMEM,
	  { ALLOC, .slot = 0, .a = SIZE, .c = 1, .b = O_RDWR } },

	/* Flags and the field for the answer */
	{ "O_CREAT", EINVAL,
	  { ALLOC, .slot = 0, .a = 4096, .b = O_CREAT } },
	{ "O_PATH", EINVAL,
	  { ALLOC, .slot = 0, .a = 4096, .b = O_PATH } },
	{ "heap flags", EINVAL,
	  { ALLOC, .slot = 0, .a = 4096, .b = O_RDWR, .d = 1 } },
	{ "a descriptor given", EINVAL,
	  { ALLOC, .slot = 0, .a = 4096, .b = 3ULL << 32 | O_RDWR } },

	/* Structs of other sizes, in other places */
	{ "a length and no more", 0,
	  { ALLOC, .slot = 0, .size = 8, .a = 4096 } },
	{ "half a length", 0,
	  { ALLOC, .slot = 0, .size = 4, .a = 4096 } },
	{ "no struct", EINVAL,
	  { ALLOC, .slot = 0, .size = NO_SIZE } },
	{ "a larger struct, the rest 0", 0,
	  { ALLOC, .slot = 0, .into = 3, .size = 200, .a = 4096, .b = O_RDWR } },
	{ "a larger struct, its last byte not 0", E2BIG,
	  { ALLOC, .slot = 0, .size = 200, .a = 4096, .b = O_RDWR, .tail = 1 } },
	{ "the largest struct", 0,
	  { ALLOC, .slot = 0, .size = 16383, .a = 4096, .b = O_RDWR } },
	{ "an answer that can't be written", EFAULT,
	  { ALLOC, .slot = 0, .a = 4096, .b = O_RDWR, .where = READ_ONLY } },
	{ "a struct at NULL", EFAULT,
	  { ALLOC, .slot = 0, .a = 4096, .where = NOWHERE } },
	{ "a struct that ends in a hole", EFAULT,
	  { ALLOC, .slot = 0, .a = 4096, .where = ACROSS } },
	{ "a struct in the kernel", EFAULT,
	  { ALLOC, .slot = 0, .a = 4096, .where = KERNEL } },

	/* What a heap tells */
	{ "information", 0, { GET_INFO, .slot = 0 } },
	{ "information of a buffer", ENOTTY, { GET_INFO, .slot = 1 } },
	{ "a struct too small for information", EINVAL,
	  { GET_INFO, .slot = 0, .size = 8 } },
	{ "information with flags", EINVAL, { GET_INFO, .slot = 0, .a = 1 } },
	{ "information that is to come", E2BIG,
	  { GET_INFO, .slot = 0, .size = 4096, .tail = 1 } },
	{ "information that can't be written", EFAULT,
	  { GET_INFO, .slot = 0, .where = READ_ONLY } },

	/* Access */
	{ "begin to read", 0, { SYNC, .slot = 1, .a = DMA_BUF_SYNC_READ } },
	{ "end what was not begun", 0,
	  { SYNC, .slot = 2, .a = DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END } },
	{ "no direction", EINVAL, { SYNC, .slot = 1, .a = DMA_BUF_SYNC_END } },
	{ "a direction too many", EINVAL, { SYNC, .slot = 1, .a = 1ULL << 63 | 3 } },
	{ "access with half a struct", ENOTTY,
	  { SYNC, .slot = 1, .size = 4, .a = DMA_BUF_SYNC_READ } },
	{ "access from nowhere", EFAULT,
	  { SYNC, .slot = 1, .a = DMA_BUF_SYNC_READ, .where = NOWHERE } },

	/* Names */
	{ "a name", 0, { SET_NAME, .slot = 1, .a = 5 } },
	{ "another name", 0, { SET_NAME, .slot = 1, .a = 31, .b = 1 } },
	{ "no name", 0, { SET_NAME, .slot = 1, .a = 0 } },
	{ "a name too long", EINVAL, { SET_NAME, .slot = 1, .a = 32 } },
	{ "a name that does not end", EFAULT,
	  { SET_NAME, .slot = 1, .a = 8, .where = ACROSS } },
	{ "a name at NULL", EFAULT, { SET_NAME, .slot = 1, .where = NOWHERE } },

	/* Sync files */
	{ "a sync file", 0,
	  { EXPORT, .slot = 1, .into = 4, .a = DMA_BUF_SYNC_RW } },
	{ "a sync file that can't be told", EFAULT,
	  { EXPORT, .slot = 1, .a = DMA_BUF_SYNC_RW, .where = READ_ONLY } },
	{ "a sync file for nothing", EINVAL, { EXPORT, .slot = 1, .a = 0 } },
	{ "a sync file of a heap", EINVAL,
	  { EXPORT, .slot = 0, .a = DMA_BUF_SYNC_RW } },
	{ "import it", 0,
	  { IMPORT, .slot = 2, .a = DMA_BUF_SYNC_WRITE, .b = 4 } },
	{ "import it again, for others", 0,
	  { IMPORT, .slot = 2, .a = DMA_BUF_SYNC_READ, .b = 4 } },
	{ "import a buffer", EINVAL,
	  { IMPORT, .slot = 2, .a = DMA_BUF_SYNC_WRITE, .b = 1 } },
	{ "import nothing", EINVAL,
	  { IMPORT, .slot = 2, .a = DMA_BUF_SYNC_WRITE, .b = NO_SLOT } },
	{ "import into itself", ENOTTY,
	  { IMPORT, .slot = 4, .a = DMA_BUF_SYNC_WRITE, .b = 4 } },

	/* Mappings; @a pages at page @b of the buffer, at page @c of the arena */
	{ "map a page", 0, { MMAP, .slot = 1, .a = 1, .b = 0, .c = 3 } },
	{ "touch it", 0, { TOUCH, .a = 3, .b = 1 } },
	{ "map more than there is", EINVAL,
	  { MMAP, .slot = 1, .a = 2, .b = 0, .c = 4 } },
	{ "map behind the end", EINVAL,
	  { MMAP, .slot = 1, .a = 1, .b = 1, .c = 4 } },
	{ "map at the end of all offsets", OFFSET_ERRNO,
	  { MMAP, .slot = 1, .a = 1, .b = ~0ULL >> 12, .c = 4 } },
	{ "map a private copy", EINVAL,
	  { MMAP, .slot = 1, .a = 1, .c = 4, .d = MAP_PRIVATE } },
	{ "map a heap", ENODEV,
	  { MMAP, .slot = 0, .into = PROT_READ, .a = 1, .c = 4 } },
	{ "map a heap to write to it", EACCES, { MMAP, .slot = 0, .a = 1, .c = 4 } },
	{ "grow the mapping", EFAULT, { MREMAP, .a = 3, .b = 1, .c = 2 } },
	{ "move the mapping", 0, { MREMAP, .a = 3, .b = 1, .c = 1, .d = 8 } },
	{ "touch where it was", EFAULT, { TOUCH, .a = 3, .b = 1 } },
	{ "touch where it is", 0, { TOUCH, .a = 8, .b = 0 } },
	{ "shrink it to nothing", EINVAL, { MREMAP, .a = 8, .b = 1, .c = 0 } },
	{ "double it, the old size 0", EFAULT, { MREMAP, .a = 8, .b = 0, .c = 1 } },
	{ "close its buffer", 0, { CLOSE, .slot = 1 } },
	{ "touch it still", 0, { TOUCH, .a = 8, .b = 1 } },
	{ "name what is closed", EBADF, { SET_NAME, .slot = 1, .a = 1 } },
	{ "unmap it", 0, { MUNMAP, .a = 8, .b = 1 } },
	{ "unmap it again", 0, { MUNMAP, .a = 8, .b = 1 } },

	/* What descriptors have in common */
	{ "the end of a buffer", 0, { SEEK, .slot = 2, .a = 0, .b = SEEK_END } },
	{ "somewhere in a buffer", EINVAL,
	  { SEEK, .slot = 2, .a = 1, .b = SEEK_END } },
	{ "holes of a buffer", EINVAL, { SEEK, .slot = 2, .a = 0, .b = SEEK_HOLE } },
	{ "somewhere in a heap", ESPIPE, { SEEK, .slot = 0, .a = 0, .b = SEEK_SET } },
	{ "what was allocated by another number", ENOTTY,
	  { ANY_IOCTL, .slot = 2, .a = 0xc0184800 } },
	{ "a number that heaps do not know", EINVAL,
	  { ANY_IOCTL, .slot = 0, .a = 0xc0184801 } },
	{ "the number alone", EINVAL, { ANY_IOCTL, .slot = 0, .a = 0x4800 } },
};

/* What the numbers that can be set take, for max_percent */
static const struct {
	const char *text;
	unsigned int len;
	int want;
} sysfs_corpus[] = {
	{ "0", 1, 0 },
	{ "100", 3, 0 },
	{ "50\n", 3, 0 },
	{ "+5", 2, 0 },
	{ "007", 3, 0 },
	{ "7\0", 2, 0 },
	{ "101", 3, ERANGE },
	{ "4294967295", 10, ERANGE },
	{ "4294967296", 10, ERANGE },
	{ "18446744073709551616", 20, ERANGE },
	{ "-1", 2, EINVAL },
	{ "-0", 2, EINVAL },
	{ " 5", 2, EINVAL },
	{ "5 ", 2, EINVAL },
	{ "5\n\n", 3, EINVAL },
	{ "0x10", 4, EINVAL },
	{ "\n", 1, EINVAL },
	{ "max", 3, EINVAL },
	{ "\xff", 1, EINVAL },
};

#endif /* CMA_HEAP_FUZZ_CORPUS_H */
