import { closeSync } from 'node:fs';

export function execute() {
  closeSync(2);
  console.error('to nowhere but the channel');
  return 'answered';
}
