import { gunzipSync, gzipSync } from 'node:zlib';

export function execute() {
  const small = gzipSync(Buffer.alloc(16 * 1024 * 1024));
  const kept = [];
  for (;;) kept.push(gunzipSync(small).fill(1));
}
