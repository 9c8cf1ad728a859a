import type { Admission } from '../calls/admission/admission.ts';
import type { ExecutionContextConfig } from '../calls/context.ts';
import type { Ending } from '../calls/ending.ts';
import { FAULT_OF } from '../calls/outcome.ts';
import type { ContainerEngine } from '../engine/engine.ts';
import { LurkboxError, type LurkboxErrorCode, SYSTEM_ERROR_CODES } from '../errors.ts';
import type { ImageStore, PreparedImage } from '../image/image-store.ts';
import type { Logger } from '../logger.ts';
import { isLocked, type LoadedPlugin } from '../manifest/load.ts';
import type { Grant } from '../policy/grant.ts';
import { toPluginPolicy } from '../policy/plugin-policy.ts';
import { type Granted, resolveOrThrow } from '../policy/resolve.ts';
import type { Policy } from '../policy/schema.ts';
import type { Reaper } from '../sandboxes/cleanup/reaper.ts';
import { ContainerSandbox, type PluginSandbox } from '../sandboxes/container/container-sandbox.ts';
import type { PluginPool } from '../sandboxes/pool/plugin-pool.ts';
import type { Pool } from '../sandboxes/pool/pool.ts';
import { describeIgnored } from '../schemas/ignored.ts';
import type { SchemaChecker } from '../schemas/schema-checker.ts';
import type { ImageSupply } from './image-supply.ts';
import type { PluginFiles } from './install/plugin-files.ts';
import type { LifecycleRecorder } from './lifecycle-recorder.ts';
import type { InstalledVersion, PluginRecord } from './registry/record.ts';
import { isCallable } from './resolve.ts';

const SHOWN_STACK_LINES = 3;
/** A container that only tries to load a plugin gives way to calls; so often another one is started. */
const LOADING_TRIES = 3;

/** A plugin that is loaded: what it is, and what it gets. */
export interface PluginInstance extends Omit<Granted, 'ok'> {
  /** Of this installation. */
  readonly id: number;
  readonly name: string;
  readonly version: string;
  /** `folder` is where it was installed from. */
  readonly plugin: Pick<LoadedPlugin, 'folder' | 'manifest' | 'digest' | 'content' | 'lock'>;
  readonly enabled: boolean;
  /** What its author should know, such as what of its schemas is not checked. */
  readonly warnings: readonly string[];
}

export interface SandboxCacheOptions {
  readonly policy: Policy;
  /** The user id of a plugin. */
  readonly uidOf: (plugin: string) => number;
  readonly files: PluginFiles;
  readonly connect: () => Promise<ContainerEngine>;
  readonly images: () => Promise<ImageStore>;
  readonly supply: ImageSupply;
  readonly ownerLabels: Readonly<Record<string, string>>;
  readonly admission: Admission;
  readonly schemaChecker: SchemaChecker;
  readonly reaper: Reaper;
  readonly pool: Pool;
  readonly recorder: LifecycleRecorder;
  readonly logger: Logger;
}

export interface LiveVersion {
  readonly version: InstalledVersion;
  readonly sandbox: PluginSandbox;
  readonly pluginPool: PluginPool;
  readonly isWarm: boolean;
}

/** The versions that have, or had lately, something in the engine. Each is made at its first use. */
export class SandboxCache {
  readonly #options: SandboxCacheOptions;
  readonly #grants = new Map<number, { readonly digest: string | null; readonly granted: Granted }>();
  /** By version: what is in it does not change. */
  readonly #warnings = new Map<number, readonly string[]>();
  readonly #live = new Map<number, LiveVersion>();
  /** By plugin: what was known of it when somebody last looked. */
  readonly #followed = new Map<string, PluginRecord>();
  readonly #heldBack = new Set<number>();
  /** Of the last build of a version, until a result told them. */
  readonly #buildWarnings = new Map<number, readonly string[]>();
  /** By version, until nothing of it is left. */
  readonly #retiring = new Map<number, Promise<void>>();
  /** Also those that were retired and still have something running. */
  readonly #sandboxes = new Set<PluginSandbox>();

  constructor(options: SandboxCacheOptions) {
    this.#options = options;
  }

  /** @throws LurkboxError `POLICY_DENIED` with every denial */
  instanceOf(version: InstalledVersion): PluginInstance {
    const { id, name, manifest, digest, content, lock, origin } = version;
    const { grant, restrictions, rating, warm } = this.#grantOf(version);
    const plugin = { folder: origin.path, manifest, digest, content, lock };
    const enabled = version.state === 'ENABLED';
    const warnings = this.#warningsOf(version);
    return {
      id,
      name,
      version: version.version,
      plugin,
      enabled,
      grant,
      restrictions,
      rating,
      warm,
      warnings,
    };
  }

  /** What it is granted, `null` where the policy denies it. */
  grantOrNull(version: InstalledVersion): Grant | null {
    try {
      return this.#grantOf(version).grant;
    } catch (error) {
      if (error instanceof LurkboxError) return null;
      throw error;
    }
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
    const live = this.#create(version, isWarm, (known ?? before)?.pluginPool);
    if (known !== undefined) void this.retire(version.id);
    if (before !== undefined) void this.retire(before.version.id);
    this.#live.set(version.id, live);
    return live;
  }

  /** Makes ready for calls what can be: a version whose npm packages are not locked yet waits for its first call. @throws as `ensure` */
  refresh(version: InstalledVersion): void {
    if (isLocked(version)) this.ensure(version);
    else this.#grantOf(version);
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

  /** Another process may have switched, disabled or unloaded it: lets go of what waits for nobody any more. */
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
    this.#grants.delete(id);
    this.#warnings.delete(id);
    this.#buildWarnings.delete(id);
    if (live === undefined) return this.#retiring.get(id) ?? Promise.resolve();
    const before = this.#retiring.get(id);
    const retiring = Promise.all([live.sandbox.close(), before]).then(() => {
      this.#sandboxes.delete(live.sandbox);
      if (this.#retiring.get(id) === retiring) this.#retiring.delete(id);
    });
    this.#retiring.set(id, retiring);
    return retiring;
  }

  /** Its image, built now if need be, whatever became of earlier tries. */
  async prepare(version: InstalledVersion, signal?: AbortSignal): Promise<PreparedImage> {
    this.#options.supply.forget(version.id);
    return (await this.#findImage(version)) ?? this.#build(version, signal);
  }

  /** The same for a call, which waits for a build together with others. */
  async #prepareForCall(version: InstalledVersion, signal?: AbortSignal): Promise<PreparedImage> {
    const present = await this.#findImage(version);
    if (present !== null) return present;
    return this.#options.supply.wait(version, (waiting) => this.#build(version, waiting), signal);
  }

  async #findImage(version: InstalledVersion): Promise<PreparedImage | null> {
    const { exec } = this.#grantOf(version).grant;
    return (await this.#options.images()).find(version, { exec });
  }

  async #build(version: InstalledVersion, signal: AbortSignal | undefined): Promise<PreparedImage> {
    assertLocked(version);
    const { files, images } = this.#options;
    const { exec } = this.#grantOf(version).grant;
    const store = await images();
    const options = { exec, ...(signal === undefined ? {} : { signal }) };
    const image = await store.prepare(await files.read(version), options);
    if (image.built && image.warnings.length > 0) this.#buildWarnings.set(version.id, image.warnings);
    return image;
  }

  #takeBuildWarnings(id: number): readonly string[] {
    const warnings = this.#buildWarnings.get(id) ?? [];
    this.#buildWarnings.delete(id);
    return warnings;
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
  async hasImage(version: InstalledVersion): Promise<boolean> {
    const { images } = this.#options;
    try {
      const { exec } = this.#grantOf(version).grant;
      return (await (await images()).find(version, { exec })) !== null;
    } catch {
      return false;
    }
  }

  /**
   * Returns when its code was loaded in a container that serves no call: whatever else came of that, nobody knows that it can be.
   * @throws LurkboxError `PLUGIN_BROKEN` with what it threw, `HOST_RESOURCES` where there is no memory to try it, or a code of
   * the engine
   */
  async tryLoading(version: InstalledVersion, signal?: AbortSignal): Promise<void> {
    const full = `${version.name}@${version.version}`;
    let ending: Ending | null = null;
    for (let tries = 0; tries < LOADING_TRIES && ending === null && !signal?.aborted; tries++)
      ending = await this.ensure(version).pluginPool.tryLoading(signal);
    signal?.throwIfAborted();
    if (ending === null)
      throw new LurkboxError(
        'HOST_RESOURCES',
        `There is no memory to try whether \`${full}\` can be loaded; free some or raise \`maxMemoryMb\`, and load it again.`,
      );
    if (ending.outcome === 'OK') return;
    const { code, message, stack } = ending.error;
    if (FAULT_OF[ending.outcome] !== 'plugin') {
      const known = Object.hasOwn(SYSTEM_ERROR_CODES, code) ? (code as LurkboxErrorCode) : 'ENGINE_LOST';
      throw new LurkboxError(known, `Nobody knows whether \`${full}\` can be loaded. ${message}`);
    }
    // Before these a stack repeats the message.
    const where = stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? [];
    throw new LurkboxError('PLUGIN_BROKEN', `The code of \`${full}\` cannot be loaded. ${message}`, {
      problems: where.slice(0, SHOWN_STACK_LINES).map((line) => ({ path: '', message: line.trim() })),
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sandboxes].map((sandbox) => sandbox.close()));
  }

  #grantOf(version: InstalledVersion): Granted {
    const digest = isLocked(version) ? version.digest : null;
    const known = this.#grants.get(version.id);
    // Another process may have locked its npm packages: then it is judged again whether the policy pins that.
    if (known !== undefined && known.digest === digest) return known.granted;
    const { policy, uidOf } = this.#options;
    const granted = resolveOrThrow(version.manifest, policy, digest, uidOf(version.name));
    this.#grants.set(version.id, { digest, granted });
    return granted;
  }

  #warningsOf({ id, manifest }: InstalledVersion): readonly string[] {
    const known = this.#warnings.get(id);
    if (known !== undefined) return known;
    const { input_schema, config_schema, output_schema } = manifest;
    const ignored = describeIgnored({ input_schema, config_schema, output_schema });
    const warnings = ignored === null ? [] : [ignored];
    this.#warnings.set(id, warnings);
    return warnings;
  }

  #warmOneOf(name: string): LiveVersion | undefined {
    return [...this.#live.values()].find(({ version, isWarm }) => isWarm && version.name === name);
  }

  #create(version: InstalledVersion, isWarm: boolean, replaced: PluginPool | undefined): LiveVersion {
    const { connect, ownerLabels, admission, schemaChecker, reaper, pool, recorder, logger } = this.#options;
    const { grant, warm } = this.#grantOf(version);
    const { entry_point: entryPoint, preload } = version.manifest;
    const findImage = async () => (await this.#findImage(version))?.id ?? null;
    const prepareImage = async (signal?: AbortSignal) => (await this.#prepareForCall(version, signal)).id;
    const common = { grant, connect, prepareImage, ownerLabels, reaper, logger };
    const own = { entryPoint, version: version.version, preload, warm: isWarm ? warm : 0 };
    const pluginPool = pool.open({ ...common, ...own }, replaced);
    const sandbox = new ContainerSandbox({
      ...common,
      findImage,
      // To explain a failure; one more is not told instead of it.
      imageNotes: () =>
        this.#findImage(version)
          .then((image) => image?.warnings ?? [])
          .catch(() => []),
      takeBuildWarnings: () => this.#takeBuildWarnings(version.id),
      plugin: version,
      admission,
      schemaChecker,
      source: pluginPool,
      onLost: (executionId, lost) => recorder.lost(version, executionId, lost),
    });
    this.#sandboxes.add(sandbox);
    return { version, sandbox, pluginPool, isWarm };
  }
}

/** Nothing runs of which it is not known what it is. */
export function assertLocked(version: InstalledVersion): void {
  if (isLocked(version)) return;
  throw new LurkboxError(
    'STATE_INVALID',
    `The npm packages of \`${version.name}@${version.version}\` are not locked yet; \`lurkbox image build ${version.name}\` locks them, and so does its first call.`,
  );
}
