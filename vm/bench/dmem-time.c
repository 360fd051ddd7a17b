// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Take times in the guest.  Prints the least of several rounds, in nanoseconds
 * for one time: what interrupts and the host add is never in all of them.
 *
 *	dmem-time pairs FILE WORDS NUMBER ROUNDS
 *		writes "WORDS NUMBER" to FILE, dmem_selftest's or dmem_floor's
 *		"pairs", which takes the time itself
 *	dmem-time together FILE NUMBER ROUNDS CGROUP...
 *		a process in each CGROUP, on a CPU of its own, writes NUMBER to
 *		FILE at the same time; the slowest counts
 *	dmem-time read FILE NUMBER ROUNDS
 *		reads FILE, all of it at once, NUMBER times
 */

#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char buffer[1 << 18];

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

static int open_file(const char *name, int flags)
{
	int fd = open(name, flags);

	if (fd < 0)
		err(1, "%s", name);
	return fd;
}

static void write_file(int fd, const char *name, const char *what)
{
	if (write(fd, what, strlen(what)) != (ssize_t)strlen(what))
		err(1, "%s: writing '%s'", name, what);
}

static void keep_least(double *least, double ns)
{
	if (!*least || ns < *least)
		*least = ns;
}

static double time_pairs(const char *name, const char *words, long number, int rounds)
{
	int fd = open_file(name, O_RDWR);
	double least = 0;
	char what[64];

	snprintf(what, sizeof(what), "%s %ld", words, number);
	while (rounds--) {
		unsigned long long pairs, ns;
		ssize_t n;

		write_file(fd, name, what + (*what == ' '));
		n = pread(fd, buffer, sizeof(buffer) - 1, 0);
		if (n < 0)
			err(1, "%s", name);
		buffer[n] = '\0';
		if (sscanf(buffer, "%llu pairs %llu ns", &pairs, &ns) != 2 ||
		    pairs != (unsigned long long)number)
			errx(1, "%s: said '%s'", name, buffer);
		keep_least(&least, (double)ns / pairs);
	}
	return least;
}

static double time_read(const char *name, long number, int rounds)
{
	int fd = open_file(name, O_RDONLY);
	double least = 0;

	while (rounds--) {
		uint64_t start = now();

		for (long i = 0; i < number; i++) {
			ssize_t n = pread(fd, buffer, sizeof(buffer), 0);

			if (n < 0)
				err(1, "%s", name);
			if (!n || n == sizeof(buffer))
				errx(1, "%s: %zd bytes", name, n);
		}
		keep_least(&least, (double)(now() - start) / number);
	}
	return least;
}

struct meeting {
	atomic_int arrived;
	uint64_t ns[];
};

/* wait until the others of this round are here */
static void meet(struct meeting *m, int all)
{
	atomic_fetch_add(&m->arrived, 1);
	while (atomic_load(&m->arrived) < all)
		sched_yield();
}

static double time_together(const char *name, long number, int rounds, int n, char **cgroups)
{
	struct meeting *m = mmap(NULL, sizeof(*m) + n * sizeof(*m->ns), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double least = 0;
	char what[32];

	if (m == MAP_FAILED)
		err(1, "mmap");
	snprintf(what, sizeof(what), "%ld", number);
	while (rounds--) {
		double slowest = 0;

		atomic_store(&m->arrived, 0);
		for (int i = 0; i < n; i++) {
			char procs[256];
			uint64_t start;
			cpu_set_t cpu;
			int fd;

			if (fork())
				continue;
			/* not to wait for ever for one that failed */
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			CPU_ZERO(&cpu);
			CPU_SET(i, &cpu);
			if (sched_setaffinity(0, sizeof(cpu), &cpu))
				err(1, "CPU %d", i);
			snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroups[i]);
			write_file(open_file(procs, O_WRONLY), procs, "0");
			fd = open_file(name, O_RDWR);
			meet(m, n);
			start = now();
			write_file(fd, name, what);
			m->ns[i] = now() - start;
			_exit(0);
		}
		for (int i = 0; i < n; i++) {
			int status;

			if (wait(&status) < 0 || status)
				errx(1, "a process failed");
		}
		for (int i = 0; i < n; i++)
			if (m->ns[i] > slowest)
				slowest = m->ns[i];
		keep_least(&least, slowest / number);
	}
	return least;
}

int main(int argc, char **argv)
{
	double ns;

	if (argc == 6 && !strcmp(argv[1], "pairs"))
		ns = time_pairs(argv[2], argv[3], atol(argv[4]), atoi(argv[5]));
	else if (argc == 5 && !strcmp(argv[1], "read"))
		ns = time_read(argv[2], atol(argv[3]), atoi(argv[4]));
	else if (argc >= 6 && !strcmp(argv[1], "together"))
		ns = time_together(argv[2], atol(argv[3]), atoi(argv[4]), argc - 5, argv + 5);
	else
		errx(2, "see the head of dmem-time.c");
	printf("%.2f\n", ns);
	return 0;
}
