import { availableParallelism } from 'node:os';
import { Admission } from './calls/admission/admission.ts';
import { withoutKernelReserve } from './calls/admission/kernel-reserve.ts';
import type { ContainerEngine } from './engine/engine.ts';
import { BuildQueue } from './image/build-queue.ts';
import { HostPrograms } from './image/host-programs.ts';
import type { ImageStore } from './image/image-store.ts';
import { madeImagesFolder } from './image/made-images.ts';
import { createPackageLocker, type PackageLocker } from './image/package-locker.ts';
import type { LurkboxConfig } from './options.ts';
import { type Guard, startGuard } from './sandboxes/cleanup/guard.ts';
import { createIdentity, type Identity, toLabels } from './sandboxes/cleanup/identity.ts';
import { Reaper } from './sandboxes/cleanup/reaper.ts';
import { Pool } from './sandboxes/pool/pool.ts';
import { SandboxFactory } from './sandboxes/sandbox-factory.ts';
import { SchemaChecker } from './schemas/schema-checker.ts';
import type { PluginRegistry } from './versions/registry/registry.ts';
import type { Workspace } from './workspace.ts';
import { assertSparesEngine } from './workspace-policy.ts';

/** What runs plugins: the engine, which is looked for when something needs it first, images, containers, and their limits. */
export interface Runtime {
  readonly identity: Identity;
  readonly schemaChecker: SchemaChecker;
  readonly factory: SandboxFactory;
  readonly locker: PackageLocker;
  /** @throws LurkboxError `ENGINE_UNAVAILABLE`, or `POLICY_INVALID` where plugins could write to what is the engine's */
  connect(): Promise<ContainerEngine>;
  images(): Promise<ImageStore>;
  /** Resolves when no container waits for calls any more. */
  stop(): Promise<void>;
  /** After the last call: resolves when nothing is left in the engine, as far as this process can say; the guard sees to the rest. */
  close(): Promise<void>;
}

export function createRuntime(config: LurkboxConfig, workspace: Workspace): Runtime {
  const { logger } = config;
  const identity = createIdentity();
  const reaper = new Reaper(identity, logger);
  const admission = createAdmission(config, workspace.registry);
  const pool = createPool(config, admission);
  const schemaChecker = new SchemaChecker();
  const connect = createConnect(config, workspace, { admission, pool, reaper });
  const guarded = createGuarded(config, workspace, identity, connect);
  const { images, locker } = createImages(config, workspace, guarded.connect);
  const factory = new SandboxFactory({
    connect: guarded.connect,
    ownerLabels: toLabels(identity),
    admission,
    schemaChecker,
    reaper,
    pool,
    logger,
  });
  const close = async (): Promise<void> => {
    await schemaChecker.close();
    // What may still come is for the guard to remove, when this process ends.
    if (await reaper.close()) await guarded.dismiss();
  };
  return { identity, schemaChecker, factory, locker, connect, images, stop: () => pool.close(), close };
}

function createAdmission(config: LurkboxConfig, registry: PluginRegistry): Admission {
  return new Admission({
    concurrency: config.concurrency,
    maxQueue: config.maxQueue,
    memoryBytes: (config.maxMemoryMb ?? Number.POSITIVE_INFINITY) * 1024 * 1024,
    cpuCores: config.maxCpuCores,
    isShared: () => hasSeveral(registry),
  });
}

function createPool(config: LurkboxConfig, admission: Admission): Pool {
  return new Pool({
    admission,
    maxWarm: config.maxWarm,
    maxWarmBytes: config.maxWarmMemoryMb * 1024 * 1024,
    maxReused: config.maxReused,
    maxReusedPerPlugin: config.maxReusedPerPlugin,
    startsAtOnce: availableParallelism(),
    maxAgeMs: config.maxWarmSeconds * 1000,
    logger: config.logger,
  });
}

function createConnect(
  { env, maxMemoryMb, maxCpuCores, concurrency }: LurkboxConfig,
  { policy }: Workspace,
  { admission, pool, reaper }: { admission: Admission; pool: Pool; reaper: Reaper },
): () => Promise<ContainerEngine> {
  return lazy(async () => {
    const { connectEngine } = await import('./engine/connect.ts');
    const engine = await connectEngine({ env });
    await assertSparesEngine(policy, engine);
    if (maxMemoryMb === undefined) {
      const { memoryBytes } = await engine.facts();
      // An engine that does not tell has 0.
      if (memoryBytes > 0)
        admission.setCeilings({
          memoryBytes: withoutKernelReserve(memoryBytes, concurrency),
          cpuCores: maxCpuCores,
        });
      pool.learnCeilings();
    }
    // Beside the first execution and not before it: leftovers are in nobody's way.
    reaper.begin(engine);
    return engine;
  });
}

/** For whoever makes something in the engine: what it makes is guarded from before it exists. */
function createGuarded(
  { logger }: LurkboxConfig,
  { place: { cacheDir } }: Workspace,
  identity: Identity,
  connect: () => Promise<ContainerEngine>,
) {
  let guard: Guard | undefined;
  return {
    connect: async (): Promise<ContainerEngine> => {
      const engine = await connect();
      guard ??= startGuard({ identity, engineEnv: engine.endpoint.env, cacheDir, logger });
      return engine;
    },
    dismiss: async (): Promise<void> => guard?.dismiss(),
  };
}

function createImages(
  { env, workspaceRoot, logger, onImageProgress: onProgress }: LurkboxConfig,
  { place: { cacheDir, isKept } }: Workspace,
  connect: () => Promise<ContainerEngine>,
) {
  const common = { cacheDir, programs: new HostPrograms(env), queue: new BuildQueue(), logger, onProgress };
  const images = lazy(async () => {
    const { createImageStore } = await import('./image/image-store.ts');
    return createImageStore({
      ...common,
      engine: await connect(),
      keepPackages: isKept,
      madeImagesFolder: madeImagesFolder(env),
      workspaceRoot,
    });
  });
  return { images, locker: createPackageLocker(common) };
}

/** A store that cannot be read keeps no slot from being given back. */
function hasSeveral(registry: PluginRegistry): boolean {
  try {
    return registry.list().length > 1;
  } catch {
    return true;
  }
}

/** Runs the work at the first call and shares its result; a failure is forgotten, so that the next call tries again. */
function lazy<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= work().catch((error: unknown) => {
      running = undefined;
      throw error;
    });
    return running;
  };
}
