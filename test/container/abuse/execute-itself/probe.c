#include "probe.h"
#include <sys/mman.h>

extern char **environ;
static char *const arguments[] = {"x", NULL};

ATTEMPTS {
  int node = open("/usr/local/bin/node", O_RDONLY);
  int own = open("/tmp/program", O_CREAT | O_RDWR, 0700);
  if (write(own, "#!/usr/local/bin/node\n", 22) != 22) return;
  TRY("execveatDescriptor", syscall(SYS_execveat, node, "", arguments, environ, AT_EMPTY_PATH));
  TRY("execveatPath", syscall(SYS_execveat, AT_FDCWD, "/usr/local/bin/node", arguments, environ, 0));
  TRY("memory", memfd_create("program", MFD_CLOEXEC));
  TRY("script", execve("/tmp/program", arguments, environ));
  close(own);
  TRY("scriptClosed", execve("/tmp/program", arguments, environ));
  TRY("scriptByDescriptor", execve("/proc/self/fd/0", arguments, environ));
  TRY("library", execve("/plugin/probe.node", arguments, environ));
  TRY("shell", execve("/bin/sh", arguments, environ));
}
