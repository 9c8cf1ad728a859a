#include "probe.h"
#include <sys/resource.h>

static void raise_limit(const char *name, int resource) {
  struct rlimit limit;
  getrlimit(resource, &limit);
  if (limit.rlim_max == RLIM_INFINITY) return say(name, "has none");
  limit.rlim_cur = limit.rlim_max = limit.rlim_max + 1;
  TRY(name, setrlimit(resource, &limit));
}

ATTEMPTS {
  raise_limit("files", RLIMIT_NOFILE);
  raise_limit("core", RLIMIT_CORE);
  raise_limit("fileSize", RLIMIT_FSIZE);
  raise_limit("lockedMemory", RLIMIT_MEMLOCK);
  raise_limit("cpuTime", RLIMIT_CPU);
  raise_limit("messageQueues", RLIMIT_MSGQUEUE);
  raise_limit("realTime", RLIMIT_RTPRIO);
  raise_limit("nice", RLIMIT_NICE);
  struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
  TRY("allFiles", setrlimit(RLIMIT_NOFILE, &none));
  TRY("ofInit", prlimit(1, RLIMIT_CORE, &none, NULL));
  TRY("ofAnother", prlimit(2, RLIMIT_CORE, &none, NULL));
}
