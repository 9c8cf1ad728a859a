#include "probe.h"
#include <linux/openat2.h>
#include <sys/stat.h>

static int open_with(int from, const char *path, uint64_t resolve) {
  struct open_how how = {.flags = O_RDONLY, .resolve = resolve};
  return syscall(SYS_openat2, from, path, &how, sizeof how);
}

static void same_as_root(const char *name, int folder) {
  struct stat root, other;
  stat("/", &root);
  if (folder == -1 || fstat(folder, &other) == -1) return report(name, -1);
  say(name, root.st_ino == other.st_ino && root.st_dev == other.st_dev ? "the root" : "somewhere else");
}

ATTEMPTS {
  int root = open("/", O_PATH);
  int proc = open("/proc/self", O_PATH);
  same_as_root("above", openat(root, "../../../../..", O_PATH));
  same_as_root("aboveByOpenat2", open_with(root, "..", 0));
  same_as_root("magic", openat(proc, "root/..", O_PATH));
  same_as_root("cwd", openat(proc, "cwd/../..", O_PATH));
  fchdir(root);
  same_as_root("afterFchdir", open("..", O_PATH));
  TRY("noMagicLinks", open_with(proc, "root", RESOLVE_NO_MAGICLINKS));
  TRY("beneath", open_with(root, "/etc", RESOLVE_BENEATH));
  TRY("shadow", open_with(root, "etc/shadow", RESOLVE_IN_ROOT));
  TRY("emptyPath", openat(root, "../etc/shadow", O_RDONLY));
}
