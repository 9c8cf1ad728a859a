import {
  type DockerCreateOptions,
  type HostOptions,
  toCreateOptions,
} from '../src/engine/docker/to-create-options.ts';
import type { EngineFacts } from '../src/engine/engine.ts';
import { BASELINE } from '../src/policy/baseline.ts';
import { buildContainerSpec } from '../src/spec/build.ts';
import { grantModest } from './reference.ts';

/** The container of a plugin that asks for nothing, in the words of Compose: those that docker-compose 1.29 knows too. */

const SECCOMP = 'seccomp=';

/** What a field of Docker's options is called in a Compose file, and why it is there; nothing where it has no word. */
type Words = readonly [key: string, value: unknown, reason?: string] | null;
type Dictionary<Fields> = { readonly [Field in keyof Fields]: (value: Fields[Field]) => Words };

const unsaid = (): Words => null;

/** Only ever empty or off, which is what Compose leaves out. */
function emptyOnly(value: unknown): Words {
  const isEmpty = typeof value === 'object' ? Object.keys(value ?? {}).length === 0 : !value;
  if (isEmpty) return null;
  throw new Error(`Expected an option that is empty or off, got ${JSON.stringify(value)}.`);
}

const CONTAINER: Dictionary<Omit<DockerCreateOptions, 'HostConfig'>> = {
  name: unsaid,
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Compose fills it in.
  Image: () => ['image', '${LURKBOX_IMAGE:?set it to the tag of an image, see README.md}'],
  Entrypoint: (command) => ['entrypoint', command],
  Cmd: emptyOnly,
  User: (user) => ['user', user, BASELINE.user.reason],
  WorkingDir: (folder) => ['working_dir', folder, BASELINE.workingDir.reason],
  Env: (variables) => ['environment', variables, BASELINE.env.reason],
  Labels: emptyOnly,
  Healthcheck: () => ['healthcheck', { disable: true }, BASELINE.healthcheck.reason],
  StopSignal: (signal) => ['stop_signal', signal, 'Process 1 ignores SIGTERM unless it asks for it.'],
  OpenStdin: (open) => ['stdin_open', open],
  Tty: (tty) => ['tty', tty],
  // Compose has no word for them: the network set-up they spare, and what `run` and `up` do by themselves.
  NetworkDisabled: unsaid,
  StdinOnce: unsaid,
  AttachStdin: unsaid,
  AttachStdout: unsaid,
  AttachStderr: unsaid,
};

const HOST: Dictionary<HostOptions> = {
  ReadonlyRootfs: (readOnly) => ['read_only', readOnly, BASELINE.readOnlyRoot.reason],
  CapDrop: (capabilities) => ['cap_drop', capabilities, BASELINE.capDrop.reason],
  SecurityOpt: (options) => ['security_opt', options.map(toSecurityOption), BASELINE.seccomp.reason],
  NetworkMode: (mode) => ['network_mode', mode, BASELINE.network.reason],
  Sysctls: (values) => ['sysctls', values, BASELINE.socketBuffers.reason],
  IpcMode: (mode) => ['ipc', mode, BASELINE.ipc.reason],
  Tmpfs: (mounts) => [
    'tmpfs',
    Object.entries(mounts).map(([path, options]) => `${path}:${options}`),
    BASELINE.tmp.reason,
  ],
  Memory: (bytes) => ['mem_limit', bytes, BASELINE.memoryBytes.reason],
  MemorySwap: (bytes) => ['memswap_limit', bytes],
  NanoCpus: (nanoCpus) => ['cpus', nanoCpus / 1e9, BASELINE.cpuCores.reason],
  PidsLimit: (pids) => ['pids_limit', pids, BASELINE.pids.reason],
  Ulimits: (limits) => ['ulimits', Object.fromEntries(limits.map(({ Name, Hard }) => [Name, Hard]))],
  OomScoreAdj: (score) => ['oom_score_adj', score, BASELINE.oomScoreAdj.reason],
  LogConfig: ({ Type }) => ['logging', { driver: Type }, BASELINE.logDriver.reason],
  RestartPolicy: ({ Name }) => ['restart', Name, BASELINE.restart.reason],
  Init: (init) => ['init', init, BASELINE.init.reason],
  // docker-compose 1.29 has no word for it; the engine's default is the same, except under cgroup v1.
  CgroupnsMode: unsaid,
  AutoRemove: emptyOnly,
  Privileged: emptyOnly,
  PublishAllPorts: emptyOnly,
  OomKillDisable: emptyOnly,
  PidMode: emptyOnly,
  UTSMode: emptyOnly,
  UsernsMode: emptyOnly,
  CapAdd: emptyOnly,
  Mounts: emptyOnly,
  Binds: emptyOnly,
  VolumesFrom: emptyOnly,
  Links: emptyOnly,
  Devices: emptyOnly,
  DeviceRequests: emptyOnly,
  GroupAdd: emptyOnly,
  Runtime: emptyOnly,
};

// The profile of a plugin without processes unless one is named: a shell needs the other.
function toSecurityOption(option: string): string {
  return option.startsWith(SECCOMP) ? `${SECCOMP}\${LURKBOX_SECCOMP:-seccomp-noexec.json}` : option;
}

export const COMPOSE_YAML = `# Made by scripts/generate.ts from what lurkbox sends to the engine for a plugin that asks for nothing.
# How to use it stands in README.md.
services:
  plugin:
${toYaml(modestOptions())}
`;

function modestOptions(): DockerCreateOptions {
  const { grant } = grantModest();
  const spec = buildContainerSpec({ grant, name: '', image: '', labels: {} });
  // What depends on the engine is left to its default.
  return toCreateOptions(spec, { apparmor: false, defaultRuntime: '' } as EngineFacts);
}

// JSON is YAML.
function toYaml({ HostConfig, ...container }: DockerCreateOptions): string {
  return [...translate(CONTAINER, container), ...translate(HOST, HostConfig)]
    .filter((words) => words !== null)
    .flatMap(([key, value, reason]) => [
      ...(reason === undefined ? [] : [`    # ${reason}`]),
      `    ${key}: ${JSON.stringify(value)}`,
    ])
    .join('\n');
}

function translate<Fields extends object>(dictionary: Dictionary<Fields>, fields: Fields): Words[] {
  return (Object.keys(dictionary) as (keyof Fields)[]).map((field) => dictionary[field](fields[field]));
}
