import { BASELINE } from './baseline.ts';
import type { Grant, Origin, Restriction } from './grant.ts';
import type { DecidedResources, ResourceKey } from './resources.ts';
import type { UidRange } from './uids.ts';
import { UNENFORCED } from './unenforced.ts';

/** What a control is like where the manifest asked for more than the baseline and got it. */
const OPENED = {
  bridge: 'A network of its own: it reaches the internet, and the host by the address of the bridge.',
  host: 'The network of the host itself: it reaches every service that trusts the host.',
  exec: 'Processes within the pids limit, in an image that has a shell.',
  mounts: 'Folders of the host that the policy bound to these names.',
  proxy:
    'The way out that the policy names. Code that opens sockets itself goes around it; the network decides what is reached.',
  certificates:
    'Authorities that the policy names: whoever has a key of one can read and answer what the plugin sends.',
  session: 'A container is reused for the calls of one user and session; nothing of it reaches another.',
  plugin:
    'A container is reused for all callers: memory, `/tmp` and `/scratch` of one call are there for the next.',
} as const;

/** The user id, where one was given already, and where it is from. */
export interface DecidedUser {
  readonly uid: number | null;
  readonly origin: Origin;
  readonly range: UidRange;
}

type Control = keyof typeof BASELINE;

/** Every control of the container with its value, its reason and who decided it; the whole of what `explain` prints. */
export function toRestrictions(grant: Grant, decided: DecidedResources, user: DecidedUser): Restriction[] {
  const { value: tmp } = BASELINE.tmp;
  const { value: scratch } = BASELINE.scratch;
  const originOf = (key: ResourceKey) => decided[key].origin;
  return [
    toUser(user),
    baseline('working directory', 'workingDir', BASELINE.workingDir.value),
    baseline('root filesystem', 'readOnlyRoot', 'read-only'),
    baseline('capabilities', 'capDrop', 'none'),
    baseline('no-new-privileges', 'noNewPrivileges', 'on'),
    baseline('seccomp', 'seccomp', BASELINE.seccomp.value),
    toExec(grant),
    toNetwork(grant),
    toSocketBuffers(grant),
    baseline('ipc', 'ipc', BASELINE.ipc.value),
    baseline('cgroup namespace', 'cgroupns', BASELINE.cgroupns.value),
    baseline('environment', 'env', `nothing inherited; set: ${Object.keys(BASELINE.env.value).join(', ')}`),
    line(
      'tmp',
      `${tmp.path}, ${bytes(grant.tmpBytes)}, ${files(grant, tmp.inodes)}`,
      'tmp',
      originOf('tmp_mb'),
    ),
    grant.scratchBytes === 0
      ? baseline('scratch', 'scratch', 'none')
      : line(
          'scratch',
          `${scratch.path}, ${bytes(grant.scratchBytes)}, ${files(grant, scratch.inodes)}`,
          'scratch',
          'manifest',
        ),
    toMounts(grant),
    baseline('devices', 'devices', 'none of the host'),
    line('pids', String(grant.pids), 'pids', originOf('pids')),
    line('memory', `${bytes(grant.memoryBytes)}, no swap`, 'memoryBytes', originOf('memory_mb')),
    line('cpu', `${percent(grant.cpuCores)} of one core`, 'cpuCores', originOf('cpu_percent')),
    line('time', `${grant.timeoutMs / 1000} s`, 'timeoutMs', originOf('timeout_seconds')),
    line('output', bytes(grant.outputBytes), 'outputBytes', originOf('output_kb')),
    baseline('descriptors', 'nofile', String(BASELINE.nofile.value)),
    baseline('core dumps', 'core', 'none'),
    baseline('locked memory', 'memlock', bytes(BASELINE.memlock.value)),
    baseline('message queues', 'messageQueues', 'none'),
    baseline('out-of-memory score', 'oomScoreAdj', `+${BASELINE.oomScoreAdj.value}`),
    baseline('engine log', 'logDriver', BASELINE.logDriver.value),
    toIsolation(grant),
    baseline('restart', 'restart', BASELINE.restart.value),
    baseline('health check', 'healthcheck', BASELINE.healthcheck.value),
    baseline('init program', 'init', 'none'),
    line(
      'runtime',
      grant.runtime ?? 'default of the engine',
      'runtime',
      grant.runtime === null ? 'baseline' : 'policy',
    ),
    ...toUnenforced(grant),
    toClock(grant),
    toLanguage(grant),
    ...toWayOut(grant),
    toChannels(grant),
  ];
}

function toUser({ uid, origin, range: { first, last } }: DecidedUser): Restriction {
  const value = uid === null ? `one of its own, from ${first} to ${last}` : `${uid}:${uid}`;
  return line('user', value, 'user', origin);
}

function toExec({ exec }: Grant): Restriction {
  if (!exec) return baseline('processes', 'exec', 'none but Node itself; threads only');
  return { control: 'processes', value: 'allowed', reason: OPENED.exec, origin: 'manifest' };
}

function toNetwork({ network }: Grant): Restriction {
  if (network === 'none') return baseline('network', 'network', network);
  return { control: 'network', value: network, reason: OPENED[network], origin: 'manifest' };
}

function toSocketBuffers({ network }: Grant): Restriction {
  const values = Object.entries(BASELINE.socketBuffers.value[network]);
  const value = values
    .map(([name, number]) => `${name.slice(name.lastIndexOf('.') + 1)} ${number}`)
    .join(', ');
  return baseline('socket buffers', 'socketBuffers', value || 'those of the host');
}

function toMounts({ mounts }: Grant): Restriction {
  if (mounts.length === 0) return baseline('mounts', 'mounts', 'none');
  const value = mounts
    .map(({ hostPath, containerPath, mode }) => `${hostPath} at ${containerPath} (${mode})`)
    .join(', ');
  return { control: 'mounts', value, reason: OPENED.mounts, origin: 'manifest' };
}

function toIsolation({ isolation }: Grant): Restriction {
  const { mode, maxCalls, maxAgeMs } = isolation;
  if (mode === 'execution') return baseline('isolation', 'isolation', 'a fresh container for each call');
  const value = `one container for each ${mode}, for at most ${maxCalls} calls and ${maxAgeMs / 1000} s`;
  return { control: 'isolation', value, reason: OPENED[mode], origin: 'policy' };
}

function toClock({ timeZone }: Grant): Restriction {
  return line(
    'time zone',
    timeZone,
    'timeZone',
    timeZone === BASELINE.timeZone.value ? 'baseline' : 'policy',
  );
}

function toLanguage({ locale }: Grant): Restriction {
  return line('locale', locale ?? BASELINE.locale.value, 'locale', locale === null ? 'baseline' : 'policy');
}

function toWayOut({ proxy, certificates }: Grant): Restriction[] {
  const count = certificates.join('\n').match(/BEGIN CERTIFICATE/g)?.length ?? 0;
  const straight =
    proxy === null || proxy.exceptions.length === 0 ? '' : `, not for ${proxy.exceptions.join(', ')}`;
  return [
    ...(proxy === null
      ? []
      : [
          {
            control: 'proxy',
            value: `${proxy.url}${straight}`,
            reason: OPENED.proxy,
            origin: 'policy' as const,
          },
        ]),
    ...(count === 0
      ? []
      : [
          {
            control: 'certificates',
            value: `${count} beside those of Node`,
            reason: OPENED.certificates,
            origin: 'policy' as const,
          },
        ]),
  ];
}

function toUnenforced({ acceptUnenforced }: Grant): Restriction[] {
  if (acceptUnenforced.length === 0) return [];
  return [
    {
      control: 'accepted as missing',
      value: acceptUnenforced.join(', '),
      reason: `The runtime may leave open ${acceptUnenforced.map((control) => UNENFORCED[control]).join('; ')}.`,
      origin: 'policy',
    },
  ];
}

function files({ acceptUnenforced }: Grant, inodes: number): string {
  return acceptUnenforced.includes('tmp_files') ? 'any number of files' : `${inodes} files`;
}

function toChannels({ channels }: Grant): Restriction {
  if (channels === null) return baseline('channels', 'channels', 'any');
  return line('channels', channels.length === 0 ? 'none' : channels.join(', '), 'channels', 'manifest');
}

function baseline(control: string, key: Control, value: string): Restriction {
  return line(control, value, key, 'baseline');
}

function line(control: string, value: string, key: Control, origin: Origin): Restriction {
  return { control, value, reason: BASELINE[key].reason, origin };
}

const KIB = 1024;
const MIB = 1024 * KIB;

function bytes(count: number): string {
  return count % MIB === 0 ? `${count / MIB} MiB` : `${count / KIB} KiB`;
}

function percent(cores: number): string {
  return `${Math.round(cores * 100)} %`;
}
