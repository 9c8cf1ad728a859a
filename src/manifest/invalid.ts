import { limitProblems } from '../documents/problems.ts';
import { LurkboxError, type Problem } from '../errors.ts';
import { quotePath } from '../printable.ts';

/** A plugin folder that cannot be loaded, with everything that is wrong with it. */
export function invalid(folder: string, problems: readonly Problem[]): LurkboxError {
  const message = `The plugin in ${quotePath(folder)} breaks the rules of the manifest.`;
  return new LurkboxError('MANIFEST_INVALID', message, { problems: limitProblems(problems) });
}
