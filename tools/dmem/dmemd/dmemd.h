/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dmemd: keeps the dmem limits of systemd units.
 *
 * systemd makes a unit's cgroup when the unit starts and removes it when it stops,
 * limits included.  dmemd watches the folders of slices in the cgroup file system
 * and applies a unit's limits when its cgroup appears; again when unit files
 * change, when regions appear, when systemd has reloaded, and when dmemd itself is
 * started.  Between these it leaves alone what others write.
 *
 * What is needed for that is the file system alone.  The bus is for one thing
 * more: a slice that is limited is started, so that its limits are in force before
 * the first process in it.
 *
 *	tree.c		cgroups that appear
 *	folders.c	unit files that change
 *	uevents.c	regions that come and go
 *	manager.c	systemd on the bus
 *	unitfile.c	what unit files say
 *	apply.c		one unit
 */
#ifndef DMEMD_H
#define DMEMD_H

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "apply.h"

/**
 * struct slice_watch - a slice whose folder is watched
 * @wd: inotify's number
 * @path: path of the cgroup
 */
struct slice_watch {
	int wd;
	char *path;
};

/**
 * struct dmemd - the daemon
 * @apply: what applying needs
 * @event: the event loop
 * @said: messages that were said since the files or regions changed last, so that
 *	  500 instances of a template do not say the same 500 times
 * @nr_said: how many
 * @tree_fd: inotify on slices
 * @slice: those watched
 * @nr_slices: how many
 * @overflow: events were lost
 * @folders_fd: inotify on folders of unit files
 * @uevents_fd: the kernel's uevents
 * @rest_usec: how long to wait before everything is looked at again
 * @reload: files have changed, a timer runs
 * @refresh: regions may have changed, a timer runs
 * @reconnect: a timer runs until the bus is tried again
 * @reconnect_usec: and how long
 * @bus: systemd; NULL while it cannot be reached
 * @wanted: slices that are to be started, not yet seen
 * @nr_wanted: how many
 * @deadline: a timer runs until readiness is declared in any case
 * @ready: systemd was told
 */
struct dmemd {
	struct apply apply;
	sd_event *event;
	char **said;
	size_t nr_said;
	int tree_fd;
	struct slice_watch *slice;
	size_t nr_slices;
	bool overflow;
	int folders_fd;
	int uevents_fd;
	uint64_t rest_usec;
	sd_event_source *reload;
	sd_event_source *refresh;
	sd_event_source *reconnect;
	uint64_t reconnect_usec;
	sd_bus *bus;
	char **wanted;
	size_t nr_wanted;
	sd_event_source *deadline;
	bool ready;
};

/* ---- main.c ---- */

/**
 * say() - a message for the journal
 * @level: as for syslog(), LOG_WARNING
 * @fmt: the message, as for printf()
 */
void __attribute__((format(printf, 2, 3))) say(int level, const char *fmt, ...);

/**
 * dmemd_later() - call a function once, soon
 * @d: the daemon
 * @source: the timer; nothing is done if it runs already
 * @usec: how soon
 * @handler: what is called
 */
void dmemd_later(struct dmemd *d, sd_event_source **source, uint64_t usec,
		 sd_event_time_handler_t handler);

/**
 * dmemd_reload() - unit files may have changed: read them, apply them
 * @d: the daemon
 */
void dmemd_reload(struct dmemd *d);

/* The same after a moment, in which more files may change. */
void dmemd_reload_soon(struct dmemd *d);

/* Regions may have come or gone: look, after a moment. */
void dmemd_refresh_soon(struct dmemd *d);

/**
 * dmemd_check_ready() - tell systemd, if all that was waited for is there
 * @d: the daemon
 */
void dmemd_check_ready(struct dmemd *d);

/* ---- tree.c ---- */

/**
 * tree_watch() - begin to watch slices
 * @d: the daemon
 *
 * Return: 0, or a negative errno.
 */
int tree_watch(struct dmemd *d);

/**
 * tree_apply_all() - apply the limits of every unit that there is
 * @d: the daemon
 */
void tree_apply_all(struct dmemd *d);

/**
 * tree_find() - the cgroup of a unit
 * @root: the system
 * @unit: the unit's name
 *
 * Only slices are looked into: what is below services and scopes is theirs.
 *
 * Return: The path, NULL if there is none.  The caller frees it.
 */
char *tree_find(struct dmem_root *root, const char *unit);

/* ---- folders.c ---- */

/**
 * folders_watch() - begin to watch the folders of unit files
 * @d: the daemon
 *
 * Return: 0, or a negative errno.
 */
int folders_watch(struct dmemd *d);

/* A folder of unit files: see unit_folder_t. */
void folders_seen(void *d, const char *path, bool missing);

/* ---- uevents.c ---- */

/**
 * uevents_watch() - begin to listen to what the kernel says about devices
 * @d: the daemon
 *
 * Return: 0, or a negative errno.
 */
int uevents_watch(struct dmemd *d);

/* ---- manager.c ---- */

/**
 * manager_connect() - get hold of systemd, now or as soon as it answers
 * @d: the daemon
 */
void manager_connect(struct dmemd *d);

/**
 * manager_start_slices() - start the slices that have limits and no cgroup
 * @d: the daemon
 */
void manager_start_slices(struct dmemd *d);

/**
 * manager_seen() - a slice is there
 * @d: the daemon
 * @unit: its name
 */
void manager_seen(struct dmemd *d, const char *unit);

/* Let go of the bus. */
void manager_disconnect(struct dmemd *d);

#endif /* DMEMD_H */
