#include "probe.h"
#include <sys/fanotify.h>

static struct {
  struct file_handle handle;
  unsigned char bytes[128];
} file;

static void handle_of(const char *name, const char *path, int flags) {
  int mount;
  file.handle.handle_bytes = sizeof file.bytes;
  TRY(name, name_to_handle_at(AT_FDCWD, path, &file.handle, &mount, flags));
}

ATTEMPTS {
  handle_of("root", "/", 0);
  handle_of("plugin", "/plugin/plugin.json", 0);
  handle_of("boundByTheEngine", "/etc/hostname", 0);
  handle_of("tmp", "/tmp", 0);
  handle_of("fid", "/", 0x200);
  // Inode 2 of an ext4 is its root (the shape of "shocker").
  file.handle.handle_bytes = 8;
  file.handle.handle_type = 1;
  memcpy(file.bytes, "\2\0\0\0\0\0\0\0", 8);
  TRY("rootOfTheDisk", open_by_handle_at(open("/etc/hostname", O_RDONLY), &file.handle, O_RDONLY));
  TRY("fromTheWorkingFolder", open_by_handle_at(AT_FDCWD, &file.handle, O_RDONLY));
}
