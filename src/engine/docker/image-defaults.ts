import type { ImageDefaults } from '../engine.ts';

/** What lurkbox sets in its images itself; labels are told apart from these. */
const KNOWN: ReadonlySet<string> = new Set(['User', 'WorkingDir', 'Entrypoint', 'Env', 'Labels']);

/** The config of an image in our words. An engine may fill in what is not set with something empty. */
export function toImageDefaults(config: unknown): ImageDefaults {
  const all = (config ?? {}) as Readonly<Record<string, unknown>>;
  return {
    user: String(all['User'] ?? ''),
    workingDir: String(all['WorkingDir'] ?? ''),
    entrypoint: toTexts(all['Entrypoint']),
    env: toTexts(all['Env']),
    others: Object.entries(all).flatMap(([name, value]) => (KNOWN.has(name) || isEmpty(value) ? [] : [name])),
  };
}

function toTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === '' || value === false || value === 0;
}
