/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers in memory that processes share */
#ifndef SHARED_NUMBER_H
#define SHARED_NUMBER_H

/* What was written before the other one's store() is seen after load() */
#define load(x)		__atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define store(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELEASE)

/* One more; what it was before */
#define count(x)	__atomic_fetch_add(&(x), 1, __ATOMIC_ACQ_REL)

#endif /* SHARED_NUMBER_H */
