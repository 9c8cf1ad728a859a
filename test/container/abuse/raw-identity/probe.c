#include "probe.h"
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

ATTEMPTS {
  int file = open("/tmp/own", O_CREAT | O_RDWR, 0600);
  TRY("setuid", syscall(SYS_setuid, 0));
  TRY("setreuid", syscall(SYS_setreuid, 0, 0));
  TRY("setresuid", syscall(SYS_setresuid, -1, -1, -1));
  TRY("setgid", syscall(SYS_setgid, 0));
  TRY("setresgid", syscall(SYS_setresgid, 0, 0, 0));
  TRY("setgroups", syscall(SYS_setgroups, 0, NULL));
  TRY("setfsuid", syscall(SYS_setfsuid, 0));
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct all[2] = {{~0U, ~0U, ~0U}, {~0U, ~0U, ~0U}};
  TRY("capset", syscall(SYS_capset, &header, all));
  TRY("chown", chown("/tmp/own", 0, 0));
  TRY("fchown", fchown(file, 0, 0));
  TRY("lchown", lchown("/tmp/own", 0, 0));
  TRY("setxattr", setxattr("/tmp/own", "user.x", "x", 1, 0));
  TRY("capability", fsetxattr(file, "security.capability", "x", 1, 0));
  TRY("trusted", getxattr("/plugin", "trusted.overlay.origin", NULL, 0));
  TRY("mknodBlock", mknod("/tmp/sda", S_IFBLK | 0600, 0x800));
  TRY("mknodChar", mknod("/tmp/mem", S_IFCHR | 0600, 0x101));
  TRY("mknodWhiteout", mknod("/tmp/whiteout", S_IFCHR | 0600, 0));
  TRY("mkfifo", mkfifo("/tmp/fifo", 0600));
}
