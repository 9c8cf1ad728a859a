import { existsSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { AuditLog } from './audit/audit-log.ts';
import { Admission } from './calls/admission/admission.ts';
import { withoutKernelReserve } from './calls/admission/kernel-reserve.ts';
import { engineCandidates } from './engine/docker/candidates.ts';
import { type DockerCreateOptions, toCreateOptions } from './engine/docker/to-create-options.ts';
import type { ContainerEngine, EngineEndpoint, EngineFacts } from './engine/engine.ts';
import { checkRuntimes, type RuntimeCheck } from './engine/runtimes.ts';
import { PluginEvents } from './events/plugin-events.ts';
import { BuildQueue } from './image/build-queue.ts';
import { HostPrograms } from './image/host-programs.ts';
import type { ImageStore } from './image/image-store.ts';
import { madeImagesFolder } from './image/made-images.ts';
import { createPackageLocker } from './image/package-locker.ts';
import { LABELS } from './labels.ts';
import { sha256Of } from './manifest/digest.ts';
import { PLUGINS_FOLDER } from './manifest/discover.ts';
import { type LurkboxConfig, type LurkboxOptions, normalizeOptions } from './options.ts';
import type { FormerKey } from './policy/former-keys.ts';
import { assertMountsSpare, type GuardedPlace } from './policy/guarded-places.ts';
import { placesOfHost } from './policy/host-places.ts';
import { loadPolicy, POLICY_FILE, parsePolicy } from './policy/load.ts';
import { namedRuntimes } from './policy/runtimes.ts';
import type { Policy } from './policy/schema.ts';
import { type Guard, startGuard } from './sandboxes/cleanup/guard.ts';
import { createIdentity, type Identity, readMachineId, toLabels } from './sandboxes/cleanup/identity.ts';
import { type Pruned, prune } from './sandboxes/cleanup/prune.ts';
import { Reaper } from './sandboxes/cleanup/reaper.ts';
import { Pool } from './sandboxes/pool/pool.ts';
import { SandboxFactory } from './sandboxes/sandbox-factory.ts';
import { SchemaChecker } from './schemas/schema-checker.ts';
import { buildContainerSpec } from './spec/build.ts';
import { VERSION } from './version.ts';
import { Activation } from './versions/activate.ts';
import { Consents } from './versions/consent.ts';
import { Executor } from './versions/executor.ts';
import { readHostAccounts } from './versions/host-accounts.ts';
import { FolderReloader } from './versions/hot-reload/folder-reloader.ts';
import { HotReloadManager, type HotReloadOptions } from './versions/hot-reload/hot-reload-manager.ts';
import type { Reloader } from './versions/hot-reload/reloader.ts';
import { ImageSupply } from './versions/image-supply.ts';
import { Installer } from './versions/install/install.ts';
import { KeptNames } from './versions/install/kept-names.ts';
import { KnownContents } from './versions/install/known-contents.ts';
import { FolderLoader } from './versions/install/load-folder.ts';
import { PackageLocks } from './versions/install/package-locks.ts';
import { Uninstaller } from './versions/install/uninstall.ts';
import { LifecycleRecorder } from './versions/lifecycle-recorder.ts';
import { PluginLoader } from './versions/plugin-loader.ts';
import { PluginManager } from './versions/plugin-manager.ts';
import { PluginUids } from './versions/plugin-uids.ts';
import { PluginRegistry } from './versions/registry/registry.ts';
import { Resolver } from './versions/resolve.ts';
import { Rollout } from './versions/rollout/rollout.ts';
import { RolloutMonitor } from './versions/rollout/rollout-monitor.ts';
import { SandboxCache } from './versions/sandbox-cache.ts';
import { openStatePlace, readKeptRecords, type StatePlace } from './versions/state-place.ts';
import type { PluginInstance } from './versions/version-grants.ts';

/** How often it is looked whether another process has switched, disabled or unloaded what nobody calls here. */
const FOLLOW_MS = 2_000;

/** What the engine is, where it listens and who chose it. */
export interface ConnectedEngineFacts extends EngineFacts, Pick<EngineEndpoint, 'chosenBy' | 'connection'> {
  /** As `DOCKER_HOST` writes it. */
  readonly address: string;
  /** What leads another process to it. */
  readonly env: Readonly<Record<string, string>>;
}

export interface Lurkbox extends AsyncDisposable {
  readonly workspaceRoot: string;
  readonly policy: Policy;
  readonly plugins: PluginManager;
  /** What is known of plugins, across restarts. */
  readonly registry: PluginRegistry;
  readonly loader: PluginLoader;
  /** What happens to plugins, for handlers. */
  readonly events: PluginEvents;
  /** Puts what is in a folder into service; `hotReload` asks it to. */
  readonly reloader: Reloader;
  /** Watches plugin folders, and has what changed there serve from the next call on; begins with its `start`. */
  hotReload(options?: Omit<HotReloadOptions, 'reloader' | 'logger'>): HotReloadManager;
  /** The images of lurkbox in the engine. */
  images(): Promise<ImageStore>;
  /** What the engine is and can enforce. @throws LurkboxError `ENGINE_UNAVAILABLE` */
  engineFacts(): Promise<ConnectedEngineFacts>;
  /** Whether the OCI runtimes that the policy names will do on this engine; the default of the engine where it names none. */
  checkRuntimes(): Promise<readonly RuntimeCheck[]>;
  /** The exact Docker options of a plugin's containers on this engine; name and image are filled in at each execution. */
  dockerOptions(instance: PluginInstance): Promise<DockerCreateOptions>;
  /** Removes containers and networks of orchestrators of this machine that are no more. */
  prune(): Promise<Pruned>;
  /** Waits until nothing of this instance is left in the engine. Fine to call twice. */
  close(): Promise<void>;
}

/**
 * Puts the stages together. Reads the policy; the engine is looked for when something needs it first, and what dead
 * orchestrators left there is removed then.
 * @throws LurkboxError `OPTIONS_INVALID` or `POLICY_INVALID`, with every problem
 */
export async function createLurkbox(options: LurkboxOptions = {}): Promise<Lurkbox> {
  const config = normalizeOptions(options);
  const policy = await readPolicy(config);
  const identity = createIdentity();
  const reaper = new Reaper(identity, config.logger);
  const place = await openStatePlace(config);
  const { cacheDir } = place;
  const admission = new Admission({
    concurrency: config.concurrency,
    maxQueue: config.maxQueue,
    memoryBytes: (config.maxMemoryMb ?? Number.POSITIVE_INFINITY) * 1024 * 1024,
    cpuCores: config.maxCpuCores,
    isShared: () => hasSeveral(registry),
  });
  const schemaChecker = new SchemaChecker();
  const pool = new Pool({
    admission,
    maxWarm: config.maxWarm,
    maxWarmBytes: config.maxWarmMemoryMb * 1024 * 1024,
    maxReused: config.maxReused,
    maxReusedPerPlugin: config.maxReusedPerPlugin,
    startsAtOnce: availableParallelism(),
    maxAgeMs: config.maxWarmSeconds * 1000,
    logger: config.logger,
  });
  const connect = once(async () => {
    const { connectEngine } = await import('./engine/connect.ts');
    const engine = await connectEngine({ env: config.env });
    await assertSparesEngine(policy, engine);
    if (config.maxMemoryMb === undefined) {
      const { memoryBytes } = await engine.facts();
      // An engine that does not tell has 0.
      if (memoryBytes > 0) {
        const most = withoutKernelReserve(memoryBytes, config.concurrency);
        admission.setCeilings({ memoryBytes: most, cpuCores: config.maxCpuCores });
      }
      pool.learnCeilings();
    }
    // Beside the first execution and not before it: leftovers are in nobody's way.
    reaper.begin(engine);
    return engine;
  });
  const programs = new HostPrograms(config.env);
  let guard: Guard | undefined;
  /** For whoever makes something: what it makes is guarded from before it exists. */
  const connectGuarded = async (): Promise<ContainerEngine> => {
    const engine = await connect();
    guard ??= startGuard({ identity, engineEnv: engine.endpoint.env, cacheDir, logger: config.logger });
    return engine;
  };
  const queue = new BuildQueue();
  const images = once(async () => {
    const { createImageStore } = await import('./image/image-store.ts');
    return createImageStore({
      engine: await connectGuarded(),
      cacheDir,
      programs,
      keepPackages: place.isKept,
      madeImagesFolder: madeImagesFolder(config.env),
      workspaceRoot: config.workspaceRoot,
      queue,
      logger: config.logger,
      onProgress: config.onImageProgress,
    });
  });
  const { registry, files, events, audit, recorder } = await openWorkspace(config, place, policy).catch(
    async (error: unknown) => {
      await place[Symbol.asyncDispose]();
      throw error;
    },
  );
  const pluginsFolder = join(config.workspaceRoot, PLUGINS_FOLDER);
  const supply = new ImageSupply(config);
  const contents = new KnownContents(registry, files);
  const locks = new PackageLocks({
    contents,
    supply,
    registry,
    locker: createPackageLocker({
      cacheDir,
      programs,
      queue,
      logger: config.logger,
      onProgress: config.onImageProgress,
    }),
    recorder,
  });
  const uids = new PluginUids({
    registry,
    policy,
    // With the id of the machine, so that the author of a plugin cannot choose a name that leads to the number of another one.
    workspace: `${readMachineId().trim()}:${config.workspaceRoot}`,
    isHostAccount: readHostAccounts(),
    logger: config.logger,
  });
  const sandboxes = new SandboxCache({
    policy,
    uidOf: (plugin) => uids.uidOf(plugin),
    files,
    images,
    supply,
    factory: new SandboxFactory({
      connect: connectGuarded,
      ownerLabels: toLabels(identity),
      admission,
      schemaChecker,
      reaper,
      pool,
      logger: config.logger,
    }),
    recorder,
  });
  const uninstaller = new Uninstaller({
    registry,
    files,
    sandboxes,
    images,
    policy,
    recorder,
    logger: config.logger,
  });
  const installer = new Installer({
    locks,
    contents,
    registry,
    files,
    policy,
    recorder,
    pluginsFolder,
    keptNames: config.persist ? null : new KeptNames({ policy, read: () => readKeptRecords(config) }),
    schemaChecker,
    uninstaller,
  });
  const activation = new Activation({ registry, sandboxes, uninstaller, recorder });
  const consents = new Consents({ registry, activation, sandboxes, recorder });
  const watch = new RolloutMonitor({ registry, activation, policy, recorder, probe: sandboxes });
  const resolver = new Resolver(registry, sandboxes);
  const executor = new Executor({
    registry,
    resolver,
    sandboxes,
    locks,
    watch,
    policy,
    recorder,
    logger: config.logger,
  });
  const loader = new PluginLoader({ registry, installer, uninstaller, activation, consents });
  const reloader = new FolderReloader({
    registry,
    installer,
    uninstaller,
    sandboxes,
    activation,
    recorder,
    pluginsFolder,
  });
  const plugins = new PluginManager({
    workspaceRoot: config.workspaceRoot,
    policy,
    logger: config.logger,
    registry,
    folders: new FolderLoader({ registry, installer, activation, sandboxes, locks }),
    uninstaller,
    contents,
    locks,
    resolver,
    activation,
    consents,
    rollout: new Rollout({ registry, resolver, activation, executor, locks, sandboxes }),
    sandboxes,
    executor,
  });

  const watching = new Set<HotReloadManager>();
  const following = setInterval(() => sandboxes.followAll((name) => registry.get(name)), FOLLOW_MS).unref();

  const close = async (): Promise<void> => {
    clearInterval(following);
    await Promise.all([...watching].map((manager) => manager.stop()));
    await Promise.all([plugins.close(), pool.close()]);
    await schemaChecker.close();
    events.close();
    audit?.close();
    await registry.close();
    await place[Symbol.asyncDispose]();
    const isSure = await reaper.close();
    // What may still come is for the guard to remove, when this process ends.
    if (isSure) await guard?.dismiss();
  };
  try {
    sandboxes.warmUp(registry.list().flatMap(({ active }) => active ?? []));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    workspaceRoot: config.workspaceRoot,
    policy,
    plugins,
    registry,
    loader,
    events,
    reloader,
    hotReload: (given = {}) => {
      const manager = new HotReloadManager({ reloader, logger: config.logger, ...given });
      watching.add(manager);
      // Who unloads a plugin does not want it back at the next save; one whose folder is gone may come back with it.
      events.addEventHandler(
        async ({ metadata: { origin } }) => {
          const folder = folderOf(origin);
          if (folder !== null && existsSync(folder)) await manager.removePath(folder);
        },
        { types: ['UNLOAD'] },
      );
      return manager;
    },
    images,
    engineFacts: async () => {
      const connected = await connect();
      const { url: address, chosenBy, connection, env } = connected.endpoint;
      return { ...(await connected.facts()), address, chosenBy, connection, env };
    },
    checkRuntimes: async () => checkRuntimes(await (await connect()).facts(), namedRuntimes(policy)),
    dockerOptions: async (instance) => toDockerOptions(instance, await (await connect()).facts(), identity),
    prune: async () => prune(await connect(), identity),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A store that cannot be read keeps no place from being given back. */
function hasSeveral(registry: PluginRegistry): boolean {
  try {
    return registry.list().length > 1;
  } catch {
    return true;
  }
}

/** What is kept in the workspace, or in memory where nothing is to be kept. */
async function openWorkspace(
  { workspaceRoot, logger }: LurkboxConfig,
  { storeFolder, auditFolder, files, isKept, notice }: StatePlace,
  policy: Policy,
) {
  const registry = await PluginRegistry.open({
    stateFolder: storeFolder,
    workspaceRoot,
    isKept,
    notice,
    logger,
  });
  // Where nothing is known, files tell of records that somebody took away.
  const wasMended = registry.repairs.length > 0 || registry.list().length === 0;
  const orphans = registry.transaction(() => {
    const known = registry.list().flatMap(({ versions }) => versions.map(({ folder }) => folder));
    return files.sweep(new Set(known), { keep: wasMended });
  });
  const what = wasMended ? 'put files aside whose records were lost' : 'removed what a killed process left';
  if (orphans.length > 0) logger.warn({ orphans }, what);
  const events = new PluginEvents({ logger });
  const audit = auditFolder === null ? null : await AuditLog.open({ folder: auditFolder, logger });
  const policyHash = sha256Of(Buffer.from(JSON.stringify(policy)));
  audit?.append({ kind: 'opened', lurkbox: VERSION, pid: process.pid, policyHash });
  const recorder = new LifecycleRecorder({
    onEvent: (event) => {
      events.emit(event);
      registry.appendEvent(event);
    },
    onAudit: (entry) => audit?.append(entry),
  });
  return { registry, files, events, audit, recorder };
}

/** Of the origin that an event names. */
function folderOf(origin: unknown): string | null {
  const { kind, path } = (origin ?? {}) as { kind?: unknown; path?: unknown };
  return kind === 'folder' && typeof path === 'string' ? path : null;
}

/** Who can write to one of them is trusted by every plugin that has a network. */
function certificatePlaces({ certificates = {} }: Policy): GuardedPlace[] {
  return Object.keys(certificates).map((path) => ({ what: 'the certificates of the policy', path }));
}

async function readPolicy({ policy, workspaceRoot, env, logger }: LurkboxConfig): Promise<Policy> {
  const onFormerKeys = (keys: readonly FormerKey[]): void =>
    logger.warn(
      { keys: Object.fromEntries(keys.map(({ path, now }) => [path, now])) },
      'keys of the policy have other names now; `lurkbox policy check --write` renames them in its file',
    );
  const workspace = { what: 'the workspace', path: workspaceRoot };
  const spare = async (read: Policy, ...own: readonly GuardedPlace[]): Promise<Policy> => {
    if (Object.keys(read.allow.mounts).length > 0)
      await assertMountsSpare(read, [
        workspace,
        ...own,
        ...certificatePlaces(read),
        ...placesOfHost(env),
        ...(await enginePlaces(env)),
      ]);
    return read;
  };
  if (typeof policy === 'object') return spare(await parsePolicy(policy, { onFormerKeys }));
  if (policy !== undefined)
    return spare(await loadPolicy(policy, { onFormerKeys }), {
      what: 'the policy file',
      path: resolve(policy),
    });
  const file = await findPolicyFile(workspaceRoot);
  if (file === null) return loadPolicy(null);
  // Whoever fills a workspace has no file outside of it read in this way.
  const found = await loadPolicy(file, { path: 'resolved', onFormerKeys });
  return spare(found, { what: 'the policy file', path: file });
}

/** What only the engine knows. Its files are those of other containers, which nobody may read either. */
async function assertSparesEngine(policy: Policy, engine: ContainerEngine): Promise<void> {
  if (Object.keys(policy.allow.mounts).length === 0) return;
  const { dataRoot } = await engine.facts();
  const what = 'the folder in which the engine keeps its containers and images';
  if (dataRoot !== '') await assertMountsSpare(policy, [{ what, path: dataRoot, isSecret: true }]);
}

/** What leads to the engine. A choice that cannot be used is told when the engine is looked for. */
async function enginePlaces(env: NodeJS.ProcessEnv): Promise<GuardedPlace[]> {
  const addresses = await engineCandidates(env).catch(() => []);
  return addresses.flatMap((address): GuardedPlace[] => {
    if ('socketPath' in address)
      return [
        { what: 'the socket of the engine', path: address.socketPath, reach: 'itself', isSecret: true },
      ];
    const folder = address.tls?.folder ?? null;
    return folder === null
      ? []
      : [{ what: 'the folder of the keys to the engine', path: folder, isSecret: true }];
  });
}

/** Only a file that is not there is no policy; one that cannot be read is an error. */
async function findPolicyFile(workspaceRoot: string): Promise<string | null> {
  const file = join(workspaceRoot, POLICY_FILE);
  return lstat(file).then(
    () => file,
    (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? null : file),
  );
}

function toDockerOptions(
  instance: PluginInstance,
  facts: EngineFacts,
  identity: Identity,
): DockerCreateOptions {
  const spec = buildContainerSpec({
    grant: instance.grant,
    name: 'lurkbox-<execution id>',
    image: 'sha256:<image id>',
    labels: {
      ...toLabels(identity),
      [LABELS.kind]: 'container',
      [LABELS.execution]: '<execution id>',
      [LABELS.plugin]: instance.name,
      [LABELS.version]: instance.version,
    },
  });
  return toCreateOptions(spec, facts);
}

/** Runs the work at the first call and shares its result; a failure is forgotten, so that the next call tries again. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= work().catch((error: unknown) => {
      running = undefined;
      throw error;
    });
    return running;
  };
}
