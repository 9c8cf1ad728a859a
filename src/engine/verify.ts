import { LurkboxError } from '../errors.ts';
import type { ContainerAllowance } from '../spec/allowance.ts';
import { differences } from './differences.ts';
import type { EngineFacts } from './engine.ts';
import { findUnsound } from './verify-allowance.ts';
import { checkSeccompProfile } from './verify-seccomp.ts';

/**
 * The last look before the engine. It reads the body as it will be sent, shares no code and no value with what built it,
 * and lets one body pass: the one that the allowance leads to, to the letter. A value that looks stricter is refused as
 * well, since nobody asked for it.
 */
export function verifyCreateBody(body: string, allowance: ContainerAllowance, engine: EngineTraits): void {
  const problems = isPlainJson(body)
    ? [...findUnsound(allowance), ...differences(JSON.parse(body), toExpectedBody(allowance, engine))]
    : [{ path: '', message: 'expected JSON in its plainest form, with every key once' }];
  if (problems.length === 0) return;
  throw new LurkboxError(
    'ENGINE_INSECURE',
    'The container was not created: its Docker options leave the allowed set.',
    { problems },
  );
}

/** What the engine itself adds to the body that is expected. */
export type EngineTraits = Pick<EngineFacts, 'apparmor' | 'defaultRuntime'>;

// What is written twice, or in another way, may be read in one way here and in another by the engine.
function isPlainJson(text: string): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === text;
  } catch {
    return false;
  }
}

function toExpectedBody(allowance: ContainerAllowance, engine: EngineTraits): object {
  return {
    name: allowance.name,
    Image: allowance.image,
    User: `${allowance.uid}:${allowance.uid}`,
    WorkingDir: '/',
    Entrypoint: toEntrypoint(allowance),
    Cmd: [],
    Env: toEnv(allowance),
    Labels: allowance.labels,
    Healthcheck: { Test: ['NONE'] },
    StopSignal: 'SIGKILL',
    NetworkDisabled: allowance.network === 'none',
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: false,
    HostConfig: toExpectedHostConfig(allowance, engine),
  };
}

function toExpectedHostConfig(allowance: ContainerAllowance, engine: EngineTraits): object {
  const { memoryBytes, cpuCores, pids, network, name, runtime } = allowance;
  return {
    AutoRemove: false,
    Privileged: false,
    ReadonlyRootfs: true,
    Init: false,
    PublishAllPorts: false,
    OomKillDisable: false,
    // The network of an execution has the name of its container, and nobody else's is joined.
    NetworkMode: network === 'bridge' ? name : network,
    IpcMode: 'none',
    CgroupnsMode: 'private',
    PidMode: '',
    UTSMode: '',
    UsernsMode: '',
    CapDrop: ['ALL'],
    CapAdd: [],
    SecurityOpt: toSecurityOpt(allowance, engine),
    Tmpfs: toTmpfs(allowance),
    Mounts: toMounts(allowance),
    Binds: [],
    VolumesFrom: [],
    Links: [],
    Devices: [],
    DeviceRequests: [],
    GroupAdd: [],
    Sysctls: SYSCTLS[network],
    Memory: memoryBytes,
    // More would be swap.
    MemorySwap: memoryBytes,
    NanoCpus: Math.round(cpuCores * 1e9),
    PidsLimit: pids,
    OomScoreAdj: 500,
    Ulimits: toUlimits(allowance),
    LogConfig: { Type: 'none', Config: {} },
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    Runtime: runtime ?? engine.defaultRuntime,
  };
}

/** By network: what bounds the memory of the kernel that TCP takes; the host's own is nobody's to change. */
const SYSCTLS: Readonly<Record<ContainerAllowance['network'], Readonly<Record<string, string>>>> = {
  none: {
    'net.core.somaxconn': '16',
    'net.ipv4.tcp_orphan_retries': '1',
    'net.ipv4.tcp_rmem': '4096 16384 16384',
    'net.ipv4.tcp_wmem': '4096 16384 16384',
  },
  bridge: {
    'net.core.somaxconn': '4',
    'net.ipv4.tcp_orphan_retries': '1',
    'net.ipv4.tcp_rmem': '4096 131072 131072',
    'net.ipv4.tcp_wmem': '4096 16384 131072',
  },
  host: {},
};

const MIB = 1024 * 1024;

// Any other option of Node could load code before the runner does.
function toEntrypoint({ memoryBytes }: ContainerAllowance): string[] {
  const heapMegabytes = Math.floor(Math.max((memoryBytes / MIB) * 0.4, memoryBytes / MIB - 96));
  return ['/usr/local/bin/node', `--max-old-space-size=${heapMegabytes}`, '/lurkbox/runner.cjs'];
}

// The environment of an image is merged in: what could load code into Node is named here and blank.
function toEnv({ exec, timeZone, locale, proxy, certificates }: ContainerAllowance): string[] {
  return [
    exec ? 'PATH=/bin:/usr/local/bin' : 'PATH=/nonexistent',
    'HOME=/tmp',
    'TMPDIR=/tmp',
    `TZ=${timeZone}`,
    locale === null ? 'LANG=C.UTF-8' : `LANG=${locale.replaceAll('-', '_')}.UTF-8`,
    'NODE_OPTIONS=',
    // The only file that it may name is the environment itself, in which the certificates stand below.
    `NODE_EXTRA_CA_CERTS=${certificates.length > 0 ? '/proc/self/environ' : ''}`,
    'LD_PRELOAD=',
    'LD_LIBRARY_PATH=',
    ...certificates.map((pem, index) => `LURKBOX_CA_${index + 1}=\n${pem}\n`),
    ...(proxy === null ? [] : toProxyVariables(proxy)),
  ];
}

function toProxyVariables({ url, exceptions }: NonNullable<ContainerAllowance['proxy']>): string[] {
  const straight = `localhost,127.0.0.1,::1${exceptions.map((host) => `,${host}`).join('')}`;
  return [
    'NODE_USE_ENV_PROXY=1',
    `HTTP_PROXY=${url}`,
    `HTTPS_PROXY=${url}`,
    `NO_PROXY=${straight}`,
    `http_proxy=${url}`,
    `https_proxy=${url}`,
    `no_proxy=${straight}`,
  ];
}

function toSecurityOpt({ exec }: ContainerAllowance, { apparmor }: EngineTraits): unknown[] {
  return [
    'no-new-privileges:true',
    (option: unknown) => checkSeccompOption(option, exec),
    ...(apparmor ? ['apparmor=docker-default'] : []),
  ];
}

function checkSeccompOption(option: unknown, exec: boolean): string | null {
  const inline = 'seccomp={';
  if (typeof option !== 'string' || !option.startsWith(inline)) return 'an inline seccomp profile';
  return checkSeccompProfile(option.slice(inline.length - 1), exec);
}

/** tmpfs path → how many files it may hold. */
const TMPFS_INODES: Readonly<Record<string, number>> = { '/tmp': 4096, '/scratch': 16_384 };

function toTmpfs({ tmpfs, uid }: ContainerAllowance): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tmpfs).map(([path, bytes]) => [
      path,
      `rw,noexec,nosuid,nodev,size=${bytes},nr_inodes=${TMPFS_INODES[path]},mode=0700,uid=${uid},gid=${uid}`,
    ]),
  );
}

function toMounts({ mounts }: ContainerAllowance): object[] {
  return mounts.map(({ hostPath, containerPath, readOnly }) => ({
    Type: 'bind',
    Source: hostPath,
    Target: containerPath,
    ReadOnly: readOnly,
    BindOptions: { Propagation: 'rprivate', NonRecursive: true },
  }));
}

function toUlimits({ tmpfs, timeoutMs, cpuCores }: ContainerAllowance): object[] {
  const limits = {
    nofile: 256,
    core: 0,
    memlock: 64 * 1024,
    msgqueue: 0,
    // The largest file that fits into a tmpfs.
    fsize: Math.max(...Object.values(tmpfs)),
    // Twice what the quota lets one process burn until the deadline, and 30 s to start.
    cpu: Math.ceil((timeoutMs / 1000) * cpuCores * 2) + 30,
  };
  return Object.entries(limits).map(([Name, value]) => ({ Name, Soft: value, Hard: value }));
}
