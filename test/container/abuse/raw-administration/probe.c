#include "probe.h"
#include <sys/klog.h>
#include <sys/reboot.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/timerfd.h>
#include <time.h>

ATTEMPTS {
  TRY("initModule", syscall(SYS_init_module, NULL, 0, ""));
  TRY("finitModule", syscall(SYS_finit_module, 0, "", 0));
  TRY("deleteModule", syscall(SYS_delete_module, "x", 0));
  TRY("kexecLoad", syscall(SYS_kexec_load, 0, 0, NULL, 0));
  TRY("kexecFileLoad", syscall(SYS_kexec_file_load, 0, 0, 0, NULL, 0));
  TRY("reboot", reboot(RB_DISABLE_CAD));
  TRY("acct", syscall(SYS_acct, "/tmp/acct"));
  TRY("syslog", klogctl(3, NULL, 0));
  TRY("hostname", sethostname("pwned", 5));
  TRY("domainname", setdomainname("pwned", 5));
  struct timeval now = {0};
  TRY("settimeofday", settimeofday(&now, NULL));
  struct timespec then = {0};
  TRY("clockSettime", clock_settime(CLOCK_REALTIME, &then));
  struct timex adjustment = {.modes = ADJ_FREQUENCY};
  TRY("adjtimex", adjtimex(&adjustment));
  TRY("wakeTheMachine", timerfd_create(CLOCK_REALTIME_ALARM, 0));
  timer_t timer;
  TRY("wakeByTimer", timer_create(CLOCK_BOOTTIME_ALARM, NULL, &timer));
  TRY("sync", (sync(), errno == 0 ? 0 : -1));
  TRY("syncfs", syncfs(answers));
  TRY("swapoff", syscall(SYS_swapoff, "/dev/sda2"));
  TRY("nfs", syscall(SYS_nfsservctl, 0, NULL, NULL));
}
