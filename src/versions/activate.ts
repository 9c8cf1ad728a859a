import { LurkboxError } from '../errors.ts';
import { missingConsent } from './agreed.ts';
import { FOLDER_GONE } from './install/retain.ts';
import type { Uninstaller } from './install/uninstall.ts';
import type { LifecycleRecorder } from './lifecycle-recorder.ts';
import type { InstalledVersion, PluginRecord } from './registry/record.ts';
import type { PluginRegistry } from './registry/registry.ts';
import { assertInOrder, callableBefores, describeVersions, isCallable } from './resolve.ts';
import type { SandboxCache } from './sandbox-cache.ts';

export interface ActivationOptions {
  readonly registry: PluginRegistry;
  readonly sandboxes: SandboxCache;
  readonly uninstaller: Uninstaller;
  readonly recorder: LifecycleRecorder;
}

export type ActivationReason = 'ACTIVATE' | 'RELOAD' | 'ROLLBACK';

/** Makes versions the default of their plugins: those that serve the calls which name none. */
export class Activation {
  readonly #options: ActivationOptions;

  constructor(options: ActivationOptions) {
    this.#options = options;
  }

  /**
   * From the next call on this version serves; what executes goes on to its end on the version that it began with.
   * @throws LurkboxError `CONSENT_NEEDED` with what nobody agreed to, `STATE_INVALID` for a version in state `ERROR`
   */
  activate(version: InstalledVersion, reason: ActivationReason, message?: string): InstalledVersion {
    const { registry, sandboxes, uninstaller, recorder } = this.#options;
    const { name, id } = version;
    const { active: seen, canary } = this.#require(name);
    if (seen?.id === id && seen.state !== 'LOADED' && seen.state !== 'ERROR') {
      // Activating the active version cancels a running canary.
      if (canary !== null) registry.setCanary(name, null);
      return seen;
    }
    this.assertReady(version);
    // What may throw comes before what is there goes.
    sandboxes.refresh({ ...version, state: stateAfter(version, seen) });
    try {
      const { before, activated } = registry.transaction(() => this.#switch(version));
      recorder.tell(reason, activated, {
        message: message ?? describeSwitch(before, activated),
        metadata: { before: before?.version ?? null },
      });
      if (before === null) recorder.tell(activated.state === 'ENABLED' ? 'ENABLE' : 'DISABLE', activated);
      sandboxes.follow(name, registry.get(name));
      uninstaller.tidy(name);
      return activated;
    } catch (error) {
      void sandboxes.retire(id);
      throw error;
    }
  }

  /** Under the write lock: another process may have switched meanwhile. */
  #switch({ name, id }: InstalledVersion): { before: InstalledVersion | null; activated: InstalledVersion } {
    const { registry } = this.#options;
    const { active: before, canary, versions } = this.#require(name);
    const version = versions.find((one) => one.id === id);
    if (version === undefined)
      throw new LurkboxError('PLUGIN_NOT_FOUND', `\`${name}\` was unloaded meanwhile.`);
    this.assertReady(version);
    if (before !== null && before.id !== id && before.state !== 'ERROR')
      registry.setState(before.id, 'stepBack');
    if (canary !== null) registry.setCanary(name, null);
    registry.activate(name, id);
    const isEnabled = stateAfter(version, before) === 'ENABLED';
    return { before, activated: registry.setState(id, isEnabled ? 'enable' : 'disable') };
  }

  /** Another chance for a version that did not do well; one whose folder is gone has to come back with it. */
  revive(version: InstalledVersion): InstalledVersion {
    if (version.state !== 'ERROR' || version.reason === FOLDER_GONE) return version;
    const revived = this.#options.registry.setState(version.id, 'load');
    this.#options.recorder.tell('LOAD', revived, { message: 'for another canary' });
    return revived;
  }

  /**
   * Whether a version may become active.
   * @throws LurkboxError `CONSENT_NEEDED` with what nobody agreed to, `STATE_INVALID` for a version in state `ERROR`
   */
  assertReady(version: InstalledVersion): void {
    const full = `${version.name}@${version.version}`;
    assertInOrder(version);
    const record = this.#options.registry.get(version.name);
    const changes = record === null ? [] : missingConsent(record, version);
    if (changes.length === 0) return;
    throw new LurkboxError(
      'CONSENT_NEEDED',
      `\`${full}\` is installed and not active: it asks for more than somebody agreed to. Look at it with \`lurkbox consent ${full}\`.`,
      {
        problems: changes.map(({ path, consented, asked }) => ({
          path,
          message: `agreed to: ${consented}; asks for: ${asked}`,
        })),
      },
    );
  }

  /**
   * The version that was active before serves again.
   * @throws LurkboxError `STATE_INVALID` when there is none that can
   */
  rollback(name: string, message?: string): InstalledVersion {
    const record = this.#require(name);
    const [before] = callableBefores(record);
    if (before === undefined)
      throw new LurkboxError(
        'STATE_INVALID',
        `No other version of \`${name}\` that may serve was active before; installed are: ${describeVersions(record)}.`,
      );
    return this.activate(before, 'ROLLBACK', message);
  }

  /** From the next call on the active version may be called. @throws LurkboxError `STATE_INVALID` */
  enable(name: string): InstalledVersion {
    return this.#setState(name, 'enable', 'ENABLE');
  }

  /** From the next call on it refuses its calls; what executes goes on to its end. @throws LurkboxError `STATE_INVALID` */
  disable(name: string): InstalledVersion {
    return this.#setState(name, 'disable', 'DISABLE');
  }

  #setState(name: string, step: 'enable' | 'disable', event: 'ENABLE' | 'DISABLE'): InstalledVersion {
    const { registry, sandboxes, recorder } = this.#options;
    const active = registry.get(name)?.active ?? null;
    if (active === null)
      throw new LurkboxError('STATE_INVALID', `No version of \`${name}\` is active; \`use\` one first.`);
    const changed = registry.setState(active.id, step);
    if (changed.state !== active.state) recorder.tell(event, changed);
    // Its containers wait from now on, or do not any more.
    sandboxes.refresh(changed);
    return changed;
  }

  /**
   * For a folder that is gone: what came from it takes no calls any more, and another version serves where there is one. It is
   * still known, with what was agreed to: the folder may come back.
   */
  async takeOut(folder: string): Promise<void> {
    const { registry, sandboxes, recorder } = this.#options;
    for (const record of registry.list()) {
      const { versions, active } = record;
      if (active?.origin.path !== folder || active.state === 'DISABLED' || active.state === 'ERROR') continue;
      const other = versions.find((one) => one.origin.path !== folder && isCallable(record, one));
      if (other !== undefined) {
        this.activate(other, 'ACTIVATE', `${folder} is gone`);
        continue;
      }
      registry.setState(active.id, 'fail', FOLDER_GONE);
      recorder.tell('ERROR', active, { error: FOLDER_GONE });
      await sandboxes.retire(active.id);
    }
  }

  #require(name: string): PluginRecord {
    const record = this.#options.registry.get(name);
    if (record !== null) return record;
    throw new LurkboxError('PLUGIN_NOT_FOUND', `No plugin \`${name}\` is installed.`);
  }
}

/** A new version goes on as the one before was; its author may take it out of service, and only an operator puts it back. */
function stateAfter(version: InstalledVersion, before: InstalledVersion | null): 'ENABLED' | 'DISABLED' {
  if (before?.state === 'DISABLED') return 'DISABLED';
  const wasMeant = before === null || before.manifest.enabled;
  return version.manifest.enabled || !wasMeant ? 'ENABLED' : 'DISABLED';
}

function describeSwitch(before: InstalledVersion | null, now: InstalledVersion): string {
  if (before === null) return 'the first one';
  return before.id === now.id ? 'again' : `instead of ${before.version}`;
}
