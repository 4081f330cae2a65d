// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "tier.h"

#define BUFFER_BYTES 2048

struct receiver {
	struct daemon_page *page;
	int fd;
	struct mmsghdr messages[DAEMON_MESSAGES];
	struct iovec vectors[DAEMON_MESSAGES];
	uint8_t buffers[DAEMON_MESSAGES][BUFFER_BYTES];
};

static void open_receiver(struct receiver *receiver, uint16_t port, int flags)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int bytes = DAEMON_BUFFER_BYTES;

	receiver->fd = socket(AF_INET, SOCK_DGRAM | flags, 0);
	if (receiver->fd < 0 ||
	    setsockopt(receiver->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
	    bind(receiver->fd, (struct sockaddr *)&address, sizeof(address)))
		bench_die("the daemon's socket: %s", strerror(errno));
	for (int i = 0; i < DAEMON_MESSAGES; i++) {
		receiver->vectors[i] = (struct iovec){receiver->buffers[i], BUFFER_BYTES};
		receiver->messages[i].msg_hdr.msg_iov = &receiver->vectors[i];
		receiver->messages[i].msg_hdr.msg_iovlen = 1;
	}
}

/* Only this process writes: no need to lock the bus for it. */
static void count(struct daemon_page *page, int got)
{
	struct timespec cpu;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	atomic_store_explicit(&page->cpu_ns,
			      (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec,
			      memory_order_relaxed);
	atomic_store_explicit(&page->received,
			      atomic_load_explicit(&page->received, memory_order_relaxed) +
				      (uint64_t)got,
			      memory_order_release);
}

static void receive_blocking(struct receiver *receiver)
{
	for (;;) {
		int got = recvmmsg(receiver->fd, receiver->messages, DAEMON_MESSAGES,
				   MSG_WAITFORONE, NULL);

		if (got <= 0)
			_exit(1);
		count(receiver->page, got);
	}
}

static void take_delays(struct receiver *receiver, int got)
{
	uint64_t now_ns = bench_now_ns(), stamp_ns;

	for (int i = 0; i < got; i++) {
		memcpy(&stamp_ns, receiver->buffers[i], sizeof(stamp_ns));
		if (stamp_ns && stamp_ns <= now_ns)
			delays_add(&receiver->page->delays, now_ns - stamp_ns);
	}
}

static void receive_by_epoll(struct receiver *receiver)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC), got;

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, receiver->fd, &event))
		bench_die("the daemon's epoll: %s", strerror(errno));
	for (;;) {
		if (epoll_wait(epoll, &event, 1, -1) != 1)
			_exit(1);
		do {
			got = recvmmsg(receiver->fd, receiver->messages, DAEMON_MESSAGES,
				       MSG_DONTWAIT, NULL);
			if (got > 0) {
				take_delays(receiver, got);
				count(receiver->page, got);
			}
		} while (got == DAEMON_MESSAGES);
	}
}

static void run(struct daemon_page *page, enum daemon_way way, uint16_t port)
{
	static struct receiver receiver;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bench_pin(TIER_CONSUMER_CORE);
	tier_enter_gateway();
	receiver.page = page;
	open_receiver(&receiver, port, way == DAEMON_EPOLL ? SOCK_NONBLOCK : 0);
	atomic_store(&page->ready, 1);
	if (way == DAEMON_EPOLL)
		receive_by_epoll(&receiver);
	receive_blocking(&receiver);
}

struct daemon_page *daemon_start(enum daemon_way way, uint16_t port)
{
	struct daemon_page *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	pid_t pid;

	if (page == MAP_FAILED)
		bench_die("mmap: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		bench_die("fork: %s", strerror(errno));
	if (!pid) {
		tier_disown();
		run(page, way, port);
	}
	tier_own_process(pid);
	page->pid = pid;
	for (uint64_t end = bench_now_ns() + 5000000000ull; !atomic_load(&page->ready);)
		if (bench_now_ns() > end)
			bench_die("the daemon did not start");
	return page;
}

uint64_t daemon_received(const void *page)
{
	return atomic_load_explicit(&((const struct daemon_page *)page)->received,
				    memory_order_acquire);
}
