// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drop-ins keep what others wrote into them, and limits replace each other.
 */
#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "memory.h"
#include "persist.h"

#define HEAD "# Written by dmemctl set --persist, applied by dmemd.\n"

static const struct persist_line video = { DMEM_LIMIT_MAX, "cma/video", "25%" };
static const struct persist_line both[] = {
	{ DMEM_LIMIT_MAX, "cma/video", "25%" },
	{ DMEM_LIMIT_LOW, "cma/video", "1M" },
};

static void merge(void)
{
	static const struct {
		const char *old, *new;
	} cases[] = {
		{ "", HEAD "[X-DMem]\nDeviceMemoryMax=cma/video 25%\n" },
		{ "[X-DMem]\nDeviceMemoryMax=cma/video 64M\n",
		  "[X-DMem]\nDeviceMemoryMax=cma/video 25%\n" },
		{ "[X-DMem]\n  DeviceMemoryMax =\tcma/video 64M\nDeviceMemoryMax=cma/video2 64M\n",
		  "[X-DMem]\nDeviceMemoryMax=cma/video2 64M\nDeviceMemoryMax=cma/video 25%\n" },
		{ "[X-DMem]\nDeviceMemoryLow=cma/video 64M\n# mine\nDeviceMemoryMaxi=cma/video 1\n",
		  "[X-DMem]\nDeviceMemoryLow=cma/video 64M\n# mine\nDeviceMemoryMaxi=cma/video 1\nDeviceMemoryMax=cma/video 25%\n" },
		/* the same key in another section is somebody else's */
		{ "[Service]\nDeviceMemoryMax=cma/video 64M\n[X-DMem]\n[Install]\na=b",
		  "[Service]\nDeviceMemoryMax=cma/video 64M\n[X-DMem]\nDeviceMemoryMax=cma/video 25%\n[Install]\na=b\n" },
		{ "[Service]\nUser=x\n", "[Service]\nUser=x\n[X-DMem]\nDeviceMemoryMax=cma/video 25%\n" },
		/* written once, also where the section is there twice */
		{ "[X-DMem]\nDeviceMemoryMax=cma/video 1\n[X-DMem]\nDeviceMemoryMax=cma/video 2\n",
		  "[X-DMem]\nDeviceMemoryMax=cma/video 25%\n[X-DMem]\n" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *new __free_string = persist_merge(cases[i].old, &video, 1);
		char *again __free_string = persist_merge(new, &video, 1);

		check_text(new, cases[i].new);
		check_text(again, cases[i].new);
	}
}

static void write_twice(void)
{
	struct dmem_root root __cleanup(dmem_root_close) = { 0 };
	struct dmem_text text __cleanup(dmem_text_free) = { 0 };
	char *command __free_string = NULL;
	char dir[] = "/tmp/dmem-persist-XXXXXX";
	struct dmem_error err = { "" };

	check(mkdtemp(dir), "%m");
	check_number(dmem_root_open(&root, dir, &err), 0);
	check_number(persist_check(&root, "/a.slice", &err), -ENOENT);
	check_names(&err, "dmemd");
	/* nowhere to write */
	check_number(persist_write(&root, "/x/a.slice", both, 2, &err), -ENOENT);
	command = dmem_printf("mkdir -p %s/etc/systemd/system %s/usr/lib/systemd/system && touch %s/usr/lib/systemd/system/dmemd.service", dir, dir, dir);
	check(!system(command), "%s", command);
	check_number(persist_check(&root, "/a.slice", &err), 0);
	check_number(persist_check(&root, "/x/plain", &err), -EINVAL);
	check_names(&err, "/x/plain");
	check_number(persist_check(&root, "/x/run-1.scope", &err), -EINVAL);
	check_names(&err, "run-1.scope");

	check_text(persist_file("/x/a.slice"), "/etc/systemd/system/a.slice.d/50-dmemctl.conf");
	check(!persist_write(&root, "/x/a.slice", both, 2, &err), "%s", err.text);
	check(!persist_write(&root, "/x/a.slice", &video, 1, &err), "%s", err.text);
	check_number(dmem_read_at(&root, root.fd, persist_file("/x/a.slice") + 1, &text), 0);
	check_text(text.data, HEAD "[X-DMem]\nDeviceMemoryLow=cma/video 1M\nDeviceMemoryMax=cma/video 25%\n");
	free(command);
	command = dmem_printf("test $(ls -A %s/etc/systemd/system/a.slice.d | wc -l) = 1 && rm -r %s", dir, dir);
	check(!system(command), "something is left beside the file");
}

CHECK_MAIN(CASE(merge), CASE(write_twice))
