#include "probe.h"
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

ATTEMPTS {
  TRY("shmget", shmget(0x4242, 4096, IPC_CREAT | 0666));
  TRY("shmat", (long)shmat(0, NULL, 0) == -1 ? -1 : 0);
  TRY("shmctl", shmctl(0, IPC_STAT, NULL));
  TRY("semget", semget(0x4242, 1, IPC_CREAT | 0666));
  TRY("semop", semop(0, NULL, 1));
  TRY("msgget", msgget(0x4242, IPC_CREAT | 0666));
  TRY("msgsnd", msgsnd(0, "x", 1, IPC_NOWAIT));
  TRY("mqOpen", syscall(SYS_mq_open, "planted", O_CREAT | O_RDWR, 0666, NULL));
  TRY("mqUnlink", syscall(SYS_mq_unlink, "planted"));
  TRY("shmOpen", open("/dev/shm/planted", O_CREAT | O_RDWR, 0666));
  TRY("mqFile", open("/dev/mqueue/planted", O_CREAT | O_RDWR, 0666));
}
