#include "probe.h"
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <sys/mman.h>

ATTEMPTS {
  union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};
  TRY("bpf", syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
  struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof event, .exclude_kernel = 1};
  TRY("perf", syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
  struct io_uring_params ring = {0};
  TRY("ioUringSetup", syscall(SYS_io_uring_setup, 8, &ring));
  TRY("ioUringEnter", syscall(SYS_io_uring_enter, 3, 1, 0, 0, NULL, 0));
  TRY("ioUringRegister", syscall(SYS_io_uring_register, 3, 0, NULL, 0));
  TRY("userfaultfd", syscall(SYS_userfaultfd, 0));
  TRY("userfaultfdUserOnly", syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | 1));
  unsigned long context = 0;
  TRY("ioSetup", syscall(SYS_io_setup, 1, &context));
  TRY("ioSubmit", syscall(SYS_io_submit, 0, 0, NULL));
  TRY("memfdSecret", syscall(447, 0));
  TRY("fanotify", syscall(SYS_fanotify_init, 0, O_RDONLY));
  TRY("lookupCookie", syscall(SYS_lookup_dcookie, 0, NULL, 0));
  TRY("remapFilePages", syscall(SYS_remap_file_pages, NULL, 4096, 0, 0, 0));
  TRY("mbind", syscall(SYS_mbind, NULL, 4096, 0, NULL, 0, 0));
  TRY("setMempolicy", syscall(SYS_set_mempolicy, 0, NULL, 0));
  TRY("personality", syscall(SYS_personality, 0x0040000));
  TRY("seccomp", syscall(SYS_seccomp, 2, NULL, NULL));
  TRY("landlock", syscall(444, NULL, 0, 1));
  TRY("cachestat", syscall(451, 0, NULL, NULL, 0));
  TRY("shadowStack", syscall(453, 0, 4096, 0));
  TRY("vhangup", syscall(SYS_vhangup));
  TRY("mlockall", mlockall(MCL_CURRENT | MCL_FUTURE));
#ifdef __x86_64__
  TRY("modifyLdt", syscall(SYS_modify_ldt, 0, NULL, 0));
  TRY("iopl", syscall(SYS_iopl, 3));
  TRY("ioperm", syscall(SYS_ioperm, 0x70, 2, 1));
  TRY("uselib", syscall(SYS_uselib, "/plugin/probe.node"));
  TRY("ustat", syscall(SYS_ustat, 0, NULL));
  TRY("sysfs", syscall(SYS_sysfs, 3));
#endif
}
