import { LurkboxError } from '../errors.ts';
import type { ImageStore } from '../image/image-store.ts';
import type { Logger } from '../logger.ts';
import type { Policy } from '../policy/schema.ts';
import { FOLDER_GONE, type PluginLoader } from './install/install.ts';
import { surplusOf } from './install/retain.ts';
import type { LifecycleRecorder } from './lifecycle-recorder.ts';
import type { InstalledVersion, PluginRecord } from './registry/record.ts';
import type { PluginRegistry } from './registry/registry.ts';
import { describeVersions, isCallable } from './resolve.ts';
import type { SandboxCache } from './sandbox-cache.ts';

export interface ActivationOptions {
  readonly registry: PluginRegistry;
  readonly loader: PluginLoader;
  readonly sandboxes: SandboxCache;
  readonly images: () => Promise<ImageStore>;
  readonly policy: Policy;
  readonly recorder: LifecycleRecorder;
  readonly logger: Logger;
}

export type ActivationReason = 'ACTIVATE' | 'RELOAD' | 'ROLLBACK';

/** Decides which version of a plugin serves the calls that name none, and lets go of what is not needed after that. */
export class Activation {
  readonly #options: ActivationOptions;
  /** What is on its way out. */
  readonly #leaving = new Set<Promise<void>>();

  constructor(options: ActivationOptions) {
    this.#options = options;
  }

  /**
   * From the next call on this version serves; what executes goes on to its end on the version that it began with.
   * @throws LurkboxError `CONSENT_NEEDED` with what nobody agreed to, `STATE_INVALID` for a version in state `ERROR`
   */
  activate(version: InstalledVersion, reason: ActivationReason, message?: string): InstalledVersion {
    const { registry, sandboxes, recorder } = this.#options;
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
      this.tidy(name);
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
    const changes = this.#options.loader.missingConsent(version);
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
    const [before] = this.beforesOf(record);
    if (before === undefined)
      throw new LurkboxError(
        'STATE_INVALID',
        `No other version of \`${name}\` that may serve was active before; installed are: ${describeVersions(record)}.`,
      );
    return this.activate(before, 'ROLLBACK', message);
  }

  /** Versions that were active before and may serve, latest first: a rollback goes to the first of them. */
  beforesOf(record: PluginRecord): readonly InstalledVersion[] {
    const { active, activeBefore, versions } = record;
    return activeBefore
      .flatMap((id) => versions.find((version) => version.id === id) ?? [])
      .filter((version) => version.id !== active?.id && isCallable(record, version));
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

  /** Somebody agrees to all that a version asks for, beside what was agreed to before. */
  consent(version: InstalledVersion): void {
    const { registry, recorder, loader } = this.#options;
    const changes = loader.missingConsent(version);
    if (changes.length === 0) return;
    assertInOrder(version);
    const { name, digest, manifest } = version;
    registry.transaction(() => {
      const { consents, versions } = this.#require(name);
      if (!versions.some(({ id }) => id === version.id))
        throw new LurkboxError('PLUGIN_NOT_FOUND', `\`${name}\` was unloaded meanwhile.`);
      registry.setConsents(name, [...consents, { digest, permissions: manifest.permissions }]);
    });
    recorder.tell('CONSENT', version, { metadata: { changes } });
  }

  /**
   * Takes back all that was agreed to for a plugin: what asks for some of it is called no more, in no process, and what serves from
   * now on is a version that needs none, or none. Answers the digests that were agreed to.
   */
  withdrawConsent(name: string): readonly string[] {
    const { registry, sandboxes, recorder } = this.#options;
    const withdrawn = registry.transaction(() => {
      const { consents, canary } = this.#require(name);
      if (consents.length > 0) registry.setConsents(name, []);
      const record = this.#require(name);
      const tried = record.versions.find(({ id }) => id === canary?.versionId);
      if (tried !== undefined && !isCallable(record, tried)) registry.setCanary(name, null);
      return consents.map(({ digest }) => digest);
    });
    const record = this.#require(name);
    const { active } = record;
    const isInNeed = active?.state === 'ENABLED' && !isCallable(record, active);
    const other = isInNeed
      ? (this.beforesOf(record)[0] ?? record.versions.find((one) => isCallable(record, one)))
      : undefined;
    if (other !== undefined) this.activate(other, 'ACTIVATE', 'the consent to the one before was withdrawn');
    else if (isInNeed)
      registry.transaction(() => {
        registry.setState(active.id, 'stepBack');
        registry.activate(name, null);
      });
    sandboxes.follow(name, registry.get(name));
    if (withdrawn.length > 0)
      recorder.tell('CONSENT', active ?? { name }, { message: 'withdrawn', metadata: { withdrawn } });
    return withdrawn;
  }

  /** For what was forgotten: its files and its images go when what executes has come to its end. */
  async release(versions: readonly InstalledVersion[]): Promise<void> {
    const { sandboxes, loader } = this.#options;
    await Promise.all(versions.map(({ id }) => sandboxes.retire(id)));
    await loader.removeFiles(versions);
    await this.#removeImages(versions);
  }

  /** Resolves when nothing is on its way out. */
  async settled(): Promise<void> {
    await Promise.all(this.#leaving);
  }

  #require(name: string): PluginRecord {
    const record = this.#options.registry.get(name);
    if (record !== null) return record;
    throw new LurkboxError('PLUGIN_NOT_FOUND', `No plugin \`${name}\` is installed.`);
  }

  /** Those of a plugin whose images are not to go: active, a canary, or active lately. */
  neededOf(record: PluginRecord): readonly InstalledVersion[] {
    const ids = new Set([
      record.active?.reason === FOLDER_GONE ? undefined : record.active?.id,
      record.canary?.versionId,
      ...record.activeBefore.slice(0, this.#options.policy.keep_versions),
    ]);
    return record.versions.filter(({ id }) => ids.has(id));
  }

  /**
   * Lets go of images that no version needs for a rollback, of contents that were replaced under one version, and of what is
   * beyond `max_versions` or the last failures.
   */
  tidy(name: string): void {
    const { registry, loader, sandboxes, policy, logger } = this.#options;
    const record = registry.get(name);
    if (record === null) return;
    const needed = this.neededOf(record);
    const others = record.versions.filter((version) => !needed.includes(version));
    const replaced = others.filter(({ id, version }) =>
      record.versions.some((one) => one.version === version && one.id > id),
    );
    const surplus = surplusOf(record, [...needed, ...replaced], policy.max_versions).filter(
      ({ version }) => loader.dependentsOf(name, version).length === 0,
    );
    try {
      for (const version of replaced) loader.forget(name, version);
      for (const version of surplus) loader.forget(name, version, 'there are more than are kept');
    } catch (error) {
      // The switch has happened; what is too much is looked at again at the next one.
      logger.warn({ err: error, plugin: name }, 'could not let go of versions that are not needed');
    }
    const gone = [...replaced, ...surplus];
    this.#leave(this.release(gone));
    const idle = others.filter((version) => !gone.includes(version) && !sandboxes.isLive(version.id));
    this.#leave(Promise.all(idle.map(({ id }) => sandboxes.retire(id))).then(() => this.#removeImages(idle)));
  }

  #leave(work: Promise<void>): void {
    const leaving = work.finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  async #removeImages(versions: readonly InstalledVersion[]): Promise<void> {
    if (versions.length === 0) return;
    const { images, logger } = this.#options;
    try {
      const store = await images();
      for (const version of versions)
        await store.remove(version, { exec: version.manifest.permissions.exec });
    } catch (error) {
      // Only disk: `lurkbox image prune` removes them as well.
      logger.debug({ err: error }, 'could not remove the images of versions that are not needed');
    }
  }
}

/** @throws LurkboxError `STATE_INVALID` */
function assertInOrder({ name, version, state, reason }: InstalledVersion): void {
  if (state !== 'ERROR') return;
  throw new LurkboxError(
    'STATE_INVALID',
    `\`${name}@${version}\` is in state ERROR: ${reason}. Mend it and load it again.`,
  );
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
