import { BASELINE } from '../policy/baseline.ts';
import type { Grant, GrantedProxy } from '../policy/grant.ts';
import { buildSeccompProfile } from '../policy/seccomp.ts';
import type { ContainerSpec, TmpfsSpec } from './container-spec.ts';

export interface SpecInput {
  readonly grant: Grant;
  /** Container name, unique per execution. */
  readonly name: string;
  /** Image id, `sha256:…`. */
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Where the image keeps its parts; `image/` puts them there. */
export const IMAGE_PATHS = {
  node: '/usr/local/bin/node',
  runner: '/lurkbox/runner.cjs',
  plugin: '/plugin',
} as const;

/** A grant and an image → the finished plan of one container. Pure. */
export function buildContainerSpec({ grant, name, image, labels }: SpecInput): ContainerSpec {
  return {
    name,
    image,
    command: toCommand(grant),
    env: toEnv(grant),
    user: `${grant.uid}:${grant.uid}`,
    workingDir: BASELINE.workingDir.value,
    labels,
    network: grant.network === 'bridge' ? { mode: 'bridge', name } : { mode: grant.network },
    sysctls: BASELINE.socketBuffers.value[grant.network],
    exec: grant.exec,
    seccompProfile: buildSeccompProfile({ exec: grant.exec }),
    capDrop: BASELINE.capDrop.value,
    noNewPrivileges: BASELINE.noNewPrivileges.value,
    readOnlyRoot: BASELINE.readOnlyRoot.value,
    ipcMode: BASELINE.ipc.value,
    cgroupnsMode: BASELINE.cgroupns.value,
    init: BASELINE.init.value,
    tmpfs: toTmpfs(grant),
    mounts: grant.mounts.map(({ hostPath, containerPath, mode }) => ({
      hostPath,
      containerPath,
      readOnly: mode === 'ro',
    })),
    memoryBytes: grant.memoryBytes,
    cpuCores: grant.cpuCores,
    pids: grant.pids,
    nofile: BASELINE.nofile.value,
    coreBytes: BASELINE.core.value,
    memlockBytes: BASELINE.memlock.value,
    messageQueueBytes: BASELINE.messageQueues.value,
    fileSizeBytes: Math.max(grant.tmpBytes, grant.scratchBytes),
    cpuTimeSeconds: toCpuTimeSeconds(grant),
    oomScoreAdj: BASELINE.oomScoreAdj.value,
    logDriver: BASELINE.logDriver.value,
    restart: BASELINE.restart.value,
    runtime: grant.runtime,
  };
}

function toCommand(grant: Grant): string[] {
  return [IMAGE_PATHS.node, `--max-old-space-size=${heapMegabytes(grant.memoryBytes)}`, IMAGE_PATHS.runner];
}

function toEnv({ exec, timeZone, locale, proxy, certificates }: Grant): Record<string, string> {
  return {
    ...BASELINE.env.value,
    ...(exec ? { PATH: '/bin:/usr/local/bin' } : {}),
    TZ: timeZone,
    ...(locale === null ? {} : { LANG: `${locale.replaceAll('-', '_')}.UTF-8` }),
    ...toCertificateEnv(certificates),
    ...(proxy === null ? {} : toProxyEnv(proxy)),
  };
}

/**
 * Node reads further certificates from a file, once, when it starts, and passes over whatever stands around them: so the file is
 * its own environment. No file of the host is bound, none of the container can be changed, and threads and Node as a
 * child process have them too.
 */
function toCertificateEnv(certificates: readonly string[]): Record<string, string> {
  if (certificates.length === 0) return {};
  const parts = certificates.map((pem, index) => [`LURKBOX_CA_${index + 1}`, `\n${pem}\n`]);
  return { NODE_EXTRA_CA_CERTS: '/proc/self/environ', ...Object.fromEntries(parts) };
}

/** In both spellings: Node and other programs look for one or the other first. */
function toProxyEnv({ url, exceptions }: GrantedProxy): Record<string, string> {
  const noProxy = ['localhost', '127.0.0.1', '::1', ...exceptions].join(',');
  return {
    NODE_USE_ENV_PROXY: '1',
    HTTP_PROXY: url,
    HTTPS_PROXY: url,
    NO_PROXY: noProxy,
    http_proxy: url,
    https_proxy: url,
    no_proxy: noProxy,
  };
}

/** V8's heap limit is below the container's memory, so that V8 reports a full heap before the kernel kills the process. */
export function heapMegabytes(memoryBytes: number): number {
  const megabytes = memoryBytes / (1024 * 1024);
  return Math.floor(Math.max(megabytes * 0.4, megabytes - 96));
}

function toTmpfs(grant: Grant): TmpfsSpec[] {
  const { tmp, scratch } = BASELINE;
  const mounts: TmpfsSpec[] = [{ path: tmp.value.path, sizeBytes: grant.tmpBytes, inodes: tmp.value.inodes }];
  if (grant.scratchBytes > 0) {
    mounts.push({
      path: scratch.value.path,
      sizeBytes: grant.scratchBytes,
      inodes: scratch.value.inodes,
    });
  }
  return mounts;
}

// Twice what the quota lets one process burn until the deadline of its last execution, and time to start.
function toCpuTimeSeconds({ timeoutMs, isolation, cpuCores }: Grant): number {
  return Math.ceil(((timeoutMs + isolation.maxAgeMs) / 1000) * cpuCores * 2) + 30;
}
