#include "probe.h"
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

static pid_t first;
static char word[8] = "before";

static void *trace_the_first(void *unused) {
  TRY("attachToThread", ptrace(PTRACE_ATTACH, first, NULL, NULL));
  TRY("seizeThread", ptrace(PTRACE_SEIZE, first, NULL, NULL));
  return unused;
}

ATTEMPTS {
  first = gettid();
  pthread_t thread;
  pthread_create(&thread, NULL, trace_the_first, NULL);
  pthread_join(thread, NULL);
  TRY("traceme", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
  TRY("attachToInit", ptrace(PTRACE_ATTACH, 1, NULL, NULL));
  TRY("attachToOther", ptrace(PTRACE_ATTACH, 2, NULL, NULL));
  char other[8] = "after";
  struct iovec here = {other, sizeof other}, there = {word, sizeof word};
  TRY("writeItself", process_vm_writev(getpid(), &here, 1, &there, 1, 0));
  TRY("readItself", process_vm_readv(getpid(), &here, 1, &there, 1, 0));
  TRY("pidfdOpen", syscall(SYS_pidfd_open, getpid(), 0));
  TRY("pidfdGetfd", syscall(438, 3, 1, 0));
  TRY("pidfdSendSignal", syscall(SYS_pidfd_send_signal, 3, 0, NULL, 0));
  TRY("kcmp", syscall(SYS_kcmp, 1, 1, 0, 0, 0));
  TRY("processMadvise", syscall(440, 3, &here, 1, 4, 0));
  TRY("processMrelease", syscall(448, 3, 0));
  TRY("migratePages", syscall(SYS_migrate_pages, 1, 0, NULL, NULL));
  TRY("movePages", syscall(SYS_move_pages, 0, 0, NULL, NULL, NULL, 0));
  say("word", word);
}
