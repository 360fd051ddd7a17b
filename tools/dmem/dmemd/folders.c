// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit files that change.
 */
#include "dmemd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <syslog.h>
#include <unistd.h>

#include "memory.h"

/*
 * Files that are written are read when they are closed; editors and package
 * managers rename.
 */
#define CHANGES	(IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | \
		 IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB)

void folders_seen(void *userdata, const char *path, bool missing)
{
	char *above __free_string = NULL;
	struct dmemd *d = userdata;

	if (d->folders_fd < 0)
		return;
	if (!missing) {
		if (inotify_add_watch(d->folders_fd, path, CHANGES | IN_ONLYDIR) < 0 &&
		    errno != ENOENT)
			say(LOG_WARNING, "%s cannot be watched, changes there count after 'systemctl daemon-reload' only: %m",
			    path);
		return;
	}
	/* it may be made one day, and so may the folder above it */
	above = dmem_strdup(path);
	do {
		*strrchr(above, '/') = '\0';
	} while (*above && access(above, F_OK));
	if (*above)
		inotify_add_watch(d->folders_fd, above,
				  IN_CREATE | IN_MOVED_TO | IN_ONLYDIR | IN_MASK_ADD);
}

static int on_folders(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *event;
	struct dmemd *d = userdata;
	bool changed = false;
	ssize_t len;
	char *at;

	(void)source, (void)revents;
	while ((len = read(fd, buf, sizeof(buf))) > 0) {
		for (at = buf; at < buf + len; at += sizeof(*event) + event->len) {
			event = (const struct inotify_event *)at;
			if (!(event->mask & IN_IGNORED))
				changed = true;
		}
	}
	if (changed)
		dmemd_reload_soon(d);
	return 0;
}

int folders_watch(struct dmemd *d)
{
	sd_event_source *source;
	int ret;

	d->folders_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (d->folders_fd < 0)
		return -errno;
	ret = sd_event_add_io(d->event, &source, d->folders_fd, EPOLLIN, on_folders, d);
	if (ret < 0)
		return ret;
	sd_event_source_set_floating(source, true);
	sd_event_source_unref(source);
	return 0;
}
