import { LurkboxError } from '../../errors.ts';
import type { PackageLocker } from '../../image/package-locker.ts';
import { authorsLockOf, isLocked, type LoadedPlugin, toLocked } from '../../manifest/load.ts';
import { countPackages, lockSourceOf } from '../../manifest/package-lock.ts';
import type { PluginManifest } from '../../manifest/schema.ts';
import { isVendored, namedPackages } from '../../manifest/vendored.ts';
import { quotePath } from '../../printable.ts';
import type { ImageSupply } from '../image-supply.ts';
import type { LifecycleRecorder } from '../lifecycle-recorder.ts';
import type { InstalledVersion } from '../registry/record.ts';
import type { PluginRegistry } from '../registry/registry.ts';
import type { KnownContents } from './known-contents.ts';

/** A version before and after its npm packages were locked anew; the same one where they are the same. */
export interface PackageRefresh {
  readonly before: InstalledVersion;
  readonly after: InstalledVersion;
}

export interface PackageLocksOptions {
  readonly registry: PluginRegistry;
  readonly locker: PackageLocker;
  readonly supply: ImageSupply;
  readonly recorder: LifecycleRecorder;
  readonly contents: KnownContents;
}

/**
 * Finds or makes the locks of npm packages. A lock is made once, when a version is loaded or runs for the first time, and is
 * part of what the version is from then on: pins and consents are judged with it.
 */
export class PackageLocks {
  readonly #options: PackageLocksOptions;
  readonly #closing = new AbortController();

  constructor(options: PackageLocksOptions) {
    this.#options = options;
  }

  /**
   * The plugin with the lock that is known of it, where one is: its own, or that of an earlier version from the same folder with
   * the same dependencies. Asks nobody.
   */
  known(plugin: LoadedPlugin): LoadedPlugin {
    const lock = this.#find(plugin.manifest.name, plugin, plugin.folder);
    return lock === null ? plugin : toLocked(plugin, lock);
  }

  /** The plugin with its lock, which npm makes where none is known. Throws `DEPENDENCY_FAILED`. */
  async lock(plugin: LoadedPlugin, signal?: AbortSignal): Promise<LoadedPlugin> {
    const known = this.known(plugin);
    if (isLocked(known)) return known;
    return this.make(plugin, signal);
  }

  /** The same, whatever is known of a plugin of that name. */
  async make(plugin: LoadedPlugin, signal?: AbortSignal): Promise<LoadedPlugin> {
    const { manifest } = plugin;
    return toLocked(plugin, await this.#make(manifest, signal));
  }

  /** An installed version, locked. Of several processes that lock it at once the first one wins. Throws `DEPENDENCY_FAILED`. */
  async ensure(version: InstalledVersion, signal?: AbortSignal): Promise<InstalledVersion> {
    if (isLocked(version)) return version;
    this.#options.supply.forget(version.id);
    return this.#ensure(version, signal);
  }

  /** The same for a call, which waits with others for images, and not for one that failed a moment ago. */
  async ensureForCall(version: InstalledVersion, signal: AbortSignal | undefined): Promise<InstalledVersion> {
    if (isLocked(version)) return version;
    return this.#options.supply.wait(version, (waiting) => this.#ensure(version, waiting), signal);
  }

  async #ensure(version: InstalledVersion, signal: AbortSignal | undefined): Promise<InstalledVersion> {
    const { name, manifest, origin } = version;
    const lock =
      this.#find(name, version, origin.path) ??
      (await this.#authorsLock(version)) ??
      (await this.#make(manifest, signal));
    return this.keep(version, lock);
  }

  /** Of a version that has none: the first one stays. */
  keep({ id }: InstalledVersion, lock: string): InstalledVersion {
    const { registry, recorder } = this.#options;
    const locked = registry.setLock(id, lock);
    recorder.tell('LOAD', locked, { message: `its npm packages are locked: ${countPackages(lock)}` });
    return locked;
  }

  /**
   * What the dependencies of a version mean now: what its author's lock file says, or what npm chooses, whatever is known.
   * @throws LurkboxError `OPTIONS_INVALID` where there is nothing to choose, or `DEPENDENCY_FAILED`
   */
  async refresh(version: InstalledVersion, signal?: AbortSignal): Promise<string> {
    assertMayRefresh(version);
    return (await this.#authorsLock(version)) ?? (await this.#make(version.manifest, signal));
  }

  /** Of a version that was installed before lock files of authors were obeyed. */
  async #authorsLock(version: InstalledVersion): Promise<string | null> {
    return authorsLockOf(await this.#options.contents.read(version));
  }

  /** Ends what is under way. */
  close(): void {
    this.#closing.abort();
  }

  #make(manifest: PluginManifest, signal: AbortSignal | undefined): Promise<string> {
    const closing = this.#closing.signal;
    const ended = signal === undefined ? closing : AbortSignal.any([closing, signal]);
    return this.#options.locker.lock(manifest.name, namedPackages(manifest), ended);
  }

  #find(
    name: string,
    { content, manifest, lock }: Pick<LoadedPlugin, 'content' | 'manifest' | 'lock'>,
    folder: string,
  ): string | null {
    if (namedPackages(manifest).length === 0) return null;
    const { active = null, versions = [] } = this.#options.registry.get(name) ?? {};
    const locked = [...(active === null ? [] : [active]), ...versions].filter((one) => one.lock !== null);
    // What is installed stays what it is, also where it was locked before lock files of authors were obeyed.
    const same = locked.find((one) => one.content === content);
    if (same !== undefined || lock !== null) return same?.lock ?? lock;
    const before = locked.find(
      (one) =>
        one.origin.path === folder &&
        lockSourceOf(one.lock ?? '') === null &&
        hasSame(namedPackages(one.manifest), namedPackages(manifest)),
    );
    return before?.lock ?? null;
  }
}

function assertMayRefresh({ name, version, manifest, lock, origin }: InstalledVersion): void {
  const own = lockSourceOf(lock ?? '');
  const why = isVendored(manifest)
    ? `has the packages of its own \`node_modules\`; run \`npm update\` in ${quotePath(origin.path)} and load it again`
    : namedPackages(manifest).length === 0
      ? 'has no npm packages'
      : own !== null &&
        `is locked by its own ${own}; run \`npm update\` in ${quotePath(origin.path)} and load it again`;
  if (why !== false)
    throw new LurkboxError('OPTIONS_INVALID', `There is no lock to refresh: \`${name}@${version}\` ${why}.`);
}

function hasSame(some: readonly string[], others: readonly string[]): boolean {
  return JSON.stringify([...some].sort()) === JSON.stringify([...others].sort());
}
