#include "probe.h"
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

static void enter(const char *name, const char *path) {
  int fd = open(path, O_RDONLY);
  if (fd == -1) say(name, "no such namespace");
  else TRY(name, setns(fd, 0));
}

static void *in_a_thread(void *unused) {
  TRY("threadUser", unshare(CLONE_NEWUSER));
  TRY("threadFiles", unshare(CLONE_FILES));
  return unused;
}

ATTEMPTS {
  TRY("user", unshare(CLONE_NEWUSER));
  TRY("mount", unshare(CLONE_NEWNS));
  TRY("network", unshare(CLONE_NEWNET));
  TRY("pid", unshare(CLONE_NEWPID));
  TRY("ipc", unshare(CLONE_NEWIPC));
  TRY("uts", unshare(CLONE_NEWUTS));
  TRY("cgroup", unshare(CLONE_NEWCGROUP));
  TRY("time", unshare(0x80));
  TRY_PROCESS("cloneUser", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
  TRY_PROCESS("cloneUserAsThread", syscall(SYS_clone, CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, 0, 0, 0));
  TRY_PROCESS("cloneHighBits", syscall(SYS_clone, 0x100000000UL | CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0));
  struct clone_args user = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  TRY_PROCESS("clone3User", syscall(SYS_clone3, &user, sizeof user));
  struct clone_args into = {.flags = 0x200000000ULL, .exit_signal = SIGCHLD, .cgroup = 3};
  TRY_PROCESS("clone3IntoCgroup", syscall(SYS_clone3, &into, sizeof into));
  enter("setnsNet", "/proc/self/ns/net");
  enter("setnsMount", "/proc/1/ns/mnt");
  enter("setnsUser", "/proc/self/ns/user");
  pthread_t thread;
  pthread_create(&thread, NULL, in_a_thread, NULL);
  pthread_join(thread, NULL);
}
