/*
 * poller.c
 *	  All sockets of libcurl as one descriptor, by Linux's epoll.
 */
#include "postgres.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "source/poller.h"
#include "storage/fd.h"

/* Sockets taken by one look; those left over are ready at the next. */
#define MAX_EVENTS 32

void
poller_open(Poller *poller)
{
	/* counts it, so that the server's own files do not run out of descriptors */
	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open file descriptors to wait for the network"),
				 errhint("Raise max_files_per_process.")));
	poller->fd = epoll_create1(EPOLL_CLOEXEC);
	if (poller->fd < 0)
	{
		ReleaseExternalFD();
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not wait for the network: %m")));
	}
}

void
poller_close(Poller *poller)
{
	if (poller->fd < 0)
		return;
	close(poller->fd);
	poller->fd = -1;
	ReleaseExternalFD();
}

bool
poller_watch(Poller *poller, curl_socket_t socket, int what)
{
	struct epoll_event event = {.data.fd = socket};

	if (poller->fd < 0)
		return false;
	if (what == CURL_POLL_REMOVE)
	{
		/* it may be closed already, and then it is not watched any more */
		epoll_ctl(poller->fd, EPOLL_CTL_DEL, socket, NULL);
		return true;
	}

	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (epoll_ctl(poller->fd, EPOLL_CTL_MOD, socket, &event) == 0)
		return true;
	return errno == ENOENT && epoll_ctl(poller->fd, EPOLL_CTL_ADD, socket, &event) == 0;
}

int
poller_take(Poller *poller, PollerEvent *events, int max)
{
	struct epoll_event ready[MAX_EVENTS];
	int			n = epoll_wait(poller->fd, ready, Min(max, MAX_EVENTS), 0);

	for (int i = 0; i < n; i++)
	{
		events[i].socket = ready[i].data.fd;
		events[i].events = ((ready[i].events & EPOLLIN) ? CURL_CSELECT_IN : 0) |
			((ready[i].events & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
			((ready[i].events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0);
	}
	return Max(n, 0);
}
