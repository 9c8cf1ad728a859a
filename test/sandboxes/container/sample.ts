import type { Admission } from '../../../src/calls/admission/admission.ts';
import { Stopwatch } from '../../../src/calls/stopwatch.ts';
import type { ContainerEngine } from '../../../src/engine/engine.ts';
import { SILENT_LOGGER } from '../../../src/logger.ts';
import { PluginManifestSchema } from '../../../src/manifest/schema.ts';
import type { Grant } from '../../../src/policy/grant.ts';
import type { PluginExecutionContext } from '../../../src/protocol/messages.ts';
import { createIdentity } from '../../../src/sandboxes/cleanup/identity.ts';
import { Reaper } from '../../../src/sandboxes/cleanup/reaper.ts';
import { Container } from '../../../src/sandboxes/container/container.ts';
import { ContainerFactory } from '../../../src/sandboxes/container/container-factory.ts';
import type { ContainerPlan } from '../../../src/sandboxes/container/container-plan.ts';
import {
  ContainerSandbox,
  type ContainerSandboxOptions,
} from '../../../src/sandboxes/container/container-sandbox.ts';
import { Execution, type ExecutionPlan } from '../../../src/sandboxes/container/execution.ts';
import type { SandboxImage } from '../../../src/sandboxes/plugin-sandbox.ts';
import { admissionOf } from '../../calls/admission/sample.ts';
import type { FakeEngine } from '../../helpers/fake-engine.ts';
import { MINIMAL } from '../../manifest/sample.ts';
import { SCHEMA_CHECKER } from '../../schemas/sample.ts';
import { GRANT, IMAGE } from '../../spec/sample.ts';
import { NO_SOURCE } from './no-source.ts';

export const DIGEST = `sha256:${'d'.repeat(64)}` as const;
const OWNER = { 'lurkbox.instance': 'i-1' };

/** An image that is there. */
export const PRESENT: SandboxImage = {
  find: async () => IMAGE,
  prepare: async () => IMAGE,
  notes: async () => [],
  takeWarnings: () => [],
};

export interface FactoryChanges {
  readonly grant?: Grant;
  readonly entryPoint?: string;
  readonly connect?: () => Promise<ContainerEngine>;
  readonly reaper?: Reaper;
}

export function factoryOf(engine: FakeEngine, changes: FactoryChanges = {}): ContainerFactory {
  return new ContainerFactory({
    grant: GRANT,
    entryPoint: 'index.js',
    version: '1.0.0',
    connect: async () => engine,
    ownerLabels: OWNER,
    reaper: new Reaper(createIdentity(), SILENT_LOGGER),
    ...changes,
  });
}

export interface SandboxChanges
  extends FactoryChanges,
    Partial<Omit<ContainerSandboxOptions, 'image' | 'containers'>> {
  readonly manifest?: object;
  readonly admission?: Admission;
  readonly image?: Partial<SandboxImage>;
}

/** On an engine that has the image, without containers that wait. */
export function sandboxOf(engine: FakeEngine, changes: SandboxChanges = {}): ContainerSandbox {
  const { manifest, image, grant = GRANT, connect = async () => engine, reaper, ...own } = changes;
  return new ContainerSandbox({
    plugin: { manifest: PluginManifestSchema.parse({ ...MINIMAL, ...manifest }), digest: DIGEST },
    containers: factoryOf(engine, { grant, connect, ...(reaper === undefined ? {} : { reaper }) }),
    image: { ...PRESENT, ...image },
    source: NO_SOURCE,
    admission: admissionOf(),
    schemaChecker: SCHEMA_CHECKER,
    onLost: () => {},
    logger: SILENT_LOGGER,
    ...own,
  });
}

export const CONTEXT: PluginExecutionContext = {
  executionId: 'e1',
  userId: null,
  channelId: null,
  sessionId: null,
  inputData: null,
  parameters: {},
  environment: {},
  config: {},
};

export interface ExecutionChanges
  extends Partial<ExecutionPlan>,
    Partial<Pick<ContainerPlan, 'onSuspicion'>> {
  readonly grant?: Partial<Grant>;
}

/** In a container of its own. */
export function executionOf(engine: FakeEngine, changes: ExecutionChanges = {}): Execution {
  const { grant: changed, onSuspicion = () => {}, ...own } = changes;
  const grant = { ...GRANT, ...changed };
  const plan = planOf(engine, { grant, onSuspicion });
  return new Execution({
    container: (user) => new Container(plan, user),
    kind: 'cold',
    context: CONTEXT,
    timeoutMs: grant.timeoutMs,
    stopwatch: new Stopwatch(),
    logger: SILENT_LOGGER,
    signal: undefined,
    onProgress: undefined,
    onLost: () => {},
    ...own,
  });
}

export function planOf(engine: FakeEngine, changes: Partial<ContainerPlan> = {}): ContainerPlan {
  return {
    id: 'e1',
    engine,
    grant: GRANT,
    image: IMAGE,
    entryPoint: 'index.js',
    version: '1.0.0',
    ownerLabels: OWNER,
    logger: SILENT_LOGGER,
    onSuspicion: () => {},
    ...changes,
  };
}
