import { closeSync } from 'node:fs';

export function execute() {
  closeSync(0);
  for (;;);
}
