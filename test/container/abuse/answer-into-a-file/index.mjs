import { closeSync, openSync } from 'node:fs';

export function execute() {
  closeSync(1);
  openSync('/tmp/answer', 'w');
  return 'into a file';
}
