import { closeSync, readlinkSync } from 'node:fs';
import { PathError } from './path-error.ts';

/** Nobody else knows of a descriptor before it is handed over. */
export function closedOnError<T>(descriptor: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** The path of what is open, as the kernel knows it. @throws PathError `NO_PROC` */
export function nameOf(descriptor: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch (error) {
    throw new PathError('NO_PROC', '/proc/self/fd', error);
  }
}
