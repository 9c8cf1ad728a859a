#include "probe.h"
#include <linux/fs.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

ATTEMPTS {
  int own = open("/tmp/own", O_CREAT | O_RDWR, 0600);
  int folder = open("/plugin", O_RDONLY | O_DIRECTORY);
  int shipped = open("/plugin/plugin.json", O_RDONLY);
  int immutable = FS_IMMUTABLE_FL;
  TRY("immutable", ioctl(own, FS_IOC_SETFLAGS, &immutable));
  struct fsxattr attributes = {.fsx_projid = 1};
  TRY("project", ioctl(own, FS_IOC_FSSETXATTR, &attributes));
  TRY("immutableShipped", ioctl(shipped, FS_IOC_SETFLAGS, &immutable));
  TRY("freeze", ioctl(folder, FIFREEZE, 0));
  TRY("thaw", ioctl(folder, FITHAW, 0));
  struct fstrim_range range = {.len = ~0ULL};
  TRY("trim", ioctl(folder, FITRIM, &range));
  int block = 0;
  TRY("bmap", ioctl(shipped, FIBMAP, &block));
  TRY("clone", ioctl(own, FICLONE, open("/usr/local/bin/node", O_RDONLY)));
  TRY("parentNamespace", ioctl(open("/proc/self/ns/pid", O_RDONLY), NS_GET_PARENT));
  TRY("pushInput", ioctl(0, TIOCSTI, "x"));
  TRY("becomeConsole", ioctl(1, TIOCCONS));
  TRY("takeTerminal", ioctl(0, TIOCSCTTY, 1));
  TRY("lease", fcntl(shipped, F_SETLEASE, F_WRLCK));
  TRY("largePipe", fcntl(1, F_SETPIPE_SZ, 1 << 28));
  TRY("ownerIsAnother", fcntl(0, F_SETOWN, 2));
  TRY("chmodShipped", fchmod(shipped, 0777));
  TRY("truncateShipped", ftruncate(shipped, 0));
  TRY("writeShipped", write(shipped, "x", 1));
}
