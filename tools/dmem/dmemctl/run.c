// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmemctl run: a command in a cgroup of its own, with limits from its first
 * instruction on.
 *
 * The child is there before its cgroup and waits on a pipe; it begins when it is in
 * the cgroup and the limits are in force.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dmemctl.h"
#include "limit.h"
#include "memory.h"
#include "region.h"
#include "scope.h"

/* as shells have them */
enum { NOT_EXECUTABLE = 126, NOT_FOUND = 127 };

enum { OPT_UNIT = 'u', OPT_SLICE = 's', OPT_MAX = 300, OPT_LOW, OPT_MIN };

static const struct opt options[] = {
	{ OPT_MAX, "max", "REGION=VALUE", "hard limit; any number of these" },
	{ OPT_LOW, "low", "REGION=VALUE", "protected as far as possible" },
	{ OPT_MIN, "min", "REGION=VALUE", "protected in any case" },
	{ OPT_UNIT, "unit", "NAME", "name of the scope" },
	{ OPT_SLICE, "slice", "SLICE", "slice that it belongs to; without systemd: a cgroup" },
	{ 0 },
};

struct wish {
	enum dmem_limit limit;
	const char *text;
};

static struct wish *wish;
static size_t nr_wishes;
static const char *unit, *slice;

static int take_opt(struct dmemctl *ctl, int letter, const char *arg)
{
	enum dmem_limit limit = DMEM_LIMIT_MAX;

	switch (letter) {
	case OPT_UNIT:
		unit = arg;
		return 0;
	case OPT_SLICE:
		slice = arg;
		return 0;
	case OPT_LOW:
		limit = DMEM_LIMIT_LOW;
		break;
	case OPT_MIN:
		limit = DMEM_LIMIT_MIN;
		break;
	}
	if (!strchr(arg, '='))
		return misused(ctl->verb, "'%s' is not REGION=VALUE", arg);
	wish = dmem_grow(wish, nr_wishes, sizeof(*wish));
	wish[nr_wishes++] = (struct wish){ limit, arg };
	return 0;
}

static volatile sig_atomic_t child;

static void forward(int signal)
{
	int saved = errno;

	if (child > 0)
		kill(child, signal);
	errno = saved;
}

/* What a supervisor sends to us is for the command. */
static const int forwarded[] = { SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH };
/*
 * The first two a terminal sends to both: the command decides.  The last one is
 * ours if the child is killed before it begins; it says so itself.
 */
static const int left_to_child[] = { SIGINT, SIGQUIT, SIGPIPE };

#define NR(array)	(sizeof(array) / sizeof((array)[0]))

struct dispositions {
	struct sigaction forwarded[NR(forwarded)];
	struct sigaction left[NR(left_to_child)];
};

static void take_signals(struct dispositions *old)
{
	struct sigaction action = { .sa_handler = forward, .sa_flags = SA_RESTART };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	size_t i;

	for (i = 0; i < NR(forwarded); i++)
		sigaction(forwarded[i], &action, &old->forwarded[i]);
	for (i = 0; i < NR(left_to_child); i++)
		sigaction(left_to_child[i], &ignore, &old->left[i]);
}

/* The command finds what we found, an ignored SIGHUP of nohup included. */
static void give_signals(const struct dispositions *old)
{
	size_t i;

	for (i = 0; i < NR(forwarded); i++)
		sigaction(forwarded[i], &old->forwarded[i], NULL);
	for (i = 0; i < NR(left_to_child); i++)
		sigaction(left_to_child[i], &old->left[i], NULL);
}

static void __attribute__((noreturn))
be_command(int go, const struct dispositions *old, char **argv)
{
	char byte;
	ssize_t got;

	do {
		got = read(go, &byte, 1);
	} while (got < 0 && errno == EINTR);
	/* the parent gave up, and said why */
	if (got != 1)
		_exit(FAILED);
	give_signals(old);
	execvp(argv[0], argv);
	fail("cannot run %s: %s", argv[0], strerror(errno));
	_exit(errno == ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

static int end_as(int status)
{
	const struct rlimit no_core = { 0, 0 };
	sigset_t all;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	/* whoever waits for us sees the same signal; the core is the command's */
	setrlimit(RLIMIT_CORE, &no_core);
	signal(WTERMSIG(status), SIG_DFL);
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

static int wait_for_child(void)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

static int set_limits(struct dmemctl *ctl, const struct dmem_regions *regions,
		      const struct dmem_setting *setting, const char *cgroup,
		      struct dmem_error *err)
{
	struct dmem_plan plan __cleanup(dmem_plan_free) = { 0 };
	int ret;

	if (!nr_wishes)
		return 0;
	ret = dmem_plan_make(&ctl->root, regions, cgroup, setting, nr_wishes, &plan, err);
	return ret ?: dmem_plan_apply(&ctl->root, regions, &plan, err);
}

static int run(struct dmemctl *ctl, int argc, char **argv)
{
	struct dmem_regions regions __cleanup(dmem_regions_free) = { 0 };
	struct dmem_setting *setting __free_string = NULL;
	struct dmem_error err = { "" };
	struct dispositions old;
	struct scope scope;
	pid_t pid;
	int go[2], status, ret;
	size_t i;

	if (!argc)
		return misused(ctl->verb, "which command?");
	if (ctl->root.recorded)
		return misused(ctl->verb, "nothing runs in a recorded tree");
	if (dmem_regions_read(&ctl->root, &regions, &err))
		return fail("%s", err.text);
	for (i = 0; i < nr_wishes; i++) {
		setting = dmem_grow(setting, i, sizeof(*setting));
		ret = dmem_setting_parse(&regions, wish[i].limit, wish[i].text, &setting[i],
					 &err);
		/* what no system would take is the caller's mistake */
		if (ret == -EINVAL || ret == -ERANGE)
			return misused(ctl->verb, "%s", err.text);
		if (ret)
			return fail("%s", err.text);
	}

	if (pipe2(go, O_CLOEXEC))
		return fail("%s", strerror(errno));
	take_signals(&old);
	pid = fork();
	if (pid < 0)
		return fail("cannot start a process: %s", strerror(errno));
	if (!pid) {
		close(go[1]);
		be_command(go[0], &old, argv);
	}
	child = pid;
	close(go[0]);

	if (scope_begin(&ctl->root, unit, slice, pid, argv[0], &scope, &err) ||
	    set_limits(ctl, &regions, setting, scope.cgroup, &err)) {
		/* the child ends when it reads nothing */
		close(go[1]);
		wait_for_child();
		scope_end(&ctl->root, &scope);
		return fail("%s", err.text);
	}
	status = write(go[1], "", 1) == 1 ? 0 : -1;
	close(go[1]);
	if (status) {
		wait_for_child();
		scope_end(&ctl->root, &scope);
		return fail("the command was killed before it began");
	}
	status = wait_for_child();
	child = 0;
	if (scope_end(&ctl->root, &scope))
		note("processes that the command started go on: their cgroup stays");
	dmem_root_close(&ctl->root);
	return status < 0 ? fail("lost the command: %s", strerror(errno)) : end_as(status);
}

const struct verb run_verb = {
	.name = "run",
	.arguments = "[OPTIONS] [--] COMMAND [ARGUMENTS]",
	.summary = "Run a command under limits of its own",
	.details =
		"In a transient scope of systemd, or in a plain cgroup where there is none.\n"
		"The limits are in force before the command's first instruction.  Its exit\n"
		"status is the command's; 127 if there is no such command, 126 if it cannot be\n"
		"executed, 1 or 2 with a message from dmemctl before it began.  For example:\n"
		"\n"
		"  dmemctl run --max video@58000000=16M -- gst-launch-1.0 ...\n",
	.takes = STOPS_AT_ARGUMENT,
	.options = options,
	.take_opt = take_opt,
	.run = run,
};
