#include "probe.h"
#include <sys/socket.h>

static int is_of_node(int family) {
  return family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK;
}

static long make(uint64_t family, int type, int protocol) { return syscall(SYS_socket, family, type, protocol); }

static long make_pair(uint64_t family, int type) {
  int pair[2];
  return syscall(SYS_socketpair, family, type, 0, pair);
}

/* One line for them all: the kernel knows 46 families, and each may load a module when it is asked for. */
static void every_other_family(const char *name, uint64_t high_bits) {
  int let_through = 0;
  for (int family = 0; family < 256; family++) {
    if (is_of_node(family) && high_bits == 0) continue;
    for (int type = SOCK_STREAM; type <= SOCK_PACKET; type++) {
      if (make(high_bits | family, type, 0) != -1 || errno != EPERM) let_through++;
      if (make_pair(high_bits | family, type) != -1 || errno != EPERM) let_through++;
    }
  }
  char answer[32];
  snprintf(answer, sizeof answer, "%d of them", let_through);
  say(name, answer);
}

ATTEMPTS {
  every_other_family("families", 0);
  // The kernel looks at the low 32 bits of an argument, and the filter at all 64.
  every_other_family("wider", 1UL << 32);
  every_other_family("negative", 0xffffffff00000000UL);
  TRY("raw", make(AF_INET, SOCK_RAW, 255));
  TRY("rawIcmp", make(AF_INET, SOCK_RAW, 1));
  TRY("rawSix", make(AF_INET6, SOCK_RAW, 58));
  for (int protocol = 1; protocol < 32; protocol++) {
    char name[32];
    snprintf(name, sizeof name, "netlink%d", protocol);
    TRY(name, make(AF_NETLINK, SOCK_RAW, protocol));
  }
  TRY("pairOfInet", make_pair(AF_INET, SOCK_STREAM));
  TRY("pairOfNetlink", make_pair(AF_NETLINK, SOCK_RAW));
}
