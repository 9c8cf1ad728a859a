import { writeSync } from 'node:fs';

/** The system may take only part of what it is given. @throws the system's error; part of it is written then */
export function writeAll(descriptor: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written);
}
