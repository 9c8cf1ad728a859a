import type { ExecuteOptions } from '../calls/call.ts';
import { LurkboxError } from '../errors.ts';
import { FORMER_NAMES, FormerNameWarnings, toNewNames } from '../former-names.ts';
import type { Logger } from '../logger.ts';
import type { InstalledVersion } from './registry/record.ts';
import type { Replay } from './rollout/replay.ts';
import type { ActivateOptions } from './rollout/rollout.ts';
import type { PluginInstance } from './version-grants.ts';

export interface ExecutePluginsOptions extends ExecuteOptions {
  /** Names or references of plugins. @default all that are enabled */
  readonly names?: readonly string[];
}

/** What 1.0 called methods and options of the plugin manager. All of this goes with 2.0. */
export abstract class FormerMethods {
  readonly #warnings: FormerNameWarnings;

  constructor(logger: Logger) {
    this.#warnings = new FormerNameWarnings(logger);
  }

  abstract activatePlugin(written: string, options?: ActivateOptions): Promise<Replay | null>;
  abstract prewarm(written: string, size: number): Promise<number>;
  abstract getOrThrow(written: string): PluginInstance;
  abstract newestVersion(written: string): InstalledVersion;

  /** @deprecated Named `activatePlugin`. */
  usePlugin(written: string, options: ActivateOptions = {}): Promise<Replay | null> {
    this.#warnOf('usePlugin');
    return this.activatePlugin(written, options);
  }

  /** @deprecated Named `prewarm`. */
  hint(written: string, size: number): Promise<number> {
    this.#warnOf('hint');
    return this.prewarm(written, size);
  }

  /** @deprecated Named `getOrThrow`. */
  require(written: string): PluginInstance {
    this.#warnOf('require');
    return this.getOrThrow(written);
  }

  /** @deprecated Named `newestVersion`. */
  newest(written: string): InstalledVersion {
    this.#warnOf('newest');
    return this.newestVersion(written);
  }

  /** `trial` as `canary`. @throws LurkboxError `OPTIONS_INVALID` where both are given */
  protected underNewNames(options: ActivateOptions): Omit<ActivateOptions, 'trial'> {
    const { value, found, problems } = toNewNames(options, FORMER_NAMES.activateOptions);
    if (problems.length > 0)
      throw new LurkboxError('OPTIONS_INVALID', 'The options are not usable.', { problems });
    for (const [before, now] of found) this.#warnings.warn('option', before, now);
    return value;
  }

  /** The names of plugins as a list before the options, too. */
  protected withNames(
    given: ExecutePluginsOptions | readonly string[] = {},
    former: ExecuteOptions | undefined,
  ): ExecutePluginsOptions {
    if (!isList(given) && former === undefined) return given;
    this.#warnOf('executePlugins(context, names, options)');
    return { ...former, ...(isList(given) ? { names: given } : given) };
  }

  #warnOf(method: string): void {
    this.#warnings.warn('method', method, FORMER_NAMES.methods.get(method) as string);
  }
}

function isList(given: object): given is readonly string[] {
  return Array.isArray(given);
}
