#include "probe.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static struct sockaddr_in at(const char *address, int port) {
  struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, address, &place.sin_addr);
  return place;
}

ATTEMPTS {
  struct sockaddr_in stranger = at("198.51.100.7", 4242), target = at("192.0.2.1", 4242);
  int datagrams = socket(AF_INET, SOCK_DGRAM, 0), stream = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  TRY("own", sendto(socket(AF_INET, SOCK_DGRAM, 0), "x", 1, 0, (struct sockaddr *)&target, sizeof target));
  TRY("bind", bind(datagrams, (struct sockaddr *)&stranger, sizeof stranger));
  setsockopt(datagrams, IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
  bind(datagrams, (struct sockaddr *)&stranger, sizeof stranger);
  TRY("sendFreely", sendto(datagrams, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&target, sizeof target));
  setsockopt(stream, IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
  bind(stream, (struct sockaddr *)&stranger, sizeof stranger);
  TRY("connectFreely", connect(stream, (struct sockaddr *)&target, sizeof target));
  char space[CMSG_SPACE(sizeof(struct in_pktinfo))] = {0};
  struct iovec byte = {"x", 1};
  struct msghdr message = {&target, sizeof target, &byte, 1, space, sizeof space, 0};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = IPPROTO_IP;
  header->cmsg_type = IP_PKTINFO;
  header->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
  ((struct in_pktinfo *)CMSG_DATA(header))->ipi_spec_dst = stranger.sin_addr;
  TRY("sendWithSource", sendmsg(socket(AF_INET, SOCK_DGRAM, 0), &message, MSG_DONTWAIT));
  TRY("transparent", setsockopt(stream, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on));
  TRY("ownHeaders", socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
}
