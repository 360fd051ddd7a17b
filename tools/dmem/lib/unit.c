// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

#include "cgroup.h"
#include "memory.h"

#define SYSTEMD		"org.freedesktop.systemd1"

/* of so many cgroups the rest is not listed in a message */
#define MAX_LISTED	16

/* units that have a cgroup, and the interface that tells it */
static const struct {
	const char *suffix;
	const char *interface;
} types[] = {
	{ ".service", SYSTEMD ".Service" },
	{ ".scope",   SYSTEMD ".Scope" },
	{ ".slice",   SYSTEMD ".Slice" },
	{ ".socket",  SYSTEMD ".Socket" },
	{ ".mount",   SYSTEMD ".Mount" },
	{ ".swap",    SYSTEMD ".Swap" },
};

static const char *interface_of(const char *name)
{
	size_t len = strlen(name), i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t n = strlen(types[i].suffix);

		if (len > n && !strcmp(name + len - n, types[i].suffix))
			return types[i].interface;
	}
	return NULL;
}

bool dmem_unit_is_name(const char *name)
{
	return interface_of(name) && !strchr(name, '/');
}

static void bus_unref_p(sd_bus **bus)
{
	sd_bus_flush_close_unref(*bus);
}

static void message_unref_p(sd_bus_message **message)
{
	sd_bus_message_unref(*message);
}

/*
 * What systemd says: the cgroup, NULL if it has no such unit or does not run
 * here; an error if it has the unit, which has no cgroup.
 */
static int ask_systemd(const char *unit, char **cgroup, struct dmem_error *err)
{
	sd_bus *bus __cleanup(bus_unref_p) = NULL;
	sd_bus_message *reply __cleanup(message_unref_p) = NULL;
	char *path __free_string = NULL;
	char *load __free_string = NULL;
	const char *object;

	*cgroup = NULL;
	if (sd_booted() <= 0 || sd_bus_open_system(&bus) < 0)
		return 0;
	if (sd_bus_call_method(bus, SYSTEMD, "/org/freedesktop/systemd1",
			       SYSTEMD ".Manager", "LoadUnit", NULL, &reply, "s", unit) < 0 ||
	    sd_bus_message_read(reply, "o", &object) < 0 ||
	    sd_bus_get_property_string(bus, SYSTEMD, object, SYSTEMD ".Unit",
				       "LoadState", NULL, &load) < 0 ||
	    !strcmp(load, "not-found") ||
	    sd_bus_get_property_string(bus, SYSTEMD, object, interface_of(unit),
				       "ControlGroup", NULL, &path) < 0)
		return 0;
	if (!*path)
		return dmem_fail(err, ENOENT, "%s is not running: it has no cgroup", unit);
	*cgroup = dmem_strdup(path);
	return 0;
}

static bool exists(struct dmem_root *root, const char *path)
{
	int fd __close_fd = dmem_cgroup_open(root, path);

	return fd >= 0;
}

static bool last_part_is(const char *path, const char *name)
{
	return !strcmp(strrchr(path, '/') + 1, name);
}

/* The one cgroup called @name, or @name.service. */
static int search(struct dmem_root *root, const char *name, char **cgroup,
		  struct dmem_error *err)
{
	static const struct dmem_regions no_regions;
	struct dmem_cgroups all __cleanup(dmem_cgroups_free) = { 0 };
	char *service __free_string = dmem_printf("%s.service", name);
	size_t i, found = 0, listed;
	int ret;

	ret = dmem_cgroups_read(root, &no_regions, "/", 0, &all, err);
	if (ret)
		return ret;
	for (i = 0; i < all.count; i++) {
		const char *path = all.cgroup[i].path;

		if (!last_part_is(path, name) && !last_part_is(path, service))
			continue;
		if (!found++)
			*cgroup = dmem_strdup(path);
	}
	if (found == 1)
		return 0;

	if (found) {
		free(*cgroup);
		*cgroup = NULL;
		dmem_fail(err, ENOTUNIQ, "'%s' may be one of several, give its path:", name);
	} else {
		dmem_fail(err, ENOENT, "no unit or cgroup '%s'; there are:", name);
	}
	for (i = listed = 0; i < all.count && listed < MAX_LISTED; i++) {
		const char *path = all.cgroup[i].path;

		if (found ? last_part_is(path, name) || last_part_is(path, service) : i > 0)
			dmem_error_add(err, "%s %s", listed++ ? "," : "", path);
	}
	if (listed == MAX_LISTED)
		dmem_error_add(err, " and more");
	return found ? -ENOTUNIQ : -ENOENT;
}

int dmem_unit_resolve(struct dmem_root *root, const char *name, char **cgroup,
		      struct dmem_error *err)
{
	char *path;
	int ret;

	*cgroup = NULL;
	ret = dmem_root_need_cgroup(root, err);
	if (ret)
		return ret;
	if (dmem_unit_is_name(name) && !root->recorded) {
		ret = ask_systemd(name, cgroup, err);
		if (ret || *cgroup)
			return ret;
	}

	path = dmem_cgroup_path(root, name);
	if (!path)
		return dmem_fail(err, EINVAL, "'%s': a cgroup's path has no '.' or '..'", name);
	if (exists(root, path)) {
		*cgroup = path;
		return 0;
	}
	free(path);
	if (strchr(name, '/') || !*name)
		return dmem_fail(err, ENOENT, "no cgroup '%s' in %s/%s", name,
				 root->path, root->cgroup);
	return search(root, name, cgroup, err);
}
