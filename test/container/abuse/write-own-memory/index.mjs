import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';

export function execute() {
  const start = startOfNode();
  const memory = openSync('/proc/self/mem', 'r+');
  const before = read(memory, start);
  // Bytes 8 to 15 of an ELF file are padding: nobody reads them.
  writeSync(memory, Buffer.from('planted!'), 0, 8, start + 8);
  const after = read(memory, start);
  closeSync(memory);
  const file = openSync(process.execPath, 'r');
  return { before, after, file: read(file, 0) };
}

function startOfNode() {
  const line = readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .find((mapping) => mapping.endsWith('/usr/local/bin/node'));
  return Number.parseInt(line, 16);
}

function read(fd, position) {
  const bytes = Buffer.alloc(16);
  readSync(fd, bytes, 0, 16, position);
  return bytes.subarray(8).toString();
}
