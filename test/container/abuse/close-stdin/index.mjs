import { closeSync } from 'node:fs';

export async function execute() {
  closeSync(0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  return 'answered';
}
