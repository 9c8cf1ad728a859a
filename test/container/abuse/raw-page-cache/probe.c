#include "probe.h"
#include <sys/sendfile.h>
#include <sys/mman.h>
#include <sys/uio.h>

static const char *const NODE = "/usr/local/bin/node";

ATTEMPTS {
  int ends[2];
  if (pipe(ends) == -1) return;
  int file = open(NODE, O_RDONLY);
  loff_t at = 0;
  TRY("splice", splice(file, &at, ends[1], NULL, 1, 0));
  TRY("tee", tee(ends[0], ends[1], 1, 0));
  struct iovec bytes = {"x", 1};
  TRY("vmsplice", vmsplice(ends[1], &bytes, 1, SPLICE_F_GIFT));
  TRY("memfd", memfd_create("x", 0));
  TRY("mapShared", (long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
  // `sendfile` is Node's own; into a pipe it splices as well. What is then written must not end up in the file.
  off_t start = 0;
  sendfile(ends[1], file, &start, 1);
  if (write(ends[1], "planted", 7) != 7) say("write", "failed");
  char head[8] = "";
  if (pread(file, head, 4, 0) == 4) say("file", memcmp(head, "\177ELF", 4) == 0 ? "unchanged" : "changed");
  start = 0;
  TRY("sendfileToReadOnly", sendfile(open("/plugin/plugin.json", O_RDONLY), file, &start, 1));
  TRY("copyToReadOnly", copy_file_range(file, NULL, open("/plugin/plugin.json", O_RDONLY), NULL, 1, 0));
}
