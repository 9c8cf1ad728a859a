#include "probe.h"
#include <sys/socket.h>
#include <sys/stat.h>

static int pair[2];

/* One byte, and beside it what the kernel hands over or vouches for. */
static long send_with(int type, const void *data, size_t length) {
  char space[CMSG_SPACE(64)] = {0};
  struct iovec byte = {"x", 1};
  struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1, .msg_control = space, .msg_controllen = CMSG_SPACE(length)};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(length);
  memcpy(CMSG_DATA(header), data, length);
  return sendmsg(pair[0], &message, 0);
}

static long send_as(pid_t pid, uid_t uid) {
  struct ucred who = {pid, uid, uid};
  return send_with(SCM_CREDENTIALS, &who, sizeof who);
}

static int receive_descriptor(void) {
  char space[CMSG_SPACE(64)], byte;
  struct iovec into = {&byte, 1};
  struct msghdr message = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
  if (recvmsg(pair[1], &message, 0) == -1 || CMSG_FIRSTHDR(&message) == NULL) return -1;
  return *(int *)CMSG_DATA(CMSG_FIRSTHDR(&message));
}

ATTEMPTS {
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == -1) return;
  TRY("root", send_as(getpid(), 0));
  TRY("anotherPid", send_as(2, getuid()));
  struct ucred peer;
  socklen_t length = sizeof peer;
  getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &length);
  say("peer", peer.uid == getuid() && peer.pid == 1 ? "itself" : "another");
  int folder = open("/", O_PATH);
  send_with(SCM_RIGHTS, &folder, sizeof folder);
  struct stat root, above;
  stat("/", &root);
  fstat(openat(receive_descriptor(), "../..", O_PATH), &above);
  say("above", root.st_ino == above.st_ino && root.st_dev == above.st_dev ? "the root" : "somewhere else");
}
