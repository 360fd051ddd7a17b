// SPDX-License-Identifier: GPL-2.0
/* Descriptors in messages of unix sockets */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "fd_passing.h"

/**
 * struct message - with room for one descriptor
 * @header:	what the kernel wants
 * @iov:	where @byte is
 * @control:	the descriptor
 * @byte:	without any data a message has no descriptor either
 */
struct message {
	struct msghdr header;
	struct iovec iov;
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
};

static void message_init(struct message *message)
{
	memset(message, 0, sizeof(*message));
	message->iov.iov_base = &message->byte;
	message->iov.iov_len = 1;
	message->header.msg_iov = &message->iov;
	message->header.msg_iovlen = 1;
	message->header.msg_control = &message->control;
	message->header.msg_controllen = sizeof(message->control);
}

int fd_send(int sock, int fd, int flags)
{
	struct message message;
	struct cmsghdr *head;

	message_init(&message);
	head = CMSG_FIRSTHDR(&message.header);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	if (sendmsg(sock, &message.header, flags | MSG_NOSIGNAL) != 1)
		return -errno;
	return 0;
}

int fd_receive(int sock, int flags)
{
	struct message message;
	struct cmsghdr *head;
	ssize_t got;
	int fd;

	message_init(&message);
	got = recvmsg(sock, &message.header, flags | MSG_CMSG_CLOEXEC);
	if (got != 1)
		return got < 0 ? -errno : -EPIPE;
	head = CMSG_FIRSTHDR(&message.header);
	if (!head || head->cmsg_type != SCM_RIGHTS)
		return -ENOMSG;
	memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}
