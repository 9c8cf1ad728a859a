import { writeSync } from 'node:fs';

export function execute() {
  writeSync(
    1,
    Buffer.concat([Buffer.of(0x1e), Buffer.from('\ufeff{"jsonrpc":"2.0"}', 'utf16le'), Buffer.of(0x0a)]),
  );
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
