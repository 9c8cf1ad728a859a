import { setFlagsFromString } from 'node:v8';

export function execute() {
  setFlagsFromString('--max-old-space-size=1000000');
  setFlagsFromString('--max-heap-size=1000000');
  const kept = [];
  for (;;) kept.push(new Array(100_000).fill(kept.length));
}
