#include "probe.h"
#include <sys/file.h>

ATTEMPTS {
  int node = open("/usr/local/bin/node", O_RDONLY);
  int own = open("/plugin/plugin.json", O_RDONLY);
  say("node", flock(node, LOCK_EX | LOCK_NB) == 0 ? "locked" : "held by another");
  say("own", flock(own, LOCK_EX | LOCK_NB) == 0 ? "locked" : "held by another");
  struct flock whole = {.l_type = F_WRLCK};
  TRY("writeLock", fcntl(node, F_SETLK, &whole));
  TRY("ofDescription", fcntl(node, F_OFD_SETLK, &whole));
  TRY("lease", fcntl(node, F_SETLEASE, F_RDLCK));
}
