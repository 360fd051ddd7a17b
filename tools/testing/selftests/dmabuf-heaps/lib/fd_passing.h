/* SPDX-License-Identifier: GPL-2.0 */
/* Descriptors in messages of unix sockets */
#ifndef FD_PASSING_H
#define FD_PASSING_H

/* 0, or the negative errno; @flags as of sendmsg() */
int fd_send(int sock, int fd, int flags);

/* A descriptor with FD_CLOEXEC, or the negative errno; @flags as of recvmsg() */
int fd_receive(int sock, int flags);

#endif /* FD_PASSING_H */
