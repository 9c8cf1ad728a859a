import { openSync, writeSync } from 'node:fs';

export function execute() {
  const chunk = Buffer.alloc(1024 * 1024, 1);
  const file = openSync('/tmp/fill', 'w');
  for (let megabyte = 0; megabyte < 40; megabyte++) writeSync(file, chunk);
  const kept = [];
  for (;;) kept.push(Buffer.alloc(1024 * 1024, 1));
}
