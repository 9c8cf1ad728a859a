import { writeSync } from 'node:fs';

const PROGRESS = '\u001e{"jsonrpc":"2.0","method":"progress","params":{"fraction":0}}';

export function execute() {
  const bytes = Buffer.from(PROGRESS.repeat(1000));
  for (let index = 0; index < 100; index++)
    for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
  return 'done';
}
