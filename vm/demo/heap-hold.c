// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * heap-hold - allocate a buffer from a dma-buf heap and keep it
 *
 * For demonstrations and shell tests of what a buffer is charged to: it says
 * what it has in one line, and then keeps it. With --send another process gets
 * the buffer through a UNIX socket; --receive is that other process.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <linux/dma-heap.h>

#define EXIT_USAGE	2

static const char usage_text[] =
	"Usage: heap-hold HEAP SIZE [--send SOCKET]\n"
	"       heap-hold --receive SOCKET\n"
	"\n"
	"Allocate SIZE bytes (K, M, G: 1024 and so on) from /dev/dma_heap/HEAP, say\n"
	"so, and hold them until SIGTERM or the end of a pipe or terminal on stdin.\n"
	"\n"
	"  --send SOCKET     pass the buffer to the process that listens on SOCKET,\n"
	"                    then exit\n"
	"  --receive SOCKET  listen on SOCKET, receive a buffer and hold it until\n"
	"                    SIGTERM\n"
	"  --help            show this\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 misused.\n";

static const char *errno_name(int error)
{
	switch (error) {
	case EACCES:		return "EACCES";
	case EADDRINUSE:	return "EADDRINUSE";
	case EAGAIN:		return "EAGAIN";
	case EBUSY:		return "EBUSY";
	case ECONNREFUSED:	return "ECONNREFUSED";
	case EFAULT:		return "EFAULT";
	case EINTR:		return "EINTR";
	case EINVAL:		return "EINVAL";
	case EMFILE:		return "EMFILE";
	case ENODEV:		return "ENODEV";
	case ENOENT:		return "ENOENT";
	case ENOMEM:		return "ENOMEM";
	case ENOSPC:		return "ENOSPC";
	case ENOTTY:		return "ENOTTY";
	case ENXIO:		return "ENXIO";
	case EPERM:		return "EPERM";
	default:		return NULL;
	}
}

/* "heap-hold: <what>: <text of errno> (<name of errno>)" */
static int failed(const char *what)
{
	const char *name = errno_name(errno);

	if (name)
		fprintf(stderr, "heap-hold: %s: %s (%s)\n", what,
			strerror(errno), name);
	else
		fprintf(stderr, "heap-hold: %s: %s (errno %d)\n", what,
			strerror(errno), errno);
	return EXIT_FAILURE;
}

static int misused(const char *what, const char *argument)
{
	fprintf(stderr, "heap-hold: %s%s%s\n%s", what, argument ? ": " : "",
		argument ?: "", usage_text);
	return EXIT_USAGE;
}

static bool parse_size(const char *text, unsigned long long *bytes)
{
	static const char suffixes[] = "KkMmGg";
	const char *suffix;
	unsigned int shift = 0;
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno)
		return false;
	if (*end) {
		suffix = strchr(suffixes, *end);
		if (!suffix || end[1])
			return false;
		shift = 10 * ((suffix - suffixes) / 2 + 1);
	}
	if (value > ULLONG_MAX >> shift)
		return false;
	*bytes = value << shift;
	return true;
}

/* The buffer, or -1 after a message */
static int allocate(const char *heap, unsigned long long bytes)
{
	struct dma_heap_allocation_data data = {
		.len = bytes,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	char what[300], path[300];
	int heap_fd, ret;

	if (snprintf(path, sizeof(path), "/dev/dma_heap/%s", heap) >=
	    (int)sizeof(path)) {
		errno = ENOENT;
		failed("heap name");
		return -1;
	}
	heap_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (heap_fd < 0) {
		failed(path);
		return -1;
	}
	do {
		ret = ioctl(heap_fd, DMA_HEAP_IOCTL_ALLOC, &data);
	} while (ret && errno == EINTR);
	if (ret) {
		snprintf(what, sizeof(what), "%.200s: %llu bytes", heap, bytes);
		failed(what);
		data.fd = -1;
	}
	close(heap_fd);
	return data.fd;
}

static bool set_address(struct sockaddr_un *address, const char *path)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(address->sun_path))
		return false;
	memcpy(address->sun_path, path, strlen(path) + 1);
	return true;
}

static int send_buffer(const char *path, int buffer)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct sockaddr_un address;
	char byte = 'b';
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	int sock;

	if (!set_address(&address, path))
		return misused("the path of the socket is too long", path);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return failed("socket");
	if (connect(sock, (struct sockaddr *)&address, sizeof(address)))
		return failed(path);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &buffer, sizeof(buffer));
	if (sendmsg(sock, &msg, MSG_NOSIGNAL) != 1)
		return failed(path);
	close(sock);
	return EXIT_SUCCESS;
}

/* The buffer, or -1 and errno */
static int receive_from(int sock)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *head;
	int buffer;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) < 0)
		return -1;
	head = CMSG_FIRSTHDR(&msg);
	if (!head || head->cmsg_level != SOL_SOCKET ||
	    head->cmsg_type != SCM_RIGHTS) {
		errno = EINVAL;
		return -1;
	}
	memcpy(&buffer, CMSG_DATA(head), sizeof(buffer));
	return buffer;
}

/* A socket that nobody has listened on since its process died is in the way */
static void remove_socket(const char *path)
{
	struct stat st;

	if (!lstat(path, &st) && S_ISSOCK(st.st_mode))
		unlink(path);
}

/*
 * Until SIGTERM or SIGINT, which are blocked and come through @signals, or
 * until @input, if not -1, has no more to read.
 */
static void hold(int signals, int input)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = input, .events = POLLIN },
	};
	char junk[256];

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			return;
		if (fds[1].revents && read(input, junk, sizeof(junk)) <= 0)
			return;
	}
}

/* False if a signal came first */
static bool wait_for(int signals, int sock)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = sock, .events = POLLIN },
	};

	while (poll(fds, 2, -1) < 0)
		;
	return !fds[0].revents;
}

static int receive_and_hold(const char *path, int signals)
{
	struct sockaddr_un address;
	int listener, sock, buffer;

	if (!set_address(&address, path))
		return misused("the path of the socket is too long", path);
	remove_socket(path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0)
		return failed("socket");
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 1))
		return failed(path);
	printf("listening on %s\n", path);

	if (!wait_for(signals, listener)) {
		unlink(path);
		return EXIT_SUCCESS;
	}
	sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	unlink(path);
	close(listener);
	if (sock < 0)
		return failed(path);
	if (!wait_for(signals, sock))
		return EXIT_SUCCESS;
	buffer = receive_from(sock);
	if (buffer < 0)
		return failed(path);
	close(sock);
	printf("received %lld bytes\n", (long long)lseek(buffer, 0, SEEK_END));
	hold(signals, -1);
	return EXIT_SUCCESS;
}

/* Whether the end of stdin means anything: not for /dev/null of a shell's & */
static int input_to_watch(void)
{
	struct stat st;

	if (fstat(STDIN_FILENO, &st))
		return -1;
	return S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) ||
	       isatty(STDIN_FILENO) ? STDIN_FILENO : -1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "send", required_argument, NULL, 's' },
		{ "receive", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	const char *send_to = NULL, *receive_on = NULL;
	int option, signals, buffer;
	sigset_t wanted;
	unsigned long long bytes;

	setvbuf(stdout, NULL, _IOLBF, 0);
	opterr = 0;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 's':
			send_to = optarg;
			break;
		case 'r':
			receive_on = optarg;
			break;
		case 'h':
			fputs(usage_text, stdout);
			return EXIT_SUCCESS;
		default:
			return misused("bad option", argv[optind - 1]);
		}
	}
	if (receive_on && (send_to || optind != argc))
		return misused("--receive stands alone", NULL);
	if (!receive_on && argc - optind != 2)
		return misused("HEAP and SIZE are needed", NULL);

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	signals = signalfd(-1, &wanted, SFD_CLOEXEC);
	if (signals < 0)
		return failed("signalfd");

	if (receive_on)
		return receive_and_hold(receive_on, signals);

	if (!parse_size(argv[optind + 1], &bytes))
		return misused("not a size", argv[optind + 1]);
	buffer = allocate(argv[optind], bytes);
	if (buffer < 0)
		return EXIT_FAILURE;
	printf("allocated %lld bytes from %s\n",
	       (long long)lseek(buffer, 0, SEEK_END), argv[optind]);
	if (send_to)
		return send_buffer(send_to, buffer);
	hold(signals, input_to_watch());
	return EXIT_SUCCESS;
}
