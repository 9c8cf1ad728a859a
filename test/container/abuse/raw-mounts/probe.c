#include "probe.h"
#include <sys/mount.h>

ATTEMPTS {
  TRY("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
  TRY("bind", mount("/", "/tmp", NULL, MS_BIND | MS_REC, NULL));
  TRY("proc", mount("proc", "/tmp", "proc", 0, NULL));
  TRY("remountRoot", mount(NULL, "/", NULL, MS_REMOUNT, NULL));
  TRY("remountTmp", mount(NULL, "/tmp", NULL, MS_REMOUNT | MS_BIND, NULL));
  TRY("propagation", mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL));
  TRY("umount", umount2("/proc", MNT_DETACH));
  TRY("umountMask", umount2("/proc/kcore", 0));
  TRY("pivotRoot", syscall(SYS_pivot_root, "/tmp", "/tmp"));
  TRY("chroot", chroot("/tmp"));
  TRY("openTree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
  TRY("moveMount", syscall(SYS_move_mount, AT_FDCWD, "/tmp", AT_FDCWD, "/plugin", 0));
  TRY("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
  TRY("fsconfig", syscall(SYS_fsconfig, 3, 0, NULL, NULL, 0));
  TRY("fsmount", syscall(SYS_fsmount, 3, 0, 0));
  TRY("fspick", syscall(SYS_fspick, AT_FDCWD, "/", 0));
  TRY("mountSetattr", syscall(442, AT_FDCWD, "/", 0, NULL, 0));
  TRY("statmount", syscall(457, NULL, NULL, 0, 0));
  TRY("listmount", syscall(458, NULL, NULL, 0, 0));
  TRY("swapon", syscall(SYS_swapon, "/tmp/swap", 0));
  TRY("quotactl", syscall(SYS_quotactl, 0, "/", 0, NULL));
}
