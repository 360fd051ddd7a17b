// SPDX-License-Identifier: GPL-2.0-or-later
#include "persist.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"
#include "unit.h"

#define UNITS	"etc/systemd/system"
#define SECTION	"[X-DMem]"

static const char * const daemon_units[] = {
	"etc/systemd/system/dmemd.service",
	"usr/local/lib/systemd/system/dmemd.service",
	"usr/lib/systemd/system/dmemd.service",
	"lib/systemd/system/dmemd.service",
};

static const char * const keys[DMEM_NR_LIMITS] = {
	[DMEM_LIMIT_MAX] = "DeviceMemoryMax",
	[DMEM_LIMIT_LOW] = "DeviceMemoryLow",
	[DMEM_LIMIT_MIN] = "DeviceMemoryMin",
};

int persist_check(struct dmem_root *root, const char *cgroup, struct dmem_error *err)
{
	const char *unit = strrchr(cgroup, '/') + 1;
	size_t len = strlen(unit), i;

	for (i = 0; i < sizeof(daemon_units) / sizeof(daemon_units[0]); i++)
		if (!faccessat(root->fd, daemon_units[i], F_OK, 0))
			break;
	if (i == sizeof(daemon_units) / sizeof(daemon_units[0]))
		return dmem_fail(err, ENOENT,
				 "--persist needs dmemd, which is not installed (there is no dmemd.service): nothing would apply the limits again");
	if (!dmem_unit_is_name(unit))
		return dmem_fail(err, EINVAL,
				 "--persist: the cgroup %s is not that of a systemd unit", cgroup);
	if (len > 6 && !strcmp(unit + len - 6, ".scope"))
		return dmem_fail(err, EINVAL,
				 "--persist: %s is a scope, which does not come back; its slice would keep a limit", unit);
	return 0;
}

const char *persist_file(const char *cgroup)
{
	static char file[4096];

	snprintf(file, sizeof(file), "/" UNITS "/%s.d/50-dmemctl.conf", strrchr(cgroup, '/') + 1);
	return file;
}

/* Whether a line sets this limit of this region. */
static bool is_line_for(const char *text, size_t len, const struct persist_line *line)
{
	const char *end = text + len;
	size_t n = strlen(keys[line->limit]);

	while (text < end && (*text == ' ' || *text == '\t'))
		text++;
	if ((size_t)(end - text) <= n || memcmp(text, keys[line->limit], n))
		return false;
	for (text += n; text < end && (*text == ' ' || *text == '\t'); )
		text++;
	if (text == end || *text++ != '=')
		return false;
	while (text < end && (*text == ' ' || *text == '\t'))
		text++;
	n = strlen(line->region);
	return (size_t)(end - text) > n && !memcmp(text, line->region, n) &&
	       (text[n] == ' ' || text[n] == '\t');
}

char *persist_merge(const char *old, const struct persist_line *line, size_t count)
{
	size_t room = strlen(old) + 128, len, i;
	const char *at = old, *text;
	bool ours = false, written = false;
	char *new, *to;

	for (i = 0; i < count; i++)
		room += strlen(line[i].region) + strlen(line[i].value) + 32;
	new = dmem_printf("%*s", (int)room, "");
	to = new;
	if (!*old)
		to += sprintf(to, "# Written by dmemctl set --persist, applied by dmemd.\n");

	while (true) {
		text = dmem_text_line(&at, &len);
		/* ours go at the end of the section, so that they win */
		if (ours && !written && (!text || *text == '[')) {
			for (i = 0; i < count; i++)
				to += sprintf(to, "%s=%s %s\n", keys[line[i].limit],
					      line[i].region, line[i].value);
			written = true;
		}
		if (!text)
			break;
		if (*text == '[')
			ours = len == strlen(SECTION) && !memcmp(text, SECTION, len);
		for (i = 0; ours && i < count; i++)
			if (is_line_for(text, len, &line[i]))
				break;
		if (ours && i < count)
			continue;
		memcpy(to, text, len);
		to += len;
		*to++ = '\n';
	}
	if (!written) {
		to += sprintf(to, SECTION "\n");
		for (i = 0; i < count; i++)
			to += sprintf(to, "%s=%s %s\n", keys[line[i].limit],
				      line[i].region, line[i].value);
	}
	*to = '\0';
	return new;
}

int persist_write(struct dmem_root *root, const char *cgroup,
		  const struct persist_line *line, size_t count,
		  struct dmem_error *err)
{
	const char *file = persist_file(cgroup) + 1;
	char *dir __free_string = dmem_strndup(file, strrchr(file, '/') - file);
	char *temporary __free_string = dmem_printf("%s.new", file);
	struct dmem_text old __cleanup(dmem_text_free) = { 0 };
	char *new __free_string = NULL;
	int fd __close_fd = -1;
	size_t len;
	int ret;

	ret = dmem_read_at(root, root->fd, file, &old);
	if (ret && ret != -ENOENT)
		return dmem_fail(err, -ret, "cannot read %s/%s: %s", root->path, file,
				 strerror(-ret));
	new = persist_merge(old.data, line, count);
	len = strlen(new);

	if (mkdirat(root->fd, dir, 0755) && errno != EEXIST)
		return dmem_fail(err, errno, "cannot make %s/%s: %m", root->path, dir);
	fd = openat(root->fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return dmem_fail(err, errno, "cannot write %s/%s: %m", root->path, temporary);
	if (write(fd, new, len) != (ssize_t)len || fsync(fd) ||
	    renameat(root->fd, temporary, root->fd, file)) {
		ret = dmem_fail(err, errno ?: EIO, "cannot write %s/%s: %m", root->path, file);
		unlinkat(root->fd, temporary, 0);
		return ret;
	}
	return 0;
}
