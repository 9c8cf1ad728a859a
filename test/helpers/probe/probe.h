/* What the probes in C share. A probe is `ATTEMPTS { TRY("name", call()); … }`; it runs while it is loaded. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int answers = -1;

static void say(const char *name, const char *answer) { dprintf(answers, "%s=%s\n", name, answer); }

static inline void report(const char *name, long result) {
  const char *error = strerrorname_np(errno);
  say(name, result != -1 ? "succeeded" : error == NULL ? "failed" : error);
}

#define TRY(name, call) (errno = 0, report(name, (long)(call)))

/* For calls that make a process: a child that should not be ends at once, and cannot be mistaken for its parent. */
static inline void report_process(const char *name, long pid) {
  if (pid == 0) _exit(0);
  report(name, pid);
}

#define TRY_PROCESS(name, call) (errno = 0, report_process(name, (long)(call)))

static void attempts(void);

__attribute__((constructor)) static void run(void) {
  answers = open("/tmp/probe", O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  attempts();
}

#define ATTEMPTS static void attempts(void)
