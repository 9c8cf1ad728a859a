import { LurkboxError } from '../../errors.ts';
import type { ImageStore } from '../../image/image-store.ts';
import type { Logger } from '../../logger.ts';
import type { Policy } from '../../policy/schema.ts';
import { endConsents } from '../agreed.ts';
import type { LifecycleRecorder } from '../lifecycle-recorder.ts';
import { parseReference, pickVersion } from '../reference.ts';
import type { InstalledVersion, PluginRecord } from '../registry/record.ts';
import type { PluginRegistry } from '../registry/registry.ts';
import { assertOneContent } from '../resolve.ts';
import type { SandboxCache } from '../sandbox-cache.ts';
import type { PluginFiles } from './plugin-files.ts';
import { dependentsOf, toRequirable } from './requirements.ts';
import { neededVersions, replacedVersions, surplusVersions } from './retain.ts';

export interface UninstallerOptions {
  readonly registry: PluginRegistry;
  readonly files: PluginFiles;
  readonly sandboxes: SandboxCache;
  readonly images: () => Promise<ImageStore>;
  readonly policy: Policy;
  readonly recorder: LifecycleRecorder;
  readonly logger: Logger;
}

/** Takes versions out of the registry, and releases their containers, files and images when what executes has ended. */
export class Uninstaller {
  readonly #options: UninstallerOptions;
  /** What is on its way out. */
  readonly #leaving = new Set<Promise<void>>();

  constructor(options: UninstallerOptions) {
    this.#options = options;
  }

  /**
   * Forgets one version, or the whole plugin where it is `null`, and what requires it too where `cascade` says so. Resolves
   * with what was forgotten when nothing of that is left: what executes goes on to its end.
   * @throws LurkboxError `REQUIREMENT_UNMET` when another plugin requires it
   */
  async unload(
    name: string,
    version: InstalledVersion | null,
    { cascade = false }: { cascade?: boolean } = {},
  ): Promise<readonly InstalledVersion[]> {
    const number = version?.version ?? null;
    const dependents = this.dependentsOf(name, number);
    if (dependents.length > 0 && !cascade) {
      const who = dependents.map((other) => `\`${other}\``).join(', ');
      throw new LurkboxError(
        'REQUIREMENT_UNMET',
        `\`${number === null ? name : `${name}@${number}`}\` is required by ${who}; unload those first, or cascade.`,
      );
    }
    const all = this.#withTheirDependents(name, dependents);
    const gone = [
      ...all.flatMap((dependent) => this.#forget(dependent, null)),
      ...this.#forget(name, version),
    ];
    await this.#release(gone);
    return gone;
  }

  /**
   * The same for a plugin, or one version of it, as a reference names it. Answers false where it is not there.
   * @throws LurkboxError `REQUIREMENT_UNMET`, or `STATE_INVALID` for the active one of several versions
   */
  async unloadReferenced(written: string, options: { cascade?: boolean }): Promise<boolean> {
    const { name, range, digest } = parseReference(written);
    const record = this.#options.registry.get(name);
    if (record === null) return false;
    assertOneContent(written, record.versions);
    const version = range === null ? null : pickVersion(record.versions, range, digest);
    if (range !== null && version === null) return false;
    const isWhole = version === null || record.versions.length === 1;
    if (!isWhole && version.id === record.active?.id)
      throw new LurkboxError(
        'STATE_INVALID',
        `\`${name}@${version.version}\` is active; \`use\` another version first, or unload \`${name}\` as a whole.`,
      );
    return (await this.unload(name, isWhole ? null : version, options)).length > 0;
  }

  /** For a plugin that was taken out of the registry because its name went to another one. */
  async releaseFormer({ versions }: PluginRecord): Promise<void> {
    for (const one of versions) this.#options.recorder.tell('UNLOAD', one, { message: 'its name was taken' });
    await this.#release(versions);
  }

  /** Who would miss something without this version, or without the plugin where it is `null`. */
  dependentsOf(name: string, version: string | null): readonly string[] {
    return dependentsOf(name, version, this.#options.registry.list().map(toRequirable));
  }

  /**
   * After another version became active: lets go of images that no version needs for a rollback, of contents that were
   * replaced under one version, and of what is beyond `max_versions` or the last failures.
   */
  tidy(name: string): void {
    const { registry, sandboxes, policy, logger } = this.#options;
    const record = registry.get(name);
    if (record === null) return;
    const needed = neededVersions(record, policy.keep_versions);
    const replaced = replacedVersions(record, needed);
    const surplus = surplusVersions(record, [...needed, ...replaced], policy.max_versions).filter(
      ({ version }) => this.dependentsOf(name, version).length === 0,
    );
    try {
      for (const version of replaced) this.#forget(name, version);
      for (const version of surplus) this.#forget(name, version, 'there are more than are kept');
    } catch (error) {
      // The switch has happened; what is too much is looked at again at the next one.
      logger.warn({ err: error, plugin: name }, 'could not let go of versions that are not needed');
    }
    const gone = [...replaced, ...surplus];
    this.#leave(this.#release(gone));
    const idle = record.versions.filter(
      (version) => !needed.includes(version) && !gone.includes(version) && !sandboxes.isLive(version.id),
    );
    this.#leave(Promise.all(idle.map(({ id }) => sandboxes.retire(id))).then(() => this.#removeImages(idle)));
  }

  /** Resolves when nothing is on its way out. */
  async settled(): Promise<void> {
    await Promise.all(this.#leaving);
  }

  /**
   * Only what is known: its files and containers are still there, and nobody is asked who requires it. `message`: why, where
   * nobody asked for it; then whoever watches its folder goes on.
   */
  #forget(name: string, version: InstalledVersion | null, message?: string): readonly InstalledVersion[] {
    const { registry, recorder } = this.#options;
    const gone = version === null ? (registry.get(name)?.versions ?? []) : [version];
    if (gone.length === 0) return [];
    registry.transaction(() => {
      registry.unregister(name, version?.id);
      endConsents(registry, name);
    });
    for (const one of gone)
      recorder.tell(
        'UNLOAD',
        one,
        message === undefined ? { metadata: { origin: one.origin } } : { message },
      );
    return gone;
  }

  /** For what was forgotten: its files and its images go when what executes has come to its end. */
  async #release(versions: readonly InstalledVersion[]): Promise<void> {
    const { sandboxes } = this.#options;
    await Promise.all(versions.map(({ id }) => sandboxes.retire(id)));
    await this.#removeFiles(versions);
    await this.#removeImages(versions);
  }

  /** Another process may have installed the same again. */
  async #removeFiles(versions: readonly InstalledVersion[]): Promise<void> {
    const { registry, files } = this.#options;
    if (versions.length === 0) return;
    const removals = registry.transaction(() => {
      const known = new Set(registry.list().flatMap((record) => record.versions.map(({ folder }) => folder)));
      const gone = new Map(versions.map((version) => [version.folder, version]));
      return [...gone.values()].filter(({ folder }) => !known.has(folder)).map((one) => files.remove(one));
    });
    await Promise.all(removals);
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

  #leave(work: Promise<void>): void {
    const leaving = work.finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  /** The farthest first; `name` itself, to which a circle may lead, is left out. */
  #withTheirDependents(name: string, dependents: readonly string[]): string[] {
    const all = new Set(dependents);
    for (const dependent of all) {
      for (const farther of this.dependentsOf(dependent, null)) if (farther !== name) all.add(farther);
    }
    return [...all].reverse();
  }
}
