import type { Problem } from './errors.ts';
import type { Logger } from './logger.ts';

/** Names that earlier versions had, and the name of each today. Both at once are refused. */
export type FormerNames = ReadonlyMap<string, string>;

/** What 1.x called options and methods. Each is accepted until 2.0, with one warning. */
export const FORMER_NAMES = {
  /** Of `createLurkbox`. */
  options: new Map([
    ['maxKept', 'maxReused'],
    ['maxKeptPerPlugin', 'maxReusedPerPlugin'],
  ]),
  /** Of `activatePlugin`. */
  activateOptions: new Map([['trial', 'canary']]),
  /** Of the plugin manager. */
  methods: new Map([
    ['usePlugin', 'activatePlugin'],
    ['hint', 'prewarm'],
    ['require', 'getOrThrow'],
    ['newest', 'newestVersion'],
    ['executePlugins(context, names, options)', 'executePlugins(context, { names, ...options })'],
  ]),
  /** Of `lurkbox use`. */
  flags: new Map([
    ['--trial', '--canary'],
    ['--trial-calls', '--canary-calls'],
  ]),
} as const satisfies Readonly<Record<string, FormerNames>>;

export interface Renamed<T> {
  readonly value: T;
  /** Former names that were found, each with its name of today. */
  readonly found: readonly (readonly [before: string, now: string])[];
  /** One for each name that is there under both. */
  readonly problems: readonly Problem[];
}

/** The same object under the names of today; keys keep their order. */
export function toNewNames<T extends object>(written: T, names: FormerNames): Renamed<T> {
  if (![...names.keys()].some((before) => Object.hasOwn(written, before)))
    return { value: written, found: [], problems: [] };
  // What is not defined is not given, under either name.
  const given = new Map(Object.entries(written).filter(([, value]) => value !== undefined));
  const found = [...names].filter(([before]) => given.has(before));
  const problems = found
    .filter(([, now]) => given.has(now))
    .map(([path, now]) => ({ path, message: describeBoth(now) }));
  const entries = [...given].map(([key, value]) => [names.get(key) ?? key, value]);
  return { value: Object.fromEntries(entries) as T, found, problems };
}

function describeBoth(now: string): string {
  return `is the earlier name of \`${now}\`, which is given too; leave it out`;
}

/** Warns once of each former name. */
export class FormerNameWarnings {
  readonly #logger: Logger;
  readonly #told = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  warn(what: 'option' | 'method', before: string, now: string): void {
    if (this.#told.has(before)) return;
    this.#told.add(before);
    this.#logger.warn({ [what]: before, now }, WARNINGS[what]);
  }
}

const WARNINGS = {
  option: 'an option has another name now',
  method: 'a method has another name now',
} as const;
