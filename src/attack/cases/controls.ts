import { randomUUID } from 'node:crypto';
import type { PluginExecutionResult } from '../../calls/result.ts';
import { LurkboxError } from '../../errors.ts';
import { LABELS } from '../../labels.ts';
import { createLurkbox } from '../../lurkbox.ts';
import { normalizeOptions } from '../../options.ts';
import { toAllowance } from '../../spec/allowance.ts';
import { buildContainerSpec } from '../../spec/build.ts';
import type { ContainerSpec } from '../../spec/container-spec.ts';
import {
  type AttackGroup,
  all,
  type ControlTarget,
  describeEnd,
  heldIf,
  notCarriedOut,
  notHeld,
  type Verdict,
} from '../attack.ts';

/** How a finished plan could be weaker than its grant: each of these alone must be seen. */
const WEAKER: Readonly<Record<string, object>> = {
  'a root that can be written to': { readOnlyRoot: false },
  'all capabilities': { capDrop: [] },
  'new privileges': { noNewPrivileges: false },
  'no filter of system calls': { seccompProfile: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] } },
  'root as its user': { user: '0:0' },
  'the network of the host': { network: { mode: 'host' } },
  'the socket of the engine': {
    mounts: [{ hostPath: '/var/run/docker.sock', containerPath: '/run/docker.sock', readOnly: true }],
  },
  'the shared memory of the host': { ipcMode: 'host' },
  'the cgroups of the host': { cgroupnsMode: 'host' },
  'no limit of memory': { memoryBytes: 0 },
  'no limit of processes': { pids: -1 },
  'no limit of CPU': { cpuCores: 0 },
  'no limit of descriptors': { nofile: 1_048_576 },
  'core dumps': { coreBytes: -1 },
  'a larger /tmp': { tmpfs: [{ path: '/tmp', sizeBytes: 2 ** 40, inodes: 4096 }] },
  'a variable that loads code': { env: { NODE_OPTIONS: '--require /plugin/index.mjs' } },
  'another command': { command: ['/usr/local/bin/node', '/plugin/index.mjs'] },
  'a first process that forks': { init: true },
  'a copy of its output on disk': { logDriver: 'json-file' },
  'a start after its end': { restart: 'always' },
  'another image': { image: `sha256:${'0'.repeat(64)}` },
  'labels of another': { labels: {} },
};

/** Asked of the engine's own door, behind which there is only the engine. Nothing is ever started. */
async function askForWeaker(target: ControlTarget): Promise<Record<string, string>> {
  const answers: Record<string, string> = { 'what it is granted': await create(target, {}) };
  for (const [what, change] of Object.entries(WEAKER)) answers[what] = await create(target, change);
  return answers;
}

async function create(target: ControlTarget, change: object): Promise<string> {
  const { engine, instance, image } = target;
  const executionId = randomUUID();
  const made = {
    name: `lurkbox-${executionId}`,
    image,
    labels: { ...target.labels, [LABELS.execution]: executionId },
  };
  const spec: ContainerSpec = { ...buildContainerSpec({ grant: instance.grant, ...made }), ...change };
  try {
    await engine.createContainer(spec, { ...toAllowance(instance.grant), ...made });
    return 'created';
  } catch (error) {
    return error instanceof LurkboxError ? error.code : String(error);
  } finally {
    await engine.removeContainer(made.name);
  }
}

const NO_SUCH_RUNTIME = 'lurkbox-no-such-runtime';

async function askForOtherRuntime({ lurkbox, instance }: ControlTarget): Promise<PluginExecutionResult> {
  const { env } = await lurkbox.engineFacts();
  await using other = await createLurkbox({
    workspaceRoot: lurkbox.workspaceRoot,
    persist: false,
    policy: { ...lurkbox.policy, runtime: NO_SUCH_RUNTIME },
    // What builds an image is found by the PATH.
    env: { ...normalizeOptions({}).env, ...env },
    maxWarm: 0,
  });
  await other.plugins.loadPlugin(instance.plugin.folder);
  return other.plugins.executePlugin(instance.name, { inputData: { program: '() => null' } });
}

/** More than any policy can allow a plugin that it does not name. */
const TOO_MUCH: Readonly<Record<string, object>> = {
  'the network of the host': { permissions: { network: 'host' } },
  'a folder of the host': { permissions: { filesystem: { mounts: { root: 'rw' } } } },
  'more memory than there is': { resources: { memory_mb: 65_536 } },
};

async function askForTooMuch({ lurkbox, withManifest }: ControlTarget): Promise<Record<string, string>> {
  const answers: Record<string, string> = {};
  for (const [what, changes] of Object.entries(TOO_MUCH)) {
    const name = `asks-${randomUUID().slice(0, 8)}`.replace(/-(\d)/, '-x$1');
    const folder = await withManifest({ name, ...changes });
    answers[what] = await lurkbox.plugins.loadPlugin(folder).then(
      () => 'loaded',
      (error: unknown) => (error instanceof LurkboxError ? error.code : String(error)),
    );
    await lurkbox.plugins.unloadPlugin(name);
  }
  return answers;
}

export const CONTROLS: AttackGroup = {
  area: 'lurkbox itself',
  attacks: [
    {
      id: 'controls-weaker',
      title: `a plan that is weaker than its grant is refused before it is created (${Object.keys(WEAKER).length} ways)`,
      promises: ['P6'],
      ask: askForWeaker,
      judge: ({ 'what it is granted': granted = '', ...weaker }: Record<string, string>) =>
        all(
          NOT_ASKED.test(granted)
            ? notCarriedOut(`what is granted: ${granted}`)
            : heldIf(granted === 'created', 'what is granted to be created', granted),
          judgeCodes(weaker, 'ENGINE_INSECURE', Object.keys(WEAKER)),
        ),
    },
    {
      id: 'controls-runtime',
      title: 'where the runtime of the policy is missing, nothing runs on another one',
      promises: ['P1', 'P6'],
      ask: askForOtherRuntime,
      judge: (result: PluginExecutionResult) =>
        NOT_ASKED.test(result.outcome)
          ? notCarriedOut(describeEnd(result))
          : result.outcome === 'RUNTIME_UNAVAILABLE'
            ? heldIf(result.phases.startMs === null, 'no container to be started', 'one was')
            : notHeld('RUNTIME_UNAVAILABLE', describeEnd(result)),
    },
    {
      id: 'controls-policy',
      title: 'a plugin that asks for more than the policy allows is not loaded',
      promises: ['P6'],
      ask: askForTooMuch,
      judge: (codes: Record<string, string>) => judgeCodes(codes, 'POLICY_DENIED', Object.keys(TOO_MUCH)),
    },
  ],
};

/** Codes by which an engine says that it did not come to what it was asked. */
const NOT_ASKED = /^ENGINE_(TIMEOUT|LOST|UNAVAILABLE)$/;

function judgeCodes(
  codes: Readonly<Record<string, string>>,
  code: string,
  asked: readonly string[],
): Verdict {
  const wrong = asked.filter((what) => codes[what] !== code);
  const describe = (list: readonly string[]): string =>
    list.map((what) => `${what}: ${codes[what] ?? 'not asked'}`).join(', ');
  const given = wrong.filter((what) => !NOT_ASKED.test(codes[what] ?? ''));
  if (given.length === 0 && wrong.length > 0) return notCarriedOut(describe(wrong));
  return heldIf(given.length === 0, `${code} for each`, describe(given));
}
