import { closeSync } from 'node:fs';

export function execute() {
  closeSync(1);
  return 'nowhere';
}
