#include "probe.h"
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>

static void *do_nothing(void *unused) { return unused; }

static void thread(const char *name) {
  pthread_t made;
  int error = pthread_create(&made, NULL, do_nothing, NULL);
  say(name, error == 0 ? "a thread" : strerrorname_np(error));
  if (error == 0) pthread_join(made, NULL);
}

ATTEMPTS {
#ifdef SYS_fork
  TRY_PROCESS("fork", syscall(SYS_fork));
#endif
  TRY_PROCESS("libcFork", fork());
  TRY_PROCESS("clone", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  TRY_PROCESS("cloneVm", syscall(SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
  TRY_PROCESS("cloneParent", syscall(SYS_clone, CLONE_PARENT, 0, 0, 0, 0));
  TRY_PROCESS("cloneUntraced", syscall(SYS_clone, CLONE_UNTRACED | CLONE_PIDFD | SIGCHLD, 0, &answers, 0, 0));
  // Only the low half of the flags counts for the kernel.
  TRY_PROCESS("cloneHighThread", syscall(SYS_clone, 0x1000000000000UL | SIGCHLD, 0, 0, 0, 0));
  struct clone_args args = {.exit_signal = SIGCHLD};
  TRY_PROCESS("clone3", syscall(SYS_clone3, &args, sizeof args));
  struct clone_args like_a_thread = {.flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM};
  TRY_PROCESS("clone3Thread", syscall(SYS_clone3, &like_a_thread, sizeof like_a_thread));
  pid_t pid;
  char *arguments[] = {"node", "-v", NULL};
  errno = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, NULL);
  report("posixSpawn", errno == 0 ? 0 : -1);
  thread("pthread");
  TRY("session", setsid());
  TRY("group", setpgid(0, 0));
}
