#include "probe.h"
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static int stream;
static long set(int level, int option, int value) { return setsockopt(stream, level, option, &value, sizeof value); }

ATTEMPTS {
  stream = socket(AF_INET, SOCK_STREAM, 0);
  TRY("mark", set(SOL_SOCKET, SO_MARK, 1));
  TRY("priority", set(SOL_SOCKET, SO_PRIORITY, 7));
  TRY("receiveBuffer", set(SOL_SOCKET, SO_RCVBUFFORCE, 1 << 30));
  TRY("sendBuffer", set(SOL_SOCKET, SO_SNDBUFFORCE, 1 << 30));
  TRY("debug", set(SOL_SOCKET, SO_DEBUG, 1));
  TRY("transparent", set(IPPROTO_IP, IP_TRANSPARENT, 1));
  TRY("repair", set(IPPROTO_TCP, TCP_REPAIR, 1));
  TRY("ownHeader", set(IPPROTO_IP, IP_HDRINCL, 1));
  TRY("bpf", set(SOL_SOCKET, SO_ATTACH_BPF, 3));
  TRY("firewall", setsockopt(stream, IPPROTO_IP, 64, "", 0));
  TRY("firewallSix", setsockopt(socket(AF_INET6, SOCK_STREAM, 0), IPPROTO_IPV6, 64, "", 0));
  TRY("bridgeTables", setsockopt(stream, IPPROTO_IP, 128, "", 0));
  TRY("ipsec", set(IPPROTO_IP, 16, 1));
}
