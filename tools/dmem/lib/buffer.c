// SPDX-License-Identifier: GPL-2.0-or-later
#include "buffer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "memory.h"
#include "value.h"

#define LINK		"/dmabuf:"
#define BUFINFO		"sys/kernel/debug/dma_buf/bufinfo"

/* -- what is known already ------------------------------------------------ */

/* Where the buffer is, or would be. */
static size_t position(const struct dmem_buffers *buffers, uint64_t ino)
{
	size_t low = 0, high = buffers->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (buffers->buffer[middle].ino < ino)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The buffer; a new one knows nothing. */
static struct dmem_buffer *get_buffer(struct dmem_buffers *buffers, uint64_t ino)
{
	size_t at = position(buffers, ino);
	struct dmem_buffer *buffer;

	if (at < buffers->count && buffers->buffer[at].ino == ino)
		return &buffers->buffer[at];
	buffers->buffer = dmem_grow(buffers->buffer, buffers->count,
				    sizeof(*buffers->buffer));
	buffer = &buffers->buffer[at];
	memmove(buffer + 1, buffer, (buffers->count - at) * sizeof(*buffer));
	*buffer = (struct dmem_buffer){ .ino = ino, .size = DMEM_UNKNOWN };
	buffers->count++;
	return buffer;
}

static void free_buffer(struct dmem_buffer *buffer)
{
	size_t i;

	free(buffer->exporter);
	free(buffer->name);
	free(buffer->region);
	free(buffer->cgroup);
	for (i = 0; i < buffer->nr_holders; i++) {
		free(buffer->holder[i].comm);
		free(buffer->holder[i].cgroup);
		free(buffer->holder[i].fd);
	}
	free(buffer->holder);
	for (i = 0; i < buffer->nr_devices; i++)
		free(buffer->device[i]);
	free(buffer->device);
}

void dmem_buffers_free(struct dmem_buffers *buffers)
{
	size_t i;

	for (i = 0; i < buffers->count; i++)
		free_buffer(&buffers->buffer[i]);
	free(buffers->buffer);
	*buffers = (struct dmem_buffers){ 0 };
}

/* -- texts ---------------------------------------------------------------- */

/* A decimal number that is all of the text. */
static bool number(const char *text, size_t len, uint64_t *value)
{
	size_t i;

	*value = 0;
	for (i = 0; i < len; i++) {
		unsigned int digit = (unsigned char)text[i] - '0';

		if (digit > 9 || __builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, digit, value))
			return false;
	}
	return len;
}

static const char *value_of(const char *line, size_t len, const char *key, size_t *value_len)
{
	size_t n = strlen(key);

	if (len <= n || memcmp(line, key, n) || line[n] != '\t')
		return NULL;
	*value_len = len - n - 1;
	return line + n + 1;
}

static void take(char **field, const char *value, size_t len)
{
	free(*field);
	*field = dmem_strndup(value, len);
}

bool dmem_fdinfo_parse(const char *text, const char *name, struct dmem_buffer *buffer)
{
	size_t name_len = name ? strlen(name) : 0;
	bool has_ino = false, has_size = false;
	const char *line, *value;
	size_t len, value_len;

	buffer->size = DMEM_UNKNOWN;
	while ((line = dmem_text_line(&text, &len))) {
		/*
		 * The kernel prints its own lines first, then the name, then who
		 * is charged.
		 */
		if ((value = value_of(line, len, "name:", &value_len))) {
			if (name_len && !strncmp(value, name, name_len) &&
			    value[name_len] == '\n')
				text = value + name_len + 1;
			continue;
		}
		if (!has_ino && (value = value_of(line, len, "ino:", &value_len)))
			has_ino = number(value, value_len, &buffer->ino);
		else if (!has_size && (value = value_of(line, len, "size:", &value_len)))
			has_size = number(value, value_len, &buffer->size);
		else if (!buffer->exporter &&
			 (value = value_of(line, len, "exp_name:", &value_len)))
			take(&buffer->exporter, value, value_len);
		else if ((value = value_of(line, len, "dmem_region:", &value_len)))
			take(&buffer->region, value, value_len);
		else if ((value = value_of(line, len, "dmem_cgroup_id:", &value_len)))
			number(value, value_len, &buffer->cgroup_id);
		else if ((value = value_of(line, len, "dmem_cgroup:", &value_len)))
			take(&buffer->cgroup, value, value_len);
	}
	if (!has_size)
		buffer->size = DMEM_UNKNOWN;
	buffer->charge_known = buffer->region;
	if (has_ino && name_len)
		buffer->name = dmem_strdup(name);
	if (!has_ino) {
		free_buffer(buffer);
		*buffer = (struct dmem_buffer){ 0 };
	}
	return has_ino;
}

static const char *field_of(const char **at, const char *end, size_t *len)
{
	const char *field = *at;
	const char *tab = memchr(field, '\t', end - field) ?: end;

	*len = tab - field;
	*at = tab < end ? tab + 1 : end;
	return field;
}

void dmem_bufinfo_parse(const char *text, struct dmem_buffers *buffers)
{
	struct dmem_buffer *buffer = NULL;
	const char *line;
	/*
	 * A row comes after the headings, or after the blank line that ends the
	 * buffer before it.  The name at the end of a row may hold newlines, but
	 * is too short to make up both that end and a row.
	 */
	enum { HEADINGS, ROW, INSIDE, DEVICES, END } state = HEADINGS;
	size_t len;

	while ((line = dmem_text_line(&text, &len))) {
		const char *at = line, *end = line + len, *exporter, *field;
		size_t exporter_len, n;
		uint64_t size, ino, count;

		switch (state) {
		case HEADINGS:
			if (len > 4 && !memcmp(line, "size", 4))
				state = ROW;
			break;
		case END:
			state = len ? DEVICES : ROW;
			break;
		case ROW:
			field = field_of(&at, end, &n);
			if (!number(field, n, &size))
				break;
			field_of(&at, end, &n);
			field_of(&at, end, &n);
			field = field_of(&at, end, &n);
			if (!number(field, n, &count))
				break;
			exporter = field_of(&at, end, &exporter_len);
			field = field_of(&at, end, &n);
			if (!number(field, n, &ino))
				break;
			buffer = get_buffer(buffers, ino);
			if (buffer->size == DMEM_UNKNOWN)
				buffer->size = size;
			if (!buffer->exporter)
				take(&buffer->exporter, exporter, exporter_len);
			/* "<none>" is what the kernel writes for no name */
			if (!buffer->name && strncmp(at, "<none>\n", 7))
				take(&buffer->name, at, end - at);
			state = INSIDE;
			break;
		case INSIDE:
			if (len == 18 && !memcmp(line, "\tAttached Devices:", 18))
				state = DEVICES;
			break;
		case DEVICES:
			if (len > 6 && !memcmp(line, "Total ", 6)) {
				state = END;
			} else if (*line == '\t' && len > 1) {
				buffer->device = dmem_grow(buffer->device, buffer->nr_devices,
							   sizeof(*buffer->device));
				buffer->device[buffer->nr_devices++] =
					dmem_strndup(line + 1, len - 1);
			}
			break;
		}
	}
	buffers->complete = state != HEADINGS;
}

bool dmem_maps_next(const char **cursor, uint64_t *ino)
{
	const char *line;
	size_t len;

	while ((line = dmem_text_line(cursor, &len))) {
		const char *at = line, *end = line + len;
		size_t n = 0, field;

		/* address perms offset device inode path */
		for (field = 0; field < 5 && at < end; field++) {
			at += n;
			while (at < end && *at == ' ')
				at++;
			for (n = 0; at + n < end && at[n] != ' '; )
				n++;
		}
		if (field < 5 || !number(at, n, ino))
			continue;
		at += n;
		while (at < end && *at == ' ')
			at++;
		if ((size_t)(end - at) >= strlen(LINK) && !memcmp(at, LINK, strlen(LINK)))
			return true;
	}
	return false;
}

/* -- processes ------------------------------------------------------------ */

struct scan {
	struct dmem_root *root;
	struct dmem_buffers *buffers;
	struct dmem_text text;
	/* of the process that is looked into */
	pid_t pid;
	int proc;
};

static char *read_comm(struct scan *scan)
{
	if (dmem_read_at(scan->root, scan->proc, "comm", &scan->text))
		return dmem_strdup("?");
	scan->text.data[strcspn(scan->text.data, "\n")] = '\0';
	return dmem_strdup(scan->text.data);
}

/* This process as a holder of the buffer; processes come one after the other. */
static struct dmem_holder *get_holder(struct scan *scan, struct dmem_buffer *buffer)
{
	struct dmem_holder *holder;

	if (buffer->nr_holders && buffer->holder[buffer->nr_holders - 1].pid == scan->pid)
		return &buffer->holder[buffer->nr_holders - 1];
	buffer->holder = dmem_grow(buffer->holder, buffer->nr_holders,
				   sizeof(*buffer->holder));
	holder = &buffer->holder[buffer->nr_holders++];
	holder->pid = scan->pid;
	holder->comm = read_comm(scan);
	if (!dmem_read_at(scan->root, scan->proc, "cgroup", &scan->text))
		holder->cgroup = dmem_cgroup_of(scan->text.data);
	return holder;
}

static void merge(struct dmem_buffer *buffer, struct dmem_buffer *seen)
{
	buffer->described = true;
	if (seen->size != DMEM_UNKNOWN)
		buffer->size = seen->size;
	if (!buffer->exporter && seen->exporter) {
		buffer->exporter = seen->exporter;
		seen->exporter = NULL;
	}
	if (!buffer->name && seen->name) {
		buffer->name = seen->name;
		seen->name = NULL;
	}
	if (!buffer->charge_known && seen->charge_known) {
		buffer->region = seen->region;
		buffer->cgroup = seen->cgroup;
		buffer->cgroup_id = seen->cgroup_id;
		buffer->charge_known = true;
		seen->region = NULL;
		seen->cgroup = NULL;
	}
	free_buffer(seen);
}

static void add_fd(struct scan *scan, int fds, int fdinfo, const char *entry)
{
	char target[PATH_MAX];
	struct dmem_buffer seen = { 0 };
	struct dmem_buffer *buffer;
	struct dmem_holder *holder;
	ssize_t len;

	/* a link costs little; a file is opened for buffers alone */
	len = readlinkat(fds, entry, target, sizeof(target) - 1);
	if (len < (ssize_t)strlen(LINK) || memcmp(target, LINK, strlen(LINK)))
		return;
	target[len] = '\0';
	if (dmem_read_at(scan->root, fdinfo, entry, &scan->text) ||
	    !dmem_fdinfo_parse(scan->text.data, target + strlen(LINK), &seen))
		return;
	buffer = get_buffer(scan->buffers, seen.ino);
	merge(buffer, &seen);
	holder = get_holder(scan, buffer);
	holder->fd = dmem_grow(holder->fd, holder->nr_fds, sizeof(*holder->fd));
	holder->fd[holder->nr_fds++] = atoi(entry);
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a < *(const int *)b ? -1 : *(const int *)a > *(const int *)b;
}

/* Returns whether it let us look. */
static bool scan_fds(struct scan *scan)
{
	DIR *dir __close_dir = NULL;
	int fdinfo __close_fd = -1;
	struct dirent *entry;
	int fd;

	fd = dmem_open_at(scan->root, scan->proc, "fd", O_DIRECTORY | O_RDONLY);
	if (fd < 0)
		/* gone, or recorded without any */
		return fd != -EACCES && fd != -EPERM;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return false;
	}
	fdinfo = dmem_open_at(scan->root, scan->proc, "fdinfo", O_DIRECTORY | O_RDONLY);
	if (fdinfo < 0)
		return true;
	/* opendir() succeeds for processes of others, readdir() does not */
	errno = 0;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			add_fd(scan, fd, fdinfo, entry->d_name);
		errno = 0;
	}
	return errno != EACCES && errno != EPERM;
}

static void scan_maps(struct scan *scan)
{
	struct dmem_text maps __cleanup(dmem_text_free) = { 0 };
	const char *at;
	uint64_t ino;

	if (dmem_read_at(scan->root, scan->proc, "maps", &maps))
		return;
	for (at = maps.data; dmem_maps_next(&at, &ino); )
		get_holder(scan, get_buffer(scan->buffers, ino))->mapped = true;
}

static int list_processes(struct dmem_root *root, int proc, int **pids, size_t *count)
{
	DIR *dir __close_dir = NULL;
	struct dirent *entry;
	uint64_t pid;
	int copy;

	(void)root;
	copy = fcntl(proc, F_DUPFD_CLOEXEC, 0);
	dir = copy < 0 ? NULL : fdopendir(copy);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (!number(entry->d_name, strlen(entry->d_name), &pid) || pid > INT_MAX)
			continue;
		*pids = dmem_grow(*pids, *count, sizeof(**pids));
		(*pids)[(*count)++] = pid;
	}
	if (*count)
		qsort(*pids, *count, sizeof(**pids), by_number);
	return 0;
}

/* A buffer of a heap that charges a region, on a kernel that does not say. */
static void guess_regions(const struct dmem_regions *regions, struct dmem_buffers *buffers)
{
	size_t i, j;

	for (i = 0; i < buffers->count; i++) {
		struct dmem_buffer *buffer = &buffers->buffer[i];

		if (buffer->charge_known || !buffer->exporter)
			continue;
		/* where charged buffers say so, silence says it, too */
		if (regions->discovery && buffer->described) {
			buffer->charge_known = true;
			continue;
		}
		for (j = 0; j < regions->nr_heaps; j++) {
			const struct dmem_heap *heap = &regions->heap[j];

			if (strcmp(heap->name, buffer->exporter))
				continue;
			if (heap->region)
				buffer->region = dmem_strdup(heap->region);
			else
				buffer->charge_known =
					heap->accounting != DMEM_ACCOUNTING_UNKNOWN;
			break;
		}
	}
}

int dmem_buffers_read(struct dmem_root *root, const struct dmem_regions *regions,
		      struct dmem_buffers *buffers)
{
	struct scan scan = { .root = root, .buffers = buffers };
	int *pids __free_string = NULL;
	int proc __close_fd = -1;
	size_t count = 0, i, j, k;
	int ret;

	*buffers = (struct dmem_buffers){ 0 };
	proc = dmem_open_at(root, root->fd, "proc", O_DIRECTORY | O_RDONLY);
	if (proc < 0)
		return proc;
	ret = list_processes(root, proc, &pids, &count);
	if (ret)
		return ret;
	for (i = 0; i < count; i++) {
		char name[16];
		int fd __close_fd = -1;

		snprintf(name, sizeof(name), "%d", pids[i]);
		fd = dmem_open_at(root, proc, name, O_DIRECTORY | O_RDONLY);
		if (fd < 0)
			continue;
		scan.pid = pids[i];
		scan.proc = fd;
		buffers->processes++;
		if (scan_fds(&scan))
			scan_maps(&scan);
		else
			buffers->unreadable++;
	}
	if (!dmem_read_at(root, root->fd, BUFINFO, &scan.text))
		dmem_bufinfo_parse(scan.text.data, buffers);
	dmem_text_free(&scan.text);

	for (i = 0; i < buffers->count; i++)
		for (j = 0; j < buffers->buffer[i].nr_holders; j++) {
			struct dmem_holder *holder = &buffers->buffer[i].holder[j];

			k = holder->nr_fds;
			if (k)
				qsort(holder->fd, k, sizeof(*holder->fd), by_number);
		}
	guess_regions(regions, buffers);
	return 0;
}
