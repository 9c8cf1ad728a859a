import { writeSync } from 'node:fs';

const HEADERS = [
  [1, 0, 0, 0, 0, 0, 0, 5],
  [2, 0, 0, 0, 0, 0, 0, 0],
  [2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
  [0, 0, 0, 0, 0, 0, 0, 1],
];

/** Also over the 32 KiB that the engine copies at a time. */
export function execute() {
  for (const header of HEADERS) writeSync(1, Buffer.from([...header, 0x0a]));
  writeSync(1, Buffer.concat(Array.from({ length: 10_000 }, () => Buffer.from(HEADERS[2]))));
  writeSync(1, '\n');
  return HEADERS.map((header) => Buffer.from(header).toString('latin1'));
}
