// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Regions that come and go.
 *
 * dmem.capacity cannot be polled.  But whoever registers a region, a driver that is
 * bound to its device or a module that is loaded, is followed by a uevent of the
 * kernel's: that is the moment to look.
 */
#include "dmemd.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "memory.h"

/* the kernel's own uevents; 2 would be udev's */
#define GROUP_KERNEL	1

/*
 * "ACTION@DEVPATH", then KEY=VALUE, each with a NUL behind it.  At boot udev has the
 * kernel announce every device again: those that cannot bring a region are passed
 * over.
 */
static bool is_interesting(const char *text, size_t len)
{
	static const char * const subsystems[] = { "dma_heap", "drm", "module" };
	const char *end = text + len, *at;
	size_t i;

	if (!strncmp(text, "bind@", 5) || !strncmp(text, "unbind@", 7))
		return true;
	for (at = text; at < end; at += strlen(at) + 1) {
		if (strncmp(at, "SUBSYSTEM=", 10))
			continue;
		for (i = 0; i < sizeof(subsystems) / sizeof(subsystems[0]); i++)
			if (!strcmp(at + 10, subsystems[i]))
				return true;
		return false;
	}
	return false;
}

static int on_uevents(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct dmemd *d = userdata;
	char text[4096];
	ssize_t len;

	(void)source, (void)revents;
	while (true) {
		len = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
		if (len < 0 && errno == EINTR)
			continue;
		/* some were lost: there may have been one */
		if (len < 0 && errno == ENOBUFS) {
			dmemd_refresh_soon(d);
			continue;
		}
		if (len <= 0)
			return 0;
		text[len] = '\0';
		if (is_interesting(text, len))
			dmemd_refresh_soon(d);
	}
}

int uevents_watch(struct dmemd *d)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = GROUP_KERNEL,
	};
	sd_event_source *source;
	int ret;

	d->uevents_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			       NETLINK_KOBJECT_UEVENT);
	if (d->uevents_fd < 0)
		return -errno;
	if (bind(d->uevents_fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	ret = sd_event_add_io(d->event, &source, d->uevents_fd, EPOLLIN, on_uevents, d);
	if (ret < 0)
		return ret;
	sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE);
	sd_event_source_set_floating(source, true);
	sd_event_source_unref(source);
	return 0;
}
