#include "probe.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

ATTEMPTS {
  TRY("newPrivileges", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
  TRY("ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21, 0, 0));
  TRY("bounding", prctl(PR_CAPBSET_DROP, 0, 0, 0, 0));
  TRY("secureBits", prctl(PR_SET_SECUREBITS, 0x2f, 0, 0, 0));
  TRY("strict", prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, NULL));
  TRY("disabled", prctl(PR_SET_SECCOMP, SECCOMP_MODE_DISABLED, NULL));
  TRY("exeFile", prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, open("/plugin/plugin.json", O_RDONLY), 0, 0));
  TRY("startCode", prctl(PR_SET_MM, PR_SET_MM_START_CODE, 0, 0, 0));
  TRY("ioFlusher", prctl(57, 1, 0, 0, 0));
  TRY("endian", prctl(20, 1, 0, 0, 0));
  // A filter more is no filter less.
  struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog everything = {1, allow};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &everything) == 0) say("allowFilter", "added");
  TRY("unshareAfterIt", syscall(SYS_unshare, 0x10000000));
  say("noNewPrivileges", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? "still" : "gone");
  say("mode", prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == SECCOMP_MODE_FILTER ? "filter" : "none");
}
