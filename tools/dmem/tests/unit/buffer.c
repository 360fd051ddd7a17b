// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Buffers and who holds them, from the tree "board" (make-trees says what is in it).
 */
#include <errno.h>

#include "buffer.h"
#include "check.h"
#include "memory.h"
#include "value.h"

static struct dmem_root root;
static struct dmem_regions regions;
static struct dmem_buffers buffers;

static void open_tree(const char *name)
{
	struct dmem_error err = { "" };

	check_number(dmem_root_open(&root, tree(name), &err), 0);
	check(!dmem_regions_read(&root, &regions, &err), "%s", err.text);
	check_number(dmem_buffers_read(&root, &regions, &buffers), 0);
}

static void close_tree(void)
{
	dmem_buffers_free(&buffers);
	dmem_regions_free(&regions);
	dmem_root_close(&root);
}

static const struct dmem_buffer *find(uint64_t ino)
{
	static const struct dmem_buffer none;
	size_t i;

	for (i = 0; i < buffers.count; i++)
		if (buffers.buffer[i].ino == ino)
			return &buffers.buffer[i];
	check(false, "no buffer %" PRIu64, ino);
	return &none;
}

static void holders(void)
{
	const struct dmem_buffer *frame;

	open_tree("board");
	check_number(buffers.count, 5);
	check(buffers.complete, "bufinfo is there");
	check_number(buffers.unreadable, 0);
	frame = find(11);
	check_number(frame->size, 4 << 20);
	check_text(frame->region, "cma/video@58000000");
	check_text(frame->cgroup, "/media.slice/player.service");
	check_number(frame->cgroup_id, 96);
	check_text(frame->name, "frame");
	check_number(frame->nr_holders, 2);
	if (frame->nr_holders == 2) {
		const struct dmem_holder *player = &frame->holder[0];
		const struct dmem_holder *compositor = &frame->holder[1];

		check_number(player->pid, 100);
		check_text(player->comm, "player");
		check_text(player->cgroup, "/media.slice/player.service");
		/* by number, not as they were listed: "12" is before "7" */
		check_number(player->nr_fds, 2);
		check(player->nr_fds == 2 && player->fd[0] == 7 && player->fd[1] == 12, "7,12");
		check(!player->mapped, "not mapped");
		check_number(compositor->nr_fds, 1);
		check(compositor->mapped, "mapped");
	}
	check_number(frame->nr_devices, 2);
	close_tree();
}

/* nobody holds a descriptor: a mapping alone; or a driver alone */
static void no_descriptor(void)
{
	const struct dmem_buffer *buffer;

	open_tree("board");
	buffer = find(13);
	check_number(buffer->nr_holders, 1);
	check(buffer->nr_holders && buffer->holder[0].mapped && !buffer->holder[0].nr_fds,
	      "a mapping");
	check_number(buffer->size, 65536);
	/* what bufinfo does not say is the heap's, who is charged is not known */
	check_text(buffer->region, "cma/display@50000000");
	check(!buffer->charge_known, "who is charged");
	buffer = find(15);
	check_number(buffer->nr_holders, 0);
	check_number(buffer->nr_devices, 1);
	close_tree();
}

static void removed_cgroup(void)
{
	const struct dmem_buffer *buffer;

	open_tree("board");
	buffer = find(12);
	check_number(buffer->cgroup_id, 77);
	check(!buffer->cgroup, "'%s'", buffer->cgroup);
	check(buffer->charge_known, "the kernel said who");
	close_tree();
}

/* a name with lines of its own in it changes nothing */
static void evil_name(void)
{
	const struct dmem_buffer *buffer;
	size_t i;

	open_tree("board");
	buffer = find(14);
	check_number(buffer->size, 8192);
	check(!buffer->cgroup, "'%s' is the name's, not the kernel's", buffer->cgroup);
	check(!buffer->region, "'%s'", buffer->region);
	check(buffer->charge_known, "a kernel that says who is charged did not");
	for (i = 0; i < buffers.count; i++)
		check(buffers.buffer[i].ino != 666, "made up by a name in bufinfo");
	close_tree();
}

/* a kernel that does not say who is charged */
static void without_discovery(void)
{
	const struct dmem_buffer *buffer;

	open_tree("carveouts");
	check_number(buffers.count, 4);
	buffer = find(1);
	check_number(buffer->size, 5001216);
	check_text(buffer->region, "cma/video");
	check(!buffer->charge_known, "that is a guess");
	check_number(buffer->nr_holders, 1);
	close_tree();
}

/* one that does, recorded; the fourth buffer's allocator was removed */
static void recorded_discovery(void)
{
	const struct dmem_buffer *buffer;

	open_tree("discovery");
	check_number(buffers.count, 4);
	buffer = find(1);
	check(buffer->charge_known, "the kernel said so");
	check_text(buffer->cgroup, "/media/player");
	check(buffer->cgroup_id, "a number");
	buffer = find(4);
	check(buffer->charge_known && buffer->cgroup_id && !buffer->cgroup, "removed: '%s'",
	      buffer->cgroup);
	check(buffer->nr_holders == 1 && buffer->holder[0].cgroup &&
	      !strcmp(buffer->holder[0].cgroup, "/media/camera"), "held by another");
	close_tree();
}

/* a file is opened for a buffer's descriptor, not for any other */
static void work(void)
{
	unsigned long before;

	open_tree("board");
	dmem_buffers_free(&buffers);
	before = root.opens;
	check_number(dmem_buffers_read(&root, &regions, &buffers), 0);
	/*
	 * /proc, bufinfo; of each of 5 processes: itself, fd, fdinfo (401 has
	 * neither), maps; 5 descriptors; comm and cgroup of 5 holders
	 */
	check(root.opens - before <= 2 + 5 * 4 + 5 + 5 * 2, "%lu", root.opens - before);
	close_tree();
}

static void fdinfo(void)
{
	static const struct {
		const char *text, *name;
		uint64_t ino, size, id;
		const char *region, *cgroup;
	} good[] = {
		{ "ino:\t5\nsize:\t6\n", "", 5, 6, 0, NULL, NULL },
		{ "ino:\t5\n", "", 5, DMEM_UNKNOWN, 0, NULL, NULL },
		/* the kernel's are before the name, or after it */
		{ "ino:\t5\nsize:\t6\nname:\ta\nb\ndmem_region:\tr\ndmem_cgroup_id:\t7\ndmem_cgroup:\t/x\n",
		  "a\nb", 5, 6, 7, "r", "/x" },
		{ "ino:\t5\nsize:\t6\nname:\ta\nsize:\t9\nino:\t8\n", "a\nsize:\t9\nino:\t8",
		  5, 6, 0, NULL, NULL },
		{ "ino:\t5\nsize:\t6\nname:\ta\ndmem_region:\tfake\ndmem_region:\treal\n", "a\ndmem_region:\tfake",
		  5, 6, 0, "real", NULL },
		/* not charged: nothing of the kernel's comes after the name */
		{ "ino:\t5\nsize:\t6\nname:\ta\ndmem_region:\tfake\ndmem_cgroup_id:\t1\n",
		  "a\ndmem_region:\tfake\ndmem_cgroup_id:\t1", 5, 6, 0, NULL, NULL },
		/* renamed between the link and the file: the last one is the kernel's */
		{ "ino:\t5\nsize:\t6\nname:\tb\ndmem_region:\tfake\ndmem_region:\treal\n", "a",
		  5, 6, 0, "real", NULL },
		{ "ino:\t5\nsize:\tx\n", "", 5, DMEM_UNKNOWN, 0, NULL, NULL },
	};
	struct dmem_buffer buffer;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct dmem_buffers one = { .buffer = &buffer, .count = 1 };

		buffer = (struct dmem_buffer){ 0 };
		check(dmem_fdinfo_parse(good[i].text, good[i].name, &buffer), "%zu", i);
		check_number(buffer.ino, good[i].ino);
		check_number(buffer.size, good[i].size);
		check_number(buffer.cgroup_id, good[i].id);
		if (good[i].region)
			check_text(buffer.region, good[i].region);
		else
			check(!buffer.region, "'%s'", buffer.region);
		if (good[i].cgroup)
			check_text(buffer.cgroup, good[i].cgroup);
		else
			check(!buffer.cgroup, "'%s'", buffer.cgroup);
		/* what it owns goes with it */
		one.buffer = malloc(sizeof(buffer));
		*one.buffer = buffer;
		dmem_buffers_free(&one);
	}
	buffer = (struct dmem_buffer){ 0 };
	check(!dmem_fdinfo_parse("size:\t6\nexp_name:\tx\n", "a", &buffer), "no inode number");
	check(!dmem_fdinfo_parse("", "", &buffer), "nothing");
}

static void maps(void)
{
	const char *at = "1-2 r 0 0:0 1 /bin/sh\n"
			 "1-2 r 0 0:0 7 /dmabuf:\n"
			 "1-2 r 0 0:0 8 /dmabuf:a b\n"
			 "1-2 r 0 0:0 x /dmabuf:\n"
			 "1-2 r 0 0:0 9\n"
			 "1-2 r 0 0:0 10 /home/dmabuf:\n"
			 "/dmabuf:\n\n";
	uint64_t ino;

	check(dmem_maps_next(&at, &ino), "the first");
	check_number(ino, 7);
	check(dmem_maps_next(&at, &ino), "the second");
	check_number(ino, 8);
	check(!dmem_maps_next(&at, &ino), "no more, but %" PRIu64, ino);
}

CHECK_MAIN(CASE(holders), CASE(no_descriptor), CASE(removed_cgroup), CASE(evil_name),
	   CASE(without_discovery), CASE(recorded_discovery),
	   CASE(work), CASE(fdinfo), CASE(maps))
