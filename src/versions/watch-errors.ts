import { LurkboxError } from '../errors.ts';
import { quotePath } from '../printable.ts';

/** What the system can run out of, and what raises it. */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC:
    'no file watch left: raise `fs.inotify.max_user_watches` (as root: sysctl fs.inotify.max_user_watches=524288)',
  EMFILE:
    'no open file left for this process or user: raise `ulimit -n`, and `fs.inotify.max_user_instances` (as root: sysctl fs.inotify.max_user_instances=512)',
};

/** For an error of watching a folder; `null` when it is another one than that the system has run out of something. */
export function watchesExhausted(folder: string, cause: unknown): LurkboxError | null {
  const remedy = REMEDIES[String((cause as NodeJS.ErrnoException | null)?.code)];
  if (remedy === undefined) return null;
  const message = `${quotePath(folder)} cannot be watched: the system has ${remedy}, or watch fewer folders.`;
  return new LurkboxError('HOST_RESOURCES', message, { cause });
}

export function tooManyEntries(folder: string, most: number): LurkboxError {
  const message = `${quotePath(folder)} cannot be watched: it holds more than ${most} files and folders. Watch the plugin folders in it one by one.`;
  return new LurkboxError('OPTIONS_INVALID', message);
}
