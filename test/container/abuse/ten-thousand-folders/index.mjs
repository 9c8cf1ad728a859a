import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';

export function execute() {
  process.chdir('/scratch');
  mkdirSync('bottom');
  for (let depth = 0; depth < 10_000; depth++) {
    mkdirSync('d');
    process.chdir('d');
  }
  writeFileSync('file', 'at the bottom');
  chmodSync('.', 0);
  process.chdir('/scratch');
  // A folder moved into another one, with all that is below it.
  renameSync('d', 'bottom/d');
  return 'nested';
}
