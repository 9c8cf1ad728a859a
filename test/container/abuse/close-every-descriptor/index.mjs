import { closeSync } from 'node:fs';

export function execute() {
  for (let fd = 0; fd < 256; fd++) {
    try {
      closeSync(fd);
    } catch {}
  }
  return 'nowhere';
}
