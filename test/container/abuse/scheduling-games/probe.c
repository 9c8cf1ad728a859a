#include "probe.h"
#include <sched.h>
#include <sys/resource.h>

ATTEMPTS {
  struct sched_param highest = {.sched_priority = 99};
  TRY("realTime", sched_setscheduler(0, SCHED_FIFO, &highest));
  TRY("roundRobin", sched_setscheduler(0, SCHED_RR, &highest));
  TRY("parameters", sched_setparam(0, &highest));
  struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; } deadline =
      {sizeof deadline, 6, 0, 0, 0, 900000, 1000000, 1000000};
  TRY("deadline", syscall(SYS_sched_setattr, 0, &deadline, 0));
  TRY("nice", setpriority(PRIO_PROCESS, 0, -20));
  TRY("niceForUser", setpriority(PRIO_USER, getuid(), -20));
  TRY("disk", syscall(SYS_ioprio_set, 1, 0, 1 << 13));
  cpu_set_t all;
  memset(&all, 0xff, sizeof all);
  TRY("affinity", sched_setaffinity(0, sizeof all, &all));
}
