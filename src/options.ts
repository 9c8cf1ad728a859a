import { LurkboxError, type Problem } from './errors.ts';
import { FORMER_NAMES, FormerNameWarnings, toNewNames } from './former-names.ts';
import type { ImageProgress } from './image/image-store.ts';
import { type Logger, SILENT_LOGGER, toSafeLogger } from './logger.ts';
import { withoutLinks } from './storage/path-steps.ts';

/** What a caller of `createLurkbox` writes; everything may be left out. */
export interface LurkboxOptions {
  /**
   * Plugins are found in its `plugins/`; what lurkbox keeps goes to its `.lurkbox/`. Links on the way to it are followed once,
   * here, and none below it. @default the current folder
   */
  readonly workspaceRoot?: string;
  /**
   * Whether what is known of plugins (versions, states, consent, statistics, events, audit log) is kept in `.lurkbox/`, with a
   * copy of their files; else for this process only, and files are read where they lie. @default true
   */
  readonly persist?: boolean;
  /** Path of a policy file, or the policy itself. @default `lurkbox.policy.json` of the workspace if it exists, else the default policy */
  readonly policy?: string | object;
  /** Any pino-shaped logger; what it throws changes nothing. @default silent */
  readonly logger?: Logger;
  /**
   * How many executions may run at once, over all plugins; waiting and reused containers come on top. Where more
   * than one plugin is installed, a plugin leaves an eighth of them to the others; below 4 there is no such reserve. @default 16
   */
  readonly concurrency?: number;
  /**
   * How many executions may wait for a slot or for the turn of their session. Beyond that the next one is `BUSY`, or, where its
   * plugin has fewer waiting, the newest one of the plugin that has most. @default 1000
   */
  readonly maxQueue?: number;
  /**
   * Megabytes that the grants of all containers together may come to. @default the memory of the engine's host, less 96 MB of
   * kernel memory for each of `concurrency`, which no limit of a container counts, and at most a quarter of the host's
   */
  readonly maxMemoryMb?: number;
  /** Cores that the grants of all containers together may come to. @default no limit: quotas share the cores */
  readonly maxCpuCores?: number;
  /** Containers that may wait for calls, over all plugins; 0: none is started before its call. @default 32 */
  readonly maxWarm?: number;
  /**
   * Megabytes that the grants of all waiting containers together may come to; never more than what all containers may have.
   * @default 4096, or `maxMemoryMb` if that is less
   */
  readonly maxWarmMemoryMb?: number;
  /** Seconds after which a container that waits is replaced by a new one. @default 300 */
  readonly maxWarmSeconds?: number;
  /** @deprecated Named `maxReused`. */
  readonly maxKept?: number;
  /** @deprecated Named `maxReusedPerPlugin`. */
  readonly maxKeptPerPlugin?: number;
  /** @deprecated Has no effect: every container is removed after its last execution. */
  readonly maxParked?: number;
  /** Containers that may be there to be reused by later calls, over all plugins; the one not used for longest is ended first. @default 32 */
  readonly maxReused?: number;
  /** Of these, containers of one plugin. @default 16, or `maxReused` if that is less */
  readonly maxReusedPerPlugin?: number;
  /** Told when something slow begins or ends while an image is built. */
  readonly onImageProgress?: (progress: ImageProgress) => void;
  /** Where it is read which engine to use, as Docker's command line reads it, and what the host's programs are given. @default process.env */
  readonly env?: NodeJS.ProcessEnv;
}

/** The options, complete. */
export interface LurkboxConfig {
  /** Absolute, and without links where it is there. */
  readonly workspaceRoot: string;
  readonly persist: boolean;
  readonly policy: string | object | undefined;
  readonly logger: Logger;
  readonly concurrency: number;
  readonly maxQueue: number;
  readonly maxMemoryMb: number | undefined;
  readonly maxCpuCores: number;
  readonly maxWarm: number;
  readonly maxWarmMemoryMb: number;
  readonly maxWarmSeconds: number;
  readonly maxReused: number;
  readonly maxReusedPerPlugin: number;
  readonly onImageProgress: (progress: ImageProgress) => void;
  readonly env: NodeJS.ProcessEnv;
}

/** @throws LurkboxError `OPTIONS_INVALID` with every problem */
export function normalizeOptions(written: LurkboxOptions = {}): LurkboxConfig {
  const { value: options, found, problems: twiceNamed } = toNewNames(written, FORMER_NAMES.options);
  const config: LurkboxConfig = {
    workspaceRoot: withoutLinks(options.workspaceRoot ?? '.'),
    persist: options.persist ?? true,
    policy: options.policy,
    logger: options.logger === undefined ? SILENT_LOGGER : toSafeLogger(options.logger),
    concurrency: options.concurrency ?? 16,
    maxQueue: options.maxQueue ?? 1000,
    maxMemoryMb: options.maxMemoryMb,
    maxCpuCores: options.maxCpuCores ?? Number.POSITIVE_INFINITY,
    maxWarm: options.maxWarm ?? 32,
    maxWarmMemoryMb: options.maxWarmMemoryMb ?? Math.max(1, Math.min(4096, options.maxMemoryMb ?? 4096)),
    maxWarmSeconds: options.maxWarmSeconds ?? 300,
    maxReused: options.maxReused ?? 32,
    maxReusedPerPlugin: options.maxReusedPerPlugin ?? Math.max(1, Math.min(16, options.maxReused ?? 16)),
    onImageProgress: options.onImageProgress ?? (() => {}),
    env: options.env ?? process.env,
  };
  const problems = [
    ...twiceNamed,
    ...unknownOptions(options, config),
    ...wholeNumber('concurrency', config.concurrency, 1, 1024),
    ...wholeNumber('maxQueue', config.maxQueue, 0, 1_000_000),
    ...(config.maxMemoryMb === undefined
      ? []
      : wholeNumber('maxMemoryMb', config.maxMemoryMb, 1, 1024 * 1024 * 1024)),
    ...wholeNumber('maxWarm', config.maxWarm, 0, 1024),
    ...warmMemoryProblems(config),
    ...wholeNumber('maxWarmSeconds', config.maxWarmSeconds, 1, 86_400),
    ...wholeNumber('maxReused', config.maxReused, 1, 1024),
    ...wholeNumber(
      'maxReusedPerPlugin',
      config.maxReusedPerPlugin,
      1,
      config.maxReused >= 1 ? config.maxReused : 1024,
    ),
    ...(config.maxCpuCores > 0
      ? []
      : [{ path: 'maxCpuCores', message: `expected a number above 0, got ${String(config.maxCpuCores)}` }]),
    ...(typeof config.persist === 'boolean'
      ? []
      : [{ path: 'persist', message: `expected true or false, got ${String(config.persist)}` }]),
    ...loggerProblems(options.logger ?? SILENT_LOGGER),
  ];
  if (problems.length > 0)
    throw new LurkboxError('OPTIONS_INVALID', 'The options are not usable.', { problems });
  const warnings = new FormerNameWarnings(config.logger);
  for (const [before, now] of found) warnings.warn('option', before, now);
  warnOfOptionsGone(written, config.logger);
  return Object.freeze(config);
}

/** Options of earlier versions that have no effect any more, with the reason. */
const GONE: Readonly<Record<string, string>> = {
  maxParked: 'every container is removed after its last execution',
};

function warnOfOptionsGone(written: object, logger: Logger): void {
  for (const [option, reason] of Object.entries(GONE))
    if (Object.hasOwn(written, option))
      logger.warn({ option, reason }, 'an option has no effect any more; leave it out');
}

// A typo would otherwise silently be a default.
function unknownOptions(options: object, config: LurkboxConfig): Problem[] {
  return Object.keys(options)
    .filter((key) => !Object.hasOwn(config, key) && !Object.hasOwn(GONE, key))
    .map((path) => ({ path, message: `unknown option; known are ${Object.keys(config).join(', ')}` }));
}

function wholeNumber(path: string, value: number, min: number, max: number): Problem[] {
  if (Number.isInteger(value) && value >= min && value <= max) return [];
  return [{ path, message: `expected a whole number from ${min} to ${max}, got ${String(value)}` }];
}

function warmMemoryProblems({ maxWarmMemoryMb, maxMemoryMb }: LurkboxConfig): Problem[] {
  if (maxMemoryMb === undefined || maxMemoryMb < 1 || maxWarmMemoryMb <= maxMemoryMb)
    return wholeNumber('maxWarmMemoryMb', maxWarmMemoryMb, 1, 1024 * 1024 * 1024);
  const message = `expected at most the ${maxMemoryMb} MB of \`maxMemoryMb\`, got ${maxWarmMemoryMb} MB`;
  return [{ path: 'maxWarmMemoryMb', message }];
}

function loggerProblems(logger: Logger): Problem[] {
  const missing = (['debug', 'info', 'warn', 'error', 'child'] as const).filter(
    (method) => typeof logger[method] !== 'function',
  );
  return missing.length === 0
    ? []
    : [{ path: 'logger', message: `expected a pino-shaped logger; it has no ${missing.join(', ')}` }];
}
