#include "probe.h"
ATTEMPTS {
  TRY("addKey", syscall(SYS_add_key, "user", "planted", "x", 1, -3));
  TRY("requestKey", syscall(SYS_request_key, "user", "planted", NULL, -3));
  for (long keyring = -1; keyring >= -8; keyring--) {
    char name[16];
    snprintf(name, sizeof name, "read%ld", -keyring);
    TRY(name, syscall(SYS_keyctl, 11, keyring, NULL, 0));
  }
  TRY("joinSession", syscall(SYS_keyctl, 1, NULL));
  TRY("search", syscall(SYS_keyctl, 10, -5, "user", "planted", 0));
  TRY("persistent", syscall(SYS_keyctl, 22, -1, -4));
}
