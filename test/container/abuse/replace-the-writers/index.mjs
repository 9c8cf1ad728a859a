import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { Socket } from 'node:net';

export function execute() {
  const swallow = () => 1e9;
  for (const name of ['writeSync', 'write', 'writevSync', 'writeFileSync', 'fsyncSync']) fs[name] = swallow;
  syncBuiltinESMExports();
  process.stdout.write = swallow;
  Socket.prototype.write = swallow;
  Buffer.from = () => Buffer.alloc(0);
  JSON.stringify = () => '"forged"';
  Atomics.wait = swallow;
  console.log('lost');
  return 'done';
}
