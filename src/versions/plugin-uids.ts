import { LurkboxError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { toPluginPolicy } from '../policy/plugin-policy.ts';
import type { Policy } from '../policy/schema.ts';
import { chooseUid, isInRange } from '../policy/uids.ts';
import type { PluginRegistry } from './registry/registry.ts';

export interface PluginUidsOptions {
  readonly registry: Pick<PluginRegistry, 'list' | 'get' | 'setUid' | 'transaction'>;
  readonly policy: Policy;
  /** Names the workspace; plugins of another one begin to look for a number elsewhere. */
  readonly workspace: string;
  /** Whether a user or group of the host has the number. */
  readonly isHostAccount: (uid: number) => boolean;
  readonly logger: Logger;
}

/**
 * Gives each plugin the number of a user that nobody else has, once and for all: what the kernel counts by user (watches,
 * pending signals, pages of pipes) and what is written to a mount is then the plugin's alone, in each of its calls.
 */
export class PluginUids {
  readonly #options: PluginUidsOptions;
  /** Where the registry cannot be written. */
  readonly #unstored = new Map<string, number>();

  constructor(options: PluginUidsOptions) {
    this.#options = options;
  }

  /** @throws LurkboxError `POLICY_INVALID` when the range has no number left */
  uidOf(plugin: string): number {
    const pinned = toPluginPolicy(this.#options.policy, plugin).uid;
    if (pinned !== null) return pinned;
    const known = this.#options.registry.get(plugin)?.uid ?? this.#unstored.get(plugin) ?? null;
    if (known !== null && this.#isUsable(known)) return known;
    return this.#give(plugin, known);
  }

  #give(plugin: string, before: number | null): number {
    const { registry, logger } = this.#options;
    if (before !== null) {
      const reason = 'its number is a user of the host by now, or outside of `uids`';
      logger.warn({ plugin, uid: before, reason }, 'a plugin gets another user id');
    }
    try {
      return registry.transaction(() => {
        // Another process may have been faster.
        const stored = registry.get(plugin)?.uid ?? null;
        if (stored !== null && this.#isUsable(stored)) return stored;
        const uid = this.#choose(plugin);
        registry.setUid(plugin, uid);
        return uid;
      });
    } catch (error) {
      if (error instanceof LurkboxError && error.code === 'POLICY_INVALID') throw error;
      // The same will be chosen the next time, as long as nobody takes it meanwhile.
      const uid = this.#choose(plugin);
      this.#unstored.set(plugin, uid);
      logger.debug({ err: error, plugin, uid }, 'the user id of a plugin could not be written down');
      return uid;
    }
  }

  #choose(plugin: string): number {
    const { policy, workspace } = this.#options;
    const taken = this.#taken(plugin);
    const isTaken = (uid: number): boolean => taken.has(uid) || !this.#isUsable(uid);
    const uid = chooseUid(policy.uids, { workspace, plugin }, isTaken);
    if (uid !== null) return uid;
    const { first, last } = policy.uids;
    throw new LurkboxError('POLICY_INVALID', `No user id is left for \`${plugin}\`.`, {
      problems: [
        { path: 'uids', message: `expected a free number from ${first} to ${last}; name a wider range` },
      ],
    });
  }

  /** Those of all other plugins. */
  #taken(plugin: string): Set<number> {
    const { registry, policy } = this.#options;
    const stored = registry.list().filter(({ name }) => name !== plugin);
    const pinned = Object.values(policy.plugins).flatMap(({ uid }) => uid ?? []);
    const unstored = [...this.#unstored].filter(([name]) => name !== plugin).map(([, uid]) => uid);
    return new Set([...stored.flatMap(({ uid }) => uid ?? []), ...pinned, ...unstored]);
  }

  #isUsable(uid: number): boolean {
    return isInRange(uid, this.#options.policy.uids) && !this.#options.isHostAccount(uid);
  }
}
