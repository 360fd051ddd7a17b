// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * systemd on the bus.
 *
 * Its own socket is tried first, as systemctl does when root calls it: it is there
 * before any message bus, and on systems that have none.
 */
#include "dmemd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "memory.h"

#define DESTINATION	"org.freedesktop.systemd1"
#define OBJECT		"/org/freedesktop/systemd1"
#define MANAGER		"org.freedesktop.systemd1.Manager"
#define PRIVATE_SOCKET	"unix:path=/run/systemd/private"

#define RECONNECT_FIRST	(200 * 1000ULL)
#define RECONNECT_MAX	(5 * 1000 * 1000ULL)

static void lost(struct dmemd *d, int error);

static bool is_wanted(const struct dmemd *d, const char *unit)
{
	size_t i;

	for (i = 0; i < d->nr_wanted; i++)
		if (!strcmp(d->wanted[i], unit))
			return true;
	return false;
}

void manager_seen(struct dmemd *d, const char *unit)
{
	size_t i;

	for (i = 0; i < d->nr_wanted; i++) {
		if (strcmp(d->wanted[i], unit))
			continue;
		free(d->wanted[i]);
		d->wanted[i] = d->wanted[--d->nr_wanted];
		return;
	}
}

/* ---- slices ---- */

/* A slice that systemd was asked to start. */
struct request {
	struct dmemd *d;
	char *unit;
};

static void free_request(void *userdata)
{
	struct request *request = userdata;

	free(request->unit);
	free(request);
}

static int on_start_slice(sd_bus_message *reply, void *userdata, sd_bus_error *ignored)
{
	const sd_bus_error *error = sd_bus_message_get_error(reply);
	struct request *request = userdata;

	(void)ignored;
	/* after a connection that is gone the next one asks again */
	if (error && !sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) &&
	    !sd_bus_error_has_name(error, SD_BUS_ERROR_DISCONNECTED)) {
		say(LOG_WARNING, "%s: has limits, but cannot be started: %s",
		    request->unit, error->message);
		manager_seen(request->d, request->unit);
	}
	dmemd_check_ready(request->d);
	return 0;
}

static void ask_for_slice(struct dmemd *d, const char *unit)
{
	struct request *request = dmem_grow(NULL, 0, sizeof(*request));
	sd_bus_slot *slot;
	int ret;

	request->d = d;
	request->unit = dmem_strdup(unit);
	ret = sd_bus_call_method_async(d->bus, &slot, DESTINATION, OBJECT, MANAGER,
				       "StartUnit", on_start_slice, request, "ss", unit, "fail");
	if (ret < 0) {
		say(LOG_WARNING, "%s: cannot ask systemd to start it: %s", unit, strerror(-ret));
		free_request(request);
		return;
	}
	sd_bus_slot_set_destroy_callback(slot, free_request);
	sd_bus_slot_set_floating(slot, true);
	sd_bus_slot_unref(slot);
}

static void ask_for_slices(struct dmemd *d)
{
	size_t i;

	for (i = 0; d->bus && i < d->nr_wanted; i++)
		ask_for_slice(d, d->wanted[i]);
}

void manager_start_slices(struct dmemd *d)
{
	const struct unit_files *files = &d->apply.files;
	size_t i;

	/* those that were waited for may have lost their limits meanwhile */
	for (i = 0; i < d->nr_wanted; i++)
		free(d->wanted[i]);
	d->nr_wanted = 0;
	for (i = 0; i < files->count; i++) {
		const char *unit = files->file[i].dir;
		const char *type = unit_type(unit);
		char *cgroup __free_string = NULL;

		/*
		 * Names that are names of one slice; users' come with their logins,
		 * and the root is always there.
		 */
		if (!type || strcmp(type, "slice") || strstr(unit, "-.slice") ||
		    !strncmp(unit, "user-", 5) || is_wanted(d, unit) ||
		    !unit_files_asked(files, unit))
			continue;
		cgroup = tree_find(&d->apply.root, unit);
		if (cgroup)
			continue;
		d->wanted = dmem_grow(d->wanted, d->nr_wanted, sizeof(*d->wanted));
		d->wanted[d->nr_wanted++] = dmem_strdup(unit);
	}
	ask_for_slices(d);
}

/* ---- the connection ---- */

/* After a reload generators have run, and files that are links have new ends. */
static int on_reloading(sd_bus_message *message, void *userdata, sd_bus_error *ignored)
{
	int begins;

	(void)ignored;
	if (sd_bus_message_read(message, "b", &begins) >= 0 && !begins)
		dmemd_reload_soon(userdata);
	return 0;
}

static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *ignored)
{
	(void)message, (void)ignored;
	lost(userdata, ECONNRESET);
	return 0;
}

static int on_subscribed(sd_bus_message *reply, void *userdata, sd_bus_error *ignored)
{
	struct dmemd *d = userdata;

	(void)ignored;
	if (sd_bus_message_is_method_error(reply, NULL)) {
		say(LOG_WARNING, "systemd does not say when it reloads: %s",
		    sd_bus_message_get_error(reply)->message);
		return 0;
	}
	d->reconnect_usec = RECONNECT_FIRST;
	return 0;
}

static int open_bus(struct dmemd *d, bool private)
{
	sd_bus *bus;
	int ret;

	ret = sd_bus_new(&bus);
	if (ret < 0)
		return ret;
	if (private) {
		ret = sd_bus_set_address(bus, PRIVATE_SOCKET);
	} else {
		const char *address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");

		ret = sd_bus_set_address(bus, address ?: "unix:path=/run/dbus/system_bus_socket");
		if (ret >= 0)
			ret = sd_bus_set_bus_client(bus, true);
	}
	if (ret >= 0)
		ret = sd_bus_start(bus);
	if (ret >= 0)
		ret = sd_bus_attach_event(bus, d->event, SD_EVENT_PRIORITY_NORMAL);
	if (ret >= 0)
		ret = sd_bus_match_signal_async(bus, NULL, private ? NULL : DESTINATION, OBJECT,
						MANAGER, "Reloading", on_reloading, NULL, d);
	if (ret >= 0)
		ret = sd_bus_match_signal(bus, NULL, "org.freedesktop.DBus.Local",
					  "/org/freedesktop/DBus/Local",
					  "org.freedesktop.DBus.Local", "Disconnected",
					  on_disconnected, d);
	if (ret >= 0)
		ret = sd_bus_call_method_async(bus, NULL, DESTINATION, OBJECT, MANAGER,
					       "Subscribe", on_subscribed, d, "");
	if (ret < 0) {
		sd_bus_detach_event(bus);
		sd_bus_close_unref(bus);
		return ret;
	}
	d->bus = bus;
	return 0;
}

void manager_connect(struct dmemd *d)
{
	int ret;

	if (!d->reconnect_usec)
		d->reconnect_usec = RECONNECT_FIRST;
	if (d->bus)
		return;
	ret = open_bus(d, true);
	if (ret < 0)
		ret = open_bus(d, false);
	if (ret < 0)
		lost(d, -ret);
	else
		ask_for_slices(d);
}

void manager_disconnect(struct dmemd *d)
{
	sd_bus *bus = d->bus;

	if (!bus)
		return;
	d->bus = NULL;
	sd_bus_detach_event(bus);
	sd_bus_close_unref(bus);
}

static int on_reconnect(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct dmemd *d = userdata;

	(void)source, (void)usec;
	d->reconnect = sd_event_source_unref(d->reconnect);
	manager_connect(d);
	/* what has happened meanwhile was not heard of */
	if (d->bus)
		dmemd_reload_soon(d);
	return 0;
}

/* Limits go on to be applied; only slices wait to be started. */
static void lost(struct dmemd *d, int error)
{
	if (d->reconnect_usec == RECONNECT_FIRST)
		say(LOG_INFO, "systemd does not answer on the bus (%s), trying again",
		    strerror(error));
	manager_disconnect(d);
	dmemd_later(d, &d->reconnect, d->reconnect_usec, on_reconnect);
	d->reconnect_usec *= 2;
	if (d->reconnect_usec > RECONNECT_MAX)
		d->reconnect_usec = RECONNECT_MAX;
}
