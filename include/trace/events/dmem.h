/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trace events of the dmem cgroup controller.  Sizes are bytes; the cgroup is
 * the one that is charged or, for a limit, the one whose limit it was.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dmem

#if !defined(_TRACE_DMEM_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_DMEM_H

#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(dmem_template,

	TP_PROTO(const char *region, u64 cgroup_id, u64 bytes),

	TP_ARGS(region, cgroup_id, bytes),

	TP_STRUCT__entry(
		__string(region, region)
		__field(u64, cgroup_id)
		__field(u64, bytes)
	),

	TP_fast_assign(
		__assign_str(region);
		__entry->cgroup_id = cgroup_id;
		__entry->bytes = bytes;
	),

	TP_printk("region=%s cgroup_id=%llu bytes=%llu",
		  __get_str(region), __entry->cgroup_id, __entry->bytes)
);

/* A charge was granted. */
DEFINE_EVENT(dmem_template, dmem_charge,
	TP_PROTO(const char *region, u64 cgroup_id, u64 bytes),
	TP_ARGS(region, cgroup_id, bytes)
);

/* A charge was given back. */
DEFINE_EVENT(dmem_template, dmem_uncharge,
	TP_PROTO(const char *region, u64 cgroup_id, u64 bytes),
	TP_ARGS(region, cgroup_id, bytes)
);

/* A charge was refused by the limit of this cgroup. */
DEFINE_EVENT(dmem_template, dmem_limit_hit,
	TP_PROTO(const char *region, u64 cgroup_id, u64 bytes),
	TP_ARGS(region, cgroup_id, bytes)
);

#endif /* _TRACE_DMEM_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
