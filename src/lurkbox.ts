import { access } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Admission } from './admission/admission.ts';
import { connectEngine } from './engine/connect.ts';
import type { ContainerEngine, EngineFacts } from './engine/engine.ts';
import { checkRuntimes, type RuntimeCheck } from './engine/runtimes.ts';
import { type CreateOptions, toCreateOptions } from './engine/to-create-options.ts';
import { createIdentity, type Identity, toLabels } from './execution/identity.ts';
import { type Pruned, prune } from './execution/prune.ts';
import { Reaper } from './execution/reaper.ts';
import { type Guard, startGuard } from './guard/guard.ts';
import { createImageStore, type ImageStore } from './image/image-store.ts';
import { LABELS } from './labels.ts';
import { type PluginInstance, PluginManager } from './lifecycle/plugin-manager.ts';
import { type LurkboxConfig, type LurkboxOptions, normalizeOptions } from './options.ts';
import { assertMountsSpare, type GuardedPlace } from './policy/guarded-places.ts';
import { loadPolicy, POLICY_FILE, parsePolicy } from './policy/load.ts';
import { namedRuntimes } from './policy/runtimes.ts';
import type { Policy } from './policy/schema.ts';
import { Pool } from './pool/pool.ts';
import { buildContainerSpec } from './spec/build.ts';

/** Folder of a workspace that lurkbox keeps its own things in. */
export const STATE_FOLDER = '.lurkbox';

export interface Lurkbox extends AsyncDisposable {
  readonly workspaceRoot: string;
  readonly policy: Policy;
  readonly plugins: PluginManager;
  /** The images of lurkbox in the engine. */
  images(): Promise<ImageStore>;
  /** What the engine is and can enforce. @throws LurkboxError `ENGINE_UNAVAILABLE` */
  engineFacts(): Promise<EngineFacts & { readonly address: string }>;
  /** Whether the OCI runtimes that the policy names will do on this engine; the default of the engine where it names none. */
  checkRuntimes(): Promise<readonly RuntimeCheck[]>;
  /** The exact Docker options of a plugin's containers on this engine; name and image are filled in at each execution. */
  dockerOptions(instance: PluginInstance): Promise<CreateOptions>;
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
  const cacheDir = join(config.workspaceRoot, STATE_FOLDER);
  const admission = new Admission({
    concurrency: config.concurrency,
    maxQueue: config.maxQueue,
    memoryBytes: (config.maxMemoryMb ?? Number.POSITIVE_INFINITY) * 1024 * 1024,
    cpuCores: config.maxCpuCores,
  });
  const pool = new Pool({
    admission,
    maxWarm: config.maxWarm,
    maxWarmBytes: config.maxWarmMemoryMb * 1024 * 1024,
    maxKept: config.maxKept,
    maxKeptPerPlugin: config.maxKeptPerPlugin,
    startsAtOnce: availableParallelism(),
    maxAgeMs: config.maxWarmSeconds * 1000,
    logger: config.logger,
    maxParked: config.maxParked,
  });
  const connect = once(async () => {
    const engine = await connectEngine({ env: config.env });
    if (config.maxMemoryMb === undefined) {
      const { memoryBytes } = await engine.facts();
      // An engine that does not tell has 0.
      if (memoryBytes > 0) admission.setCeilings({ memoryBytes, cpuCores: config.maxCpuCores });
    }
    // Beside the first execution and not before it: leftovers are in nobody's way.
    reaper.begin(engine);
    return engine;
  });
  let guard: Guard | undefined;
  /** For whoever makes something: what it makes is guarded from before it exists. */
  const connectGuarded = async (): Promise<ContainerEngine> => {
    const engine = await connect();
    guard ??= startGuard({ identity, engineAddress: engine.address, cacheDir, logger: config.logger });
    return engine;
  };
  const images = once(async () =>
    createImageStore({
      engine: await connectGuarded(),
      cacheDir,
      logger: config.logger,
      onProgress: config.onImageProgress,
    }),
  );
  const plugins = new PluginManager({
    policy,
    connect: connectGuarded,
    images,
    ownerLabels: toLabels(identity),
    admission,
    reaper,
    pool,
    logger: config.logger,
  });

  const close = async (): Promise<void> => {
    await Promise.all([plugins.close(), pool.close()]);
    const isSure = await reaper.close();
    // What may still come is for the guard to remove, when this process ends.
    if (isSure) await guard?.dismiss();
  };
  return {
    workspaceRoot: config.workspaceRoot,
    policy,
    plugins,
    images,
    engineFacts: async () => {
      const connected = await connect();
      return { ...(await connected.facts()), address: connected.address };
    },
    checkRuntimes: async () => checkRuntimes(await (await connect()).facts(), namedRuntimes(policy)),
    dockerOptions: async (instance) => toDockerOptions(instance, await (await connect()).facts(), identity),
    prune: async () => prune(await connect(), identity),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function readPolicy({ policy, workspaceRoot }: LurkboxConfig): Promise<Policy> {
  const workspace = { what: 'the workspace', path: workspaceRoot };
  if (typeof policy === 'object') return spare(await parsePolicy(policy), [workspace]);
  const file = policy ?? (await findPolicyFile(workspaceRoot));
  if (file === null) return loadPolicy(null);
  return spare(await loadPolicy(file), [workspace, { what: 'the policy file', path: file }]);
}

async function spare(policy: Policy, places: readonly GuardedPlace[]): Promise<Policy> {
  await assertMountsSpare(policy, places);
  return policy;
}

/** Only a file that is not there is no policy; one that cannot be read is an error. */
async function findPolicyFile(workspaceRoot: string): Promise<string | null> {
  const file = join(workspaceRoot, POLICY_FILE);
  return access(file).then(
    () => file,
    (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? null : file),
  );
}

function toDockerOptions(instance: PluginInstance, facts: EngineFacts, identity: Identity): CreateOptions {
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
