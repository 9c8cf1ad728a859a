import { realpathSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { findPath, type Located, locate, placeOf } from '../documents/places.ts';
import { LurkboxError, type Problem } from '../errors.ts';
import { quotePath } from '../printable.ts';
import { Folder } from '../storage/folder.ts';
import { type PathError, toPathError } from '../storage/path-error.ts';
import { replaceFile } from '../storage/replace-file.ts';
import type { FormerKey } from './former-keys.ts';
import { type Examined, examineDocument, readPolicyFile } from './load.ts';
import type { Policy } from './schema.ts';

/** Both from 1; `null` where nobody can say where. */
interface Place {
  readonly line: number | null;
  readonly column: number | null;
}

/** What is to be said of a policy file. */
export interface PolicyCheck {
  readonly file: string;
  /** Everything that keeps it from being used. */
  readonly problems: readonly (Problem & Place)[];
  /** Keys that have another name now; the file can be used with them until 2.0. */
  readonly formerKeys: readonly (FormerKey & Place)[];
  /** Whether these were renamed in the file. */
  readonly isRewritten: boolean;
  /** Whether a key stands under both of its names; then none is renamed. */
  readonly isAmbiguous: boolean;
}

export interface CheckPolicyOptions {
  /** @default "written" */
  readonly path?: 'written' | 'resolved';
  /** Rename former keys in the file; all else of it stays as it is. @default false */
  readonly write?: boolean;
  /** What is to be said of a policy besides, by who knows the rest of the workspace. @default nothing */
  readonly inspect?: (policy: Policy) => Promise<readonly Problem[]>;
}

/** Says everything that is wrong in a policy file. @throws LurkboxError `POLICY_INVALID` where it cannot be read or written */
export async function checkPolicyFile(
  file: string,
  { path = 'written', write = false, inspect = async () => [] }: CheckPolicyOptions = {},
): Promise<PolicyCheck> {
  const bytes = await readPolicyFile(file, path);
  const found = await examineDocument(bytes);
  const { formerKeys } = found;
  const places = locatorOf(bytes, found);
  const isRewritten = write && formerKeys.length > 0 && !found.isAmbiguous && places !== null;
  const text = bytes.toString();
  const now = isRewritten ? Buffer.from(renameKeys(text, places, formerKeys)) : bytes;
  if (isRewritten) rewrite(file, bytes, now);
  const examined = isRewritten ? await examineDocument(now) : found;
  const problems = [
    ...examined.problems,
    ...(examined.policy === null ? [] : await inspect(examined.policy)),
  ];
  return {
    file,
    problems: atPlaces(now, examined, problems),
    formerKeys: atPlaces(bytes, found, formerKeys),
    isRewritten,
    isAmbiguous: found.isAmbiguous,
  };
}

/** `null` where the text is no JSON, or what it says is not sure. */
function locatorOf(bytes: Buffer, { isDocument }: Examined): Located | null {
  return isDocument ? locate(bytes.toString()) : null;
}

function atPlaces<T extends { readonly path: string; readonly message?: string }>(
  bytes: Buffer,
  examined: Examined,
  items: readonly T[],
): (T & Place)[] {
  const root = locatorOf(bytes, examined);
  const text = bytes.toString();
  return items.map((item) => {
    if (root !== null) return { ...item, ...placeOf(text, findPath(root, item.path).at) };
    // A fault of syntax says itself where it is.
    const [, line, column] = /\(line (\d+) column (\d+)\)/.exec(item.message ?? '') ?? [];
    return {
      ...item,
      line: line === undefined ? null : Number(line),
      column: column === undefined ? null : Number(column),
    };
  });
}

/** The text with other names in the place of keys, and nothing else changed. */
function renameKeys(text: string, root: Located, keys: readonly FormerKey[]): string {
  const last = (path: string): string => path.slice(path.lastIndexOf('.') + 1);
  return (
    keys
      .map((key) => ({ ...findPath(root, key.path), before: last(key.path), name: last(key.now) }))
      // Nothing is replaced that is not the key itself.
      .filter(({ at, end, before }) => JSON.parse(text.slice(at, end)) === before)
      .sort((one, other) => other.at - one.at)
      .reduce((done, { at, end, name }) => `${done.slice(0, at)}"${name}"${done.slice(end)}`, text)
  );
}

function rewrite(file: string, before: Buffer, now: Buffer): void {
  try {
    const real = realpathSync(file);
    using folder = Folder.openResolved(dirname(real));
    replaceFile(folder, basename(real), before, now);
  } catch (error) {
    const { reason } = toPathError(error, file) as PathError;
    throw new LurkboxError(
      'POLICY_INVALID',
      `The policy file ${quotePath(file)} cannot be written (${reason}); nothing was changed.`,
      { cause: error },
    );
  }
}
