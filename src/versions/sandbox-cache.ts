import type { ExecutionContextConfig } from '../calls/context.ts';
import { LurkboxError } from '../errors.ts';
import type { PreparedImage } from '../image/image-store.ts';
import { isLocked } from '../manifest/load.ts';
import type { Grant } from '../policy/grant.ts';
import { toPluginPolicy } from '../policy/plugin-policy.ts';
import type { PluginSandbox } from '../sandboxes/plugin-sandbox.ts';
import type { SandboxFactory } from '../sandboxes/sandbox-factory.ts';
import type { LifecycleRecorder } from './lifecycle-recorder.ts';
import type { InstalledVersion, PluginRecord } from './registry/record.ts';
import { isCallable } from './resolve.ts';
import { tryLoading } from './try-loading.ts';
import { type PluginInstance, VersionGrants, type VersionGrantsOptions } from './version-grants.ts';
import { assertLocked, VersionImages, type VersionImagesOptions } from './version-images.ts';

export interface SandboxCacheOptions extends VersionGrantsOptions, Omit<VersionImagesOptions, 'grants'> {
  readonly factory: SandboxFactory;
  readonly recorder: LifecycleRecorder;
}

export interface LiveVersion {
  readonly version: InstalledVersion;
  readonly sandbox: PluginSandbox;
  readonly isWarm: boolean;
}

/** The versions that have, or had lately, something in the engine. Each is made at its first use. */
export class SandboxCache {
  readonly #options: SandboxCacheOptions;
  readonly #grants: VersionGrants;
  readonly #images: VersionImages;
  readonly #live = new Map<number, LiveVersion>();
  /** By plugin: its record when it was last looked at. */
  readonly #followed = new Map<string, PluginRecord>();
  readonly #heldBack = new Set<number>();
  /** By version, until nothing of it is left. */
  readonly #retiring = new Map<number, Promise<void>>();
  /** Also those that were retired and still have something running. */
  readonly #sandboxes = new Set<PluginSandbox>();

  constructor(options: SandboxCacheOptions) {
    this.#options = options;
    this.#grants = new VersionGrants(options);
    this.#images = new VersionImages({ ...options, grants: this.#grants });
  }

  /** @throws LurkboxError `POLICY_DENIED` with every denial */
  instanceOf(version: InstalledVersion): PluginInstance {
    return this.#grants.instanceOf(version);
  }

  /** What it is granted, `null` where the policy denies it. */
  grantOrNull(version: InstalledVersion): Grant | null {
    return this.#grants.orNull(version);
  }

  /**
   * The sandbox of a version; its containers wait where it is active and enabled, in the place of those of the version that
   * was so before.
   * @throws LurkboxError `POLICY_DENIED`, or `POLICY_INVALID` when the number of containers that should wait does not fit
   */
  ensure(version: InstalledVersion): LiveVersion {
    assertLocked(version);
    const isWarm = version.state === 'ENABLED';
    const known = this.#live.get(version.id);
    if (known?.isWarm === isWarm) return known;
    const before = isWarm ? this.#warmOneOf(version.name) : undefined;
    const live = this.#create(version, isWarm, (known ?? before)?.sandbox);
    if (known !== undefined) void this.retire(version.id);
    if (before !== undefined) void this.retire(before.version.id);
    this.#live.set(version.id, live);
    return live;
  }

  /** Makes ready for calls what can be: a version whose npm packages are not locked yet waits for its first call. @throws as `ensure` */
  refresh(version: InstalledVersion): void {
    if (isLocked(version)) this.ensure(version);
    else this.#grants.of(version);
  }

  /** Has containers wait for those of which the policy says how many, before anybody calls. @throws LurkboxError `POLICY_INVALID` */
  warmUp(active: readonly InstalledVersion[]): void {
    for (const version of active) {
      const { warm } = toPluginPolicy(this.#options.policy, version.name);
      if (
        version.state === 'ENABLED' &&
        warm !== 'adaptive' &&
        warm > 0 &&
        this.grantOrNull(version) !== null
      )
        this.refresh(version);
    }
  }

  /** Another process may have switched, disabled or unloaded it: releases containers that wait for no call any more. */
  follow(name: string, record: PluginRecord | null): void {
    if (this.#followed.get(name) === record) return;
    if (record === null) this.#followed.delete(name);
    else this.#followed.set(name, record);
    for (const { version, isWarm } of [...this.#live.values()]) {
      if (version.name !== name) continue;
      const now = record?.versions.find(({ id }) => id === version.id);
      // Also where somebody took back what was agreed to.
      const mayServe = now !== undefined && record !== null && isCallable(record, now);
      if (!mayServe || (isWarm && now.state !== 'ENABLED')) void this.retire(version.id);
    }
  }

  /** The same for all that have anything in the engine. */
  followAll(get: (name: string) => PluginRecord | null): void {
    const names = new Set([...this.#live.values()].map(({ version }) => version.name));
    for (const name of names) this.follow(name, get(name));
  }

  isHeldBack(id: number): boolean {
    return this.#heldBack.has(id);
  }

  /** While held, ranges skip this version; only its exact number reaches it. */
  holdBack(version: InstalledVersion): Disposable {
    this.#heldBack.add(version.id);
    return { [Symbol.dispose]: () => void this.#heldBack.delete(version.id) };
  }

  isLive(id: number): boolean {
    return this.#live.has(id);
  }

  /** Forgets a version; resolves when what it executes has come to its end and nothing of it is left in the engine. */
  retire(id: number): Promise<void> {
    const live = this.#live.get(id);
    this.#live.delete(id);
    this.#grants.forget(id);
    this.#images.forget(id);
    if (live === undefined) return this.#retiring.get(id) ?? Promise.resolve();
    const before = this.#retiring.get(id);
    const retiring = Promise.all([live.sandbox.close(), before]).then(() => {
      this.#sandboxes.delete(live.sandbox);
      if (this.#retiring.get(id) === retiring) this.#retiring.delete(id);
    });
    this.#retiring.set(id, retiring);
    return retiring;
  }

  /** A call of it comes next. */
  expectCall({ manifest }: InstalledVersion): void {
    this.#options.factory.expectCall(manifest);
  }

  /** Its image, built now if need be, whatever became of earlier tries. */
  prepare(version: InstalledVersion, signal?: AbortSignal): Promise<PreparedImage> {
    return this.#images.prepare(version, signal);
  }

  /** Whether every call with this context would be refused by what the version asks for, or by what the policy denies it. */
  async refuses(version: InstalledVersion, context: ExecutionContextConfig): Promise<boolean> {
    try {
      return (await this.ensure(version).sandbox.refusalOf(context)) !== null;
    } catch (error) {
      if (error instanceof LurkboxError) return true;
      throw error;
    }
  }

  /** Whether its image is there, so that a call of it waits for no build. `false` also where nobody can tell. */
  hasImage(version: InstalledVersion): Promise<boolean> {
    return this.#images.has(version);
  }

  /** Returns when its code was loaded in a container that serves no call. @throws as `tryLoading` of try-loading.ts */
  tryLoading(version: InstalledVersion, signal?: AbortSignal): Promise<void> {
    return tryLoading(`${version.name}@${version.version}`, () => this.ensure(version).sandbox, signal);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sandboxes].map((sandbox) => sandbox.close()));
  }

  #warmOneOf(name: string): LiveVersion | undefined {
    return [...this.#live.values()].find(({ version, isWarm }) => isWarm && version.name === name);
  }

  #create(version: InstalledVersion, isWarm: boolean, replaced: PluginSandbox | undefined): LiveVersion {
    const { factory, recorder } = this.#options;
    const { grant, warm } = this.#grants.of(version);
    const sandbox = factory.create({
      plugin: version,
      grant,
      image: this.#images.of(version),
      warm: isWarm ? warm : 0,
      replaced,
      onLost: (executionId, lost) => recorder.lost(version, executionId, lost),
    });
    this.#sandboxes.add(sandbox);
    return { version, sandbox, isWarm };
  }
}
