#include "probe.h"
#include <sys/mman.h>

#define MAP(name, ...) TRY(name, mmap(__VA_ARGS__))

ATTEMPTS {
  int own = open("/tmp/code", O_CREAT | O_RDWR, 0700);
  if (ftruncate(own, 4096) == -1) return;
  int node = open("/usr/local/bin/node", O_RDONLY);
  int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
  MAP("pageZero", NULL, 4096, PROT_READ | PROT_WRITE, anonymous | MAP_FIXED, -1, 0);
  MAP("codeFromTmp", NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, own, 0);
  void *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
  TRY("becomesCode", mprotect(data, 4096, PROT_READ | PROT_EXEC));
  TRY("becomesCodeByKey", syscall(SYS_pkey_mprotect, data, 4096, PROT_READ | PROT_EXEC, -1));
  MAP("writableNode", NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, node, 0);
  void *text = mmap(NULL, 4096, PROT_READ, MAP_SHARED, node, 0);
  TRY("becomesWritable", mprotect(text, 4096, PROT_READ | PROT_WRITE));
  MAP("locked", NULL, 1 << 20, PROT_READ, anonymous | MAP_LOCKED, -1, 0);
  TRY("mlock", mlock(data - (1 << 20), 1 << 20));
  TRY("poison", madvise(data, 4096, MADV_HWPOISON));
  TRY("offline", madvise(data, 4096, 101));
  MAP("kernel", (void *)0xffff888000000000UL, 4096, PROT_READ, anonymous | MAP_FIXED, -1, 0);
}
