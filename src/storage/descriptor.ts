import { closeSync, constants, readlinkSync } from 'node:fs';
import { PathError } from './path-error.ts';

export const IS_LINUX = process.platform === 'linux';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
/** Opens a folder for what is in it alone, also one that may be passed through and not listed (open(2)). */
export const O_PATH = IS_LINUX ? 0o10000000 : O_RDONLY;
export const FOLDER_FLAGS = O_PATH | O_DIRECTORY | O_NOFOLLOW;

/** One entry of a folder, a single segment; as bytes where it may be no UTF-8. */
export type Name = string | Buffer;

export interface FileOptions {
  /** No link is followed, and no pipe is waited for, whatever is said here. @default O_RDONLY */
  readonly flags?: number;
  /** Of a file that is created. @default 0o600 */
  readonly mode?: number;
  /** Refuse a file that has a second name. @default false */
  readonly singleName?: boolean;
}

/** What `open` is told, so that no link is followed. */
export function toArguments({ flags = O_RDONLY, mode = 0o600 }: FileOptions): [number, number] {
  return [flags | O_NOFOLLOW | O_NONBLOCK, mode];
}

export function isName(name: Name): boolean {
  const bytes = Buffer.from(name as string);
  return (
    bytes.length > 0 &&
    !bytes.includes('/') &&
    !bytes.includes(0) &&
    !/^\.\.?$/.test(bytes.toString('latin1'))
  );
}

/** A folder's descriptor, which stays open for work that goes on when the folder is closed. */
export class FolderDescriptor implements Disposable {
  readonly #number: number;
  readonly #path: string;
  #uses = 0;
  #isClosed = false;
  #isReleased = false;

  constructor(number: number, path: string) {
    this.#number = number;
    this.#path = path;
  }

  /** @throws PathError `CLOSED` */
  get number(): number {
    if (this.#isReleased) throw new PathError('CLOSED', this.#path);
    return this.#number;
  }

  /** Until this is disposed of, the descriptor stays open. */
  hold(): Disposable {
    this.#uses++;
    return {
      [Symbol.dispose]: () => {
        this.#uses--;
        this.#releaseIfUnused();
      },
    };
  }

  /** Fine to call twice. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#releaseIfUnused();
  }

  #releaseIfUnused(): void {
    if (!this.#isClosed || this.#uses > 0 || this.#isReleased) return;
    this.#isReleased = true;
    closeSync(this.#number);
  }
}

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
