import { LurkboxError, type Problem } from '../errors.ts';

const SINCE_LOADED = 'changed since the plugin was loaded; load it again';
const WHILE_READ = 'changed while it was read; load the plugin again';

/** A file is not, or no longer, what the walk over the plugin folder saw. */
export class FileChangedError extends Error {
  /** Relative to the plugin folder. */
  readonly path: string;

  constructor(path: string) {
    super(`\`${path}\` ${WHILE_READ}`);
    this.path = path;
  }
}

export function changedSinceLoaded(path: string): Problem {
  return { path, message: SINCE_LOADED };
}

export function changedWhileRead(path: string): Problem {
  return { path, message: WHILE_READ };
}

/** Whether a plugin could not be read because its files were being written; a later try may succeed. */
export function isBecauseOfChange(error: unknown): boolean {
  // Compares whole messages: others quote values of a manifest, which may hold any text.
  const isChange = ({ message }: Problem) => message === SINCE_LOADED || message === WHILE_READ;
  return error instanceof LurkboxError && error.code === 'MANIFEST_INVALID' && error.problems.some(isChange);
}
