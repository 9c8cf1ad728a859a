import type { Problem } from '../errors.ts';
import { toNewNames } from '../former-names.ts';

/** What 1.x called keys of the policy. Each is accepted until 2.0, with one warning. */
export const FORMER_KEYS = {
  policy: new Map([['runtime', 'oci_runtime']]),
  /** Under `plugins.<name>`. */
  plugin: new Map([
    ['runtime', 'oci_runtime'],
    ['record', 'record_calls'],
  ]),
} as const;

/** A key that a policy has under its former name; both are dotted paths. */
export interface FormerKey {
  readonly path: string;
  readonly now: string;
}

export interface RenamedKeys {
  readonly value: unknown;
  readonly formerKeys: readonly FormerKey[];
  /** One for each key that is there under both names. */
  readonly problems: readonly Problem[];
}

/** A policy as it was written, under the names of today. Pure. */
export function toNewKeys(written: unknown): RenamedKeys {
  if (!isObject(written)) return { value: written, formerKeys: [], problems: [] };
  const parts = [renameIn(written, '', FORMER_KEYS.policy)];
  let { value } = parts[0] as RenamedKeys;
  const plugins = (value as { plugins?: unknown }).plugins;
  if (isObject(plugins)) {
    const rules = Object.entries(plugins).map(([name, own]) => {
      const part = isObject(own)
        ? renameIn(own, `plugins.${name}.`, FORMER_KEYS.plugin)
        : { value: own, formerKeys: [], problems: [] };
      parts.push(part);
      return [name, part.value];
    });
    if (parts.slice(1).some(({ formerKeys }) => formerKeys.length > 0))
      value = { ...(value as object), plugins: Object.fromEntries(rules) };
  }
  return {
    value,
    formerKeys: parts.flatMap(({ formerKeys }) => formerKeys),
    problems: parts.flatMap(({ problems }) => problems),
  };
}

/** Problems of what `toNewKeys` answered, at the paths of what was written. */
export function atWrittenPaths(problems: readonly Problem[], keys: readonly FormerKey[]): readonly Problem[] {
  return problems.map((problem) => {
    const key = keys.find(({ now }) => problem.path === now || problem.path.startsWith(`${now}.`));
    return key === undefined ? problem : { ...problem, path: key.path + problem.path.slice(key.now.length) };
  });
}

function renameIn(written: object, prefix: string, names: ReadonlyMap<string, string>): RenamedKeys {
  const { value, found, problems } = toNewNames(written, names);
  return {
    value,
    formerKeys: found.map(([before, now]) => ({ path: prefix + before, now: prefix + now })),
    problems: problems.map(({ path, message }) => ({ path: prefix + path, message })),
  };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
