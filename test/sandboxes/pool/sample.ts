import { setTimeout as delay } from 'node:timers/promises';
import type { Admission } from '../../../src/calls/admission/admission.ts';
import type { ExecuteOptions } from '../../../src/calls/call.ts';
import { parseContext } from '../../../src/calls/context.ts';
import type { PluginExecutionResult } from '../../../src/calls/result.ts';
import type { ContainerEngine } from '../../../src/engine/engine.ts';
import { SILENT_LOGGER } from '../../../src/logger.ts';
import { PluginManifestSchema } from '../../../src/manifest/schema.ts';
import type { Grant } from '../../../src/policy/grant.ts';
import { createIdentity } from '../../../src/sandboxes/cleanup/identity.ts';
import { Reaper } from '../../../src/sandboxes/cleanup/reaper.ts';
import { ContainerSandbox } from '../../../src/sandboxes/container/container-sandbox.ts';
import type { SandboxImage } from '../../../src/sandboxes/plugin-sandbox.ts';
import type { PluginPool, PluginPoolOptions } from '../../../src/sandboxes/pool/plugin-pool.ts';
import { Pool, type PoolOptions } from '../../../src/sandboxes/pool/pool.ts';
import { admissionOf } from '../../calls/admission/sample.ts';
import { type FakeContainer, FakeEngine } from '../../helpers/fake-engine.ts';
import { MINIMAL } from '../../manifest/sample.ts';
import { SCHEMA_CHECKER } from '../../schemas/sample.ts';
import { GRANT } from '../../spec/sample.ts';
import { DIGEST, factoryOf, PRESENT } from '../container/sample.ts';

/** Of a kept container, for a hundred calls and a minute. */
export const KEPT = { maxCalls: 100, maxAgeMs: 60_000 };

type Told = { readonly bytes?: number; readonly error?: object } | 'silence' | null;

/** A runner that loads its plugin, which answers how often it was called, or so many bytes, or with an error, or not at all. */
export function serve(container: FakeContainer): void {
  let calls = 0;
  container.onReceived = ({ method, id, params }) => {
    if (method === 'load') container.say({ id, result: null });
    if (method !== 'execute') return;
    calls++;
    const { inputData } = (params as { context: { inputData: Told } }).context;
    if (inputData === 'silence') return;
    if (inputData?.error) container.say({ id, error: inputData.error });
    else container.say({ id, result: inputData?.bytes ? 'x'.repeat(inputData.bytes) : calls });
  };
  container.ready();
}

export interface Stage extends AsyncDisposable {
  readonly engine: FakeEngine;
  readonly admission: Admission;
  readonly pool: Pool;
  /** A plugin of the pool, which is called and hinted for. */
  plugin(name: string, changes?: PluginChanges): { pluginPool: PluginPool; call: Call };
}

interface PluginChanges extends Partial<Omit<PluginPoolOptions, 'containers' | 'image'>> {
  readonly grant?: Partial<Grant>;
  readonly manifest?: object;
  readonly connect?: () => Promise<ContainerEngine>;
  readonly image?: Partial<SandboxImage>;
}

type Call = (context?: object, options?: ExecuteOptions) => Promise<PluginExecutionResult>;

/** A pool with a fake engine, four places and the ceilings of a lurkbox, where `changes` has no others. */
export function stageOf(changes: Partial<PoolOptions> & { engine?: FakeEngine } = {}): Stage {
  const { engine = new FakeEngine(serve), admission = admissionOf(), ...ceilings } = changes;
  const most = {
    maxWarm: 32,
    maxWarmBytes: Number.POSITIVE_INFINITY,
    maxReused: 32,
    maxReusedPerPlugin: 16,
  };
  const pool = new Pool({
    admission,
    ...most,
    startsAtOnce: 2,
    maxAgeMs: 60_000,
    logger: SILENT_LOGGER,
    ...ceilings,
  });
  const reaper = new Reaper(createIdentity(), SILENT_LOGGER);
  const sandboxes: ContainerSandbox[] = [];
  const plugin: Stage['plugin'] = (name, changes = {}) => {
    const { grant: changed, manifest, connect = async () => engine, image: made, ...own } = changes;
    const grant = { ...GRANT, plugin: name, ...changed };
    const containers = factoryOf(engine, { grant, entryPoint: 'i.js', connect, reaper });
    const image = { ...PRESENT, ...made };
    const common = { containers, image, logger: SILENT_LOGGER, ...own };
    const pluginPool = pool.open({ preload: true, warm: 0, ...common });
    const sandbox = new ContainerSandbox({
      ...common,
      plugin: { manifest: PluginManifestSchema.parse({ ...MINIMAL, name, ...manifest }), digest: DIGEST },
      admission,
      schemaChecker: SCHEMA_CHECKER,
      source: pluginPool,
      onLost: () => {},
    });
    sandboxes.push(sandbox);
    const call: Call = (context = {}, options = {}) => sandbox.execute(parseContext(context), options);
    return { pluginPool, call };
  };
  const close = async (): Promise<void> => {
    await Promise.all([...sandboxes.map((sandbox) => sandbox.close()), pool.close()]);
  };
  return { engine, admission, pool, plugin, [Symbol.asyncDispose]: close };
}

/** What comes of it; fails when that takes long. */
export function soon<T>(work: Promise<T>): Promise<T> {
  const late = delay(3_000, undefined, { ref: false }).then(() => {
    throw new Error('not within 3000 ms');
  });
  return Promise.race([work, late]);
}
