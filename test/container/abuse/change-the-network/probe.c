#include "probe.h"
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Sends a message of NETLINK_ROUTE and tells the error in its acknowledgement. */
static void order(const char *name, int type, const void *body, size_t length) {
  struct { struct nlmsghdr header; char body[256]; } message = {0};
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  message.header.nlmsg_len = NLMSG_LENGTH(length);
  message.header.nlmsg_type = type;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
  memcpy(message.body, body, length);
  struct { struct nlmsghdr header; struct nlmsgerr error; char rest[256]; } reply = {0};
  if (send(netlink, &message, message.header.nlmsg_len, 0) == -1 || recv(netlink, &reply, sizeof reply, 0) == -1)
    return report(name, -1);
  close(netlink);
  errno = -reply.error.error;
  report(name, errno == 0 ? 0 : -1);
}

static void set_of_interface(const char *name, unsigned long request, const char *interface) {
  struct ifreq changed = {.ifr_flags = IFF_UP | IFF_PROMISC};
  strcpy(changed.ifr_name, interface);
  if (request != SIOCSIFFLAGS) changed.ifr_addr.sa_family = request == SIOCSIFHWADDR ? 1 : AF_INET;
  TRY(name, ioctl(socket(AF_INET, SOCK_DGRAM, 0), request, &changed));
}

ATTEMPTS {
  const char *interface = if_nametoindex("eth0") == 0 ? "lo" : "eth0";
  int index = if_nametoindex(interface);
  struct ifaddrmsg address = {.ifa_family = AF_INET, .ifa_prefixlen = 8, .ifa_index = index};
  order("address", RTM_NEWADDR, &address, sizeof address);
  order("noAddress", RTM_DELADDR, &address, sizeof address);
  struct rtmsg route = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST};
  order("route", RTM_NEWROUTE, &route, sizeof route);
  order("noRoute", RTM_DELROUTE, &route, sizeof route);
  struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_change = IFF_UP};
  order("down", RTM_SETLINK, &link, sizeof link);
  struct ifinfomsg made = {.ifi_family = AF_UNSPEC};
  order("link", RTM_NEWLINK, &made, sizeof made);
  struct ndmsg neighbour = {.ndm_family = AF_INET, .ndm_ifindex = index};
  order("neighbour", RTM_NEWNEIGH, &neighbour, sizeof neighbour);
  struct rtmsg rule = {.rtm_family = AF_INET};
  order("rule", RTM_NEWRULE, &rule, sizeof rule);
  struct tcmsg queue = {.tcm_family = AF_UNSPEC, .tcm_ifindex = index};
  order("queue", RTM_NEWQDISC, &queue, sizeof queue);
  set_of_interface("promiscuous", SIOCSIFFLAGS, interface);
  set_of_interface("hardwareAddress", SIOCSIFHWADDR, interface);
  set_of_interface("addressByIoctl", SIOCSIFADDR, interface);
  set_of_interface("mtu", SIOCSIFMTU, interface);
  set_of_interface("name", SIOCSIFNAME, interface);
  set_of_interface("bridge", 0x89a0, "br0");
  set_of_interface("tunnel", 0x89f1, "tun0");
  TRY("packet", socket(AF_PACKET, SOCK_RAW, 0));
  TRY("raw", socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
}
