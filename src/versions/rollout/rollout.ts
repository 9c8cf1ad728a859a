import { parseContext } from '../../calls/context.ts';
import { LurkboxError } from '../../errors.ts';
import type { Activation } from '../activate.ts';
import type { Executor } from '../executor.ts';
import type { PackageLocks } from '../install/package-locks.ts';
import { parseReference } from '../reference.ts';
import type { InstalledVersion } from '../registry/record.ts';
import type { PluginRegistry } from '../registry/registry.ts';
import { assertOneContent, type Resolver } from '../resolve.ts';
import type { SandboxCache } from '../sandbox-cache.ts';
import { type Replay, ReplayError, replayCalls } from './replay.ts';

export interface CanaryOptions {
  /** Above 0 and below 1. */
  readonly share: number;
  /** This many calls of the new version decide. @default 20 */
  readonly calls?: number;
}

export interface ActivateOptions {
  /** Give it a share of the calls that name no version first; it becomes active when it fails no more often. */
  readonly canary?: CanaryOptions;
  /** @deprecated Named `canary`. */
  readonly trial?: CanaryOptions;
  /** Execute the recorded calls on it first; it becomes active when none of them is answered worse. */
  readonly replay?: boolean;
  readonly signal?: AbortSignal;
}

export interface RolloutOptions {
  readonly registry: PluginRegistry;
  readonly resolver: Resolver;
  readonly activation: Activation;
  readonly executor: Executor;
  readonly locks: PackageLocks;
  readonly sandboxes: SandboxCache;
}

const DEFAULT_CANARY_CALLS = 20;

/** Makes versions active: at once, after the recorded calls went well on them, or when a share of the calls has. */
export class Rollout {
  readonly #options: RolloutOptions;

  constructor(options: RolloutOptions) {
    this.#options = options;
  }

  /**
   * Answers the replay, where there was one. A version in state `ERROR` gets another chance as a canary.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, `OPTIONS_INVALID`, `CONSENT_NEEDED`, or `STATE_INVALID` when the replay did not go well or nothing is recorded
   */
  async begin(written: string, { canary, replay, signal }: ActivateOptions): Promise<Replay | null> {
    const { activation, locks } = this.#options;
    if (canary !== undefined) assertCanary(canary);
    const named = this.#find(written, canary !== undefined);
    const version = await locks.ensure(canary === undefined ? named : activation.revive(named), signal);
    const replayed = replay === true ? await this.#replay(version, signal) : null;
    if (canary === undefined) activation.activate(version, 'ACTIVATE');
    else await this.#beginCanary(version, canary, signal);
    return replayed;
  }

  /** A canary is the other chance of a version in state `ERROR`. */
  #find(written: string, isCanary: boolean): InstalledVersion {
    const { resolver, registry } = this.#options;
    const version = resolver.find(parseReference(written));
    const versions = registry.get(version.name)?.versions ?? [];
    assertOneContent(
      written,
      versions.filter(({ state }) => isCanary || state !== 'ERROR'),
    );
    return version;
  }

  async #beginCanary(
    version: InstalledVersion,
    { share, calls = DEFAULT_CANARY_CALLS }: CanaryOptions,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { activation, registry, sandboxes } = this.#options;
    activation.assertReady(version);
    const { active = null } = registry.get(version.name) ?? {};
    if (active === null || active.id === version.id)
      throw new LurkboxError(
        'STATE_INVALID',
        `A canary is compared with the active version, and ${active === null ? 'none is active' : 'this one is active'}.`,
      );
    // Nobody's call should be the one that waits for the image.
    await sandboxes.prepare(version, signal);
    registry.setCanary(version.name, { versionId: version.id, share, calls });
  }

  async #replay(version: InstalledVersion, signal: AbortSignal | undefined): Promise<Replay> {
    const { registry, executor, activation } = this.#options;
    const { name } = version;
    activation.assertReady(version);
    const recorded = registry.recordedCalls(name).filter(({ versionId }) => versionId !== version.id);
    if (recorded.length === 0)
      throw new LurkboxError(
        'STATE_INVALID',
        `No calls of other versions of \`${name}\` are recorded yet; they are where \`plugins.${name}.record_calls\` in the policy is true.`,
      );
    const replay = await replayCalls(version, recorded, (context) =>
      executor.executeVersion(version, parseContext(context), signal === undefined ? {} : { signal }),
    );
    signal?.throwIfAborted();
    if (replay.worse === 0) return replay;
    throw new ReplayError(name, replay);
  }
}

/** @throws LurkboxError `OPTIONS_INVALID` */
function assertCanary({ share, calls = DEFAULT_CANARY_CALLS }: CanaryOptions): void {
  if (share > 0 && share < 1 && Number.isInteger(calls) && calls >= 1) return;
  throw new LurkboxError(
    'OPTIONS_INVALID',
    `Expected a share above 0 and below 1 and a whole number of calls, got ${share} and ${calls}.`,
  );
}
