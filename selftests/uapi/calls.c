// SPDX-License-Identifier: Apache-2.0
// Every call of both APIs once, over the loopback interface: built for 32 bit
// it shows that the kernel takes the structures of such programs. Prints TAP.
#include <errno.h>
#include <linux/homa.h>
#include <linux/sdp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define REGION (8 * HOMA_BPAGE_SIZE)
#define LENGTH 100000

static int count;
static int failures;

static void check(int good, const char *what)
{
	int error = errno;

	printf("%sok %d - %s\n", good ? "" : "not ", ++count, what);
	if (!good)
		printf("# errno %d: %s\n", error, strerror(error));
	failures += !good;
}

static struct sockaddr_in loopback(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET };

	to.sin_port = htons(port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return to;
}

static int new_socket(int port)
{
	struct sockaddr_in own = loopback(port);
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA);

	if (fd < 0 || (port && bind(fd, (struct sockaddr *)&own, sizeof(own)))) {
		printf("Bail out! no socket: %s\n", strerror(errno));
		exit(1);
	}
	return fd;
}

static char *new_region(int fd)
{
	struct homa_rcvbuf_args args = { 0 };
	struct homa_rcvbuf_args back = { 0 };
	socklen_t size = sizeof(back);
	char *region = mmap(NULL, REGION, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	args.start = (uintptr_t)region;
	args.length = REGION;
	check(!setsockopt(fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &args, sizeof(args)) &&
		      !getsockopt(fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &back, &size) &&
		      size == sizeof(back) && back.start == args.start &&
		      back.length == args.length,
	      "SO_HOMA_RCVBUF");
	return region;
}

static ssize_t homa_send(int fd, struct sockaddr_in *to, const char *bytes,
			 size_t length, struct homa_sendmsg_args *args)
{
	struct iovec part = { (void *)bytes, length };
	struct msghdr message = {
		.msg_name = to, .msg_namelen = sizeof(*to),
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = args,
	};

	return sendmsg(fd, &message, 0);
}

static ssize_t homa_receive(int fd, struct sockaddr_in *from,
			    struct homa_recvmsg_args *args)
{
	struct msghdr message = {
		.msg_name = from, .msg_namelen = sizeof(*from),
		.msg_control = args, .msg_controllen = sizeof(*args),
	};
	ssize_t length = recvmsg(fd, &message, 0);

	if (length >= 0 && message.msg_controllen != sizeof(*args))
		printf("# msg_controllen became %d\n", (int)message.msg_controllen);
	return length;
}

static int same(const char *region, const struct homa_recvmsg_args *args,
		const char *bytes, size_t length)
{
	for (unsigned int i = 0; i < args->num_bpages; i++) {
		size_t part = length < HOMA_BPAGE_SIZE ? length : HOMA_BPAGE_SIZE;

		if (memcmp(region + args->bpage_offsets[i],
			   bytes + (size_t)i * HOMA_BPAGE_SIZE, part))
			return 0;
		length -= part;
	}
	return !length;
}

static void homa_api(const char *bytes)
{
	int server = new_socket(4001);
	int client = new_socket(0);
	char *server_region = new_region(server);
	char *client_region = new_region(client);
	struct homa_sendmsg_args request = { .completion_cookie = 0x1234567890abcdefULL };
	struct homa_sendmsg_args response = { 0 };
	struct homa_recvmsg_args got = { 0 };
	struct sockaddr_in to = loopback(4001);
	struct homa_abort_args abort = { 0 };
	struct homa_rpc_info rpcs[4];
	struct homa_info info = { 0 };

	check(!homa_send(client, &to, bytes, LENGTH, &request) && request.id,
	      "sendmsg: a request");
	check(homa_receive(server, &to, &got) == LENGTH && got.id == (request.id | 1) &&
		      same(server_region, &got, bytes, LENGTH),
	      "recvmsg: the request");
	response.id = got.id;
	check(!homa_send(server, &to, bytes + 1, LENGTH - 1, &response), "sendmsg: a response");
	info.rpc_info = (uintptr_t)rpcs;
	info.rpc_info_length = sizeof(rpcs);
	check(!ioctl(client, HOMAIOCINFO, &info) && info.num_rpcs == 1 &&
		      info.rpc_info_length == sizeof(rpcs[0]) && rpcs[0].id == request.id &&
		      rpcs[0].completion_cookie == request.completion_cookie &&
		      rpcs[0].tx_length == LENGTH,
	      "HOMAIOCINFO");
	memset(&got, 0, sizeof(got));
	check(homa_receive(client, &to, &got) == LENGTH - 1 && got.id == request.id &&
		      got.completion_cookie == request.completion_cookie &&
		      same(client_region, &got, bytes + 1, LENGTH - 1),
	      "recvmsg: the response");
	request.id = 0;
	abort.error = ECANCELED;
	check(!homa_send(client, &to, bytes, 10, &request) &&
		      (abort.id = request.id) && !ioctl(client, HOMAIOCABORT, &abort),
	      "HOMAIOCABORT");
	got.id = 0;
	check(homa_receive(client, &to, &got) < 0 && errno == ECANCELED && got.id == request.id &&
		      !got.num_bpages,
	      "recvmsg: a failure");
	close(server);
	close(client);
}

static ssize_t plain_message(int fd, int receive, struct sockaddr_in *peer, char *bytes,
			     size_t length, struct sdp_rpc_cmsg *rpc)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(*rpc))];
	} control;
	struct iovec part = { bytes, length };
	struct msghdr message = {
		.msg_name = peer, .msg_namelen = sizeof(*peer),
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	ssize_t done;

	memset(&control, 0, sizeof(control));
	control.header.cmsg_level = IPPROTO_HOMA;
	control.header.cmsg_type = SDP_CMSG_RPC;
	control.header.cmsg_len = CMSG_LEN(sizeof(*rpc));
	memcpy(CMSG_DATA(&control.header), rpc, sizeof(*rpc));
	if (!receive)
		return sendmsg(fd, &message, 0);
	done = recvmsg(fd, &message, 0);
	memcpy(rpc, CMSG_DATA(&control.header), sizeof(*rpc));
	if (message.msg_flags & MSG_CTRUNC)
		errno = EMSGSIZE;
	return message.msg_flags & MSG_CTRUNC ? -1 : done;
}

static void plain_api(char *bytes)
{
	int server = new_socket(4002);
	int client = new_socket(0);
	struct sockaddr_in to = loopback(4002);
	struct sdp_rpc_cmsg ask = { .size = sizeof(ask), .cookie = 0xfedcba0987654321ULL };
	struct sdp_rpc_cmsg got = { 0 };
	struct sdp_rpc_cmsg answer = { .size = sizeof(answer) };
	struct sdp_abort_args abort = { .size = sizeof(abort), .error = EIO, .cookie = 7 };
	static char room[LENGTH];

	check(plain_message(client, 0, &to, bytes, LENGTH, &ask) == LENGTH, "plain: a request");
	check(plain_message(server, 1, &to, room, sizeof(room), &got) == LENGTH &&
		      got.size == sizeof(got) && got.flags == SDP_RPC_REQUEST &&
		      got.id & 1 && !memcmp(room, bytes, LENGTH),
	      "plain: the request arrives");
	answer.id = got.id;
	check(plain_message(server, 0, &to, bytes, 5, &answer) == 5, "plain: a response");
	check(plain_message(client, 1, &to, room, sizeof(room), &got) == 5 &&
		      got.id == answer.id - 1 && got.cookie == ask.cookie,
	      "plain: the response arrives");
	ask.cookie = abort.cookie;
	check(plain_message(client, 0, &to, bytes, 5, &ask) == 5 &&
		      !ioctl(client, SDPIOCABORT, &abort),
	      "SDPIOCABORT");
	check(plain_message(client, 1, &to, room, sizeof(room), &got) == 0 &&
		      got.flags == SDP_RPC_FAILED && got.error == EIO && got.cookie == 7,
	      "plain: a failure");
	close(server);
	close(client);
}

static void sessions(void)
{
	int fd = new_socket(4003);
	struct sockaddr_in6 peer = { .sin6_family = AF_INET6, .sin6_port = htons(5) };
	struct sdp_session_add add = { .size = sizeof(add), .cipher = SDP_CIPHER_AES_128_GCM };
	struct sdp_session_info info = { .size = sizeof(info) };
	struct sdp_session_ref ref = { .size = sizeof(ref) };
	socklen_t size = sizeof(add.own_nonce);
	int policy = -1;
	socklen_t int_size = sizeof(policy);

	peer.sin6_addr.s6_addr[10] = 0xff;
	peer.sin6_addr.s6_addr[11] = 0xff;
	peer.sin6_addr.s6_addr[12] = 127;
	peer.sin6_addr.s6_addr[15] = 1;
	check(!getsockopt(fd, IPPROTO_HOMA, SDP_NONCE, add.own_nonce, &size) && size == 16,
	      "SDP_NONCE");
	memset(add.peer_nonce, 3, sizeof(add.peer_nonce));
	memset(add.secret, 4, sizeof(add.secret));
	add.local.sin6_family = AF_INET6;
	add.peer = peer;
	check(!setsockopt(fd, IPPROTO_HOMA, SDP_SESSION_ADD, &add, sizeof(add)),
	      "SDP_SESSION_ADD");
	check(setsockopt(fd, IPPROTO_HOMA, SDP_SESSION_ADD, &add, sizeof(add)) &&
		      errno == EEXIST,
	      "SDP_SESSION_ADD: a spent nonce");
	check(!getsockopt(fd, IPPROTO_HOMA, SDP_POLICY, &policy, &int_size) &&
		      policy == SDP_POLICY_SECURE,
	      "SDP_POLICY: secure by the session");
	info.peer = peer;
	size = sizeof(info);
	check(!getsockopt(fd, IPPROTO_HOMA, SDP_SESSION_INFO, &info, &size) &&
		      size == sizeof(info) && info.cipher == SDP_CIPHER_AES_128_GCM &&
		      info.record_size == SDP_RECORD_SIZE_DEFAULT && info.driver[0],
	      "SDP_SESSION_INFO");
	ref.id = info.id;
	check(!setsockopt(fd, IPPROTO_HOMA, SDP_SESSION_DEL, &ref, sizeof(ref)),
	      "SDP_SESSION_DEL");
	check(!getsockopt(fd, IPPROTO_HOMA, SDP_POLICY, &policy, &int_size) &&
		      policy == SDP_POLICY_SECURE,
	      "SDP_POLICY: still secure");
	close(fd);
}

int main(void)
{
	static char bytes[LENGTH];

	for (int i = 0; i < LENGTH; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	alarm(60);
	homa_api(bytes);
	plain_api(bytes);
	sessions();
	printf("1..%d\n", count);
	return failures > 0;
}
