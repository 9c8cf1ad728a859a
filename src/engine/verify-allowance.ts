import { posix } from 'node:path';
import type { Problem } from '../errors.ts';
import type { ContainerAllowance } from '../spec/allowance.ts';
import { shorten } from './values.ts';

/**
 * The part of the last look that looks at the allowance itself: a grant that came out wrong must not excuse a body that
 * no grant may lead to. Each problem names the field of the body that it would end up in.
 */
export function findUnsound(allowance: ContainerAllowance): Problem[] {
  return RULES.flatMap((rule) => rule(allowance));
}

type Rule = (allowance: ContainerAllowance) => readonly Problem[];

const RULES: readonly Rule[] = [
  nameIsOurs,
  imageIsAnId,
  labelsTellEverything,
  userOwnsNothing,
  networkIsKnown,
  limitsAreLimits,
  tmpfsIsKnown,
  mountsAreHarmless,
  runtimeIsAName,
  clockAndLanguageAreNames,
  wayOutIsOfANetwork,
  proxyIsAnAddress,
  certificatesAreCertificates,
];

function nameIsOurs({ name }: ContainerAllowance): Problem[] {
  return expect(/^lurkbox-[a-z0-9-]{1,120}$/.test(name), 'name', 'a name of ours', name);
}

function imageIsAnId({ image }: ContainerAllowance): Problem[] {
  return expect(/^sha256:[0-9a-f]{64}$/.test(image), 'Image', 'an image id', image);
}

/** Without one of them `prune` could not tell whose the container is. */
const LABEL_NAMES = ['instance', 'host', 'boot', 'process', 'execution', 'plugin', 'version'] as const;

function labelsTellEverything({ labels, name, plugin }: ContainerAllowance): Problem[] {
  const known = ['lurkbox.kind', ...LABEL_NAMES.map((label) => `lurkbox.${label}`)];
  const others = Object.keys(labels).filter((label) => !known.includes(label));
  return [
    ...expect(
      labels['lurkbox.kind'] === 'container',
      'Labels.lurkbox.kind',
      '"container"',
      labels['lurkbox.kind'],
    ),
    ...LABEL_NAMES.flatMap((label) => {
      const value = labels[`lurkbox.${label}`];
      const isText = typeof value === 'string' && /^[\x21-\x7e]{1,256}$/.test(value);
      return expect(isText, `Labels.lurkbox.${label}`, 'a short text', value);
    }),
    ...expect(
      name === `lurkbox-${labels['lurkbox.execution']}`,
      'Labels.lurkbox.execution',
      'the execution that the container has its name from',
      labels['lurkbox.execution'],
    ),
    ...expect(
      labels['lurkbox.plugin'] === plugin,
      'Labels.lurkbox.plugin',
      shorten(plugin),
      labels['lurkbox.plugin'],
    ),
    ...others.flatMap((label) => expect(false, `Labels.${label}`, 'labels of ours only', label)),
  ];
}

// Below are the accounts of a system, and what 16 bits cannot hold is somebody else by then: 65534 is `nobody`.
function userOwnsNothing({ uid }: ContainerAllowance): Problem[] {
  const isOfPlugins = Number.isInteger(uid) && uid >= 1_000 && uid <= 65_532;
  return expect(isOfPlugins, 'User', 'a user of plugins', uid);
}

function networkIsKnown({ network }: ContainerAllowance): Problem[] {
  const known = ['none', 'bridge', 'host'].includes(network);
  return expect(known, 'HostConfig.NetworkMode', 'none, bridge or host', network);
}

// Docker takes 0 and what is below it for "without a limit".
function limitsAreLimits({ memoryBytes, cpuCores, timeoutMs, pids }: ContainerAllowance): Problem[] {
  const limits: [field: string, value: number][] = [
    ['HostConfig.Memory', memoryBytes],
    ['HostConfig.NanoCpus', Math.round(cpuCores * 1e9)],
    ['HostConfig.PidsLimit', pids],
    ['HostConfig.Ulimits', Math.ceil(timeoutMs)],
  ];
  return limits.flatMap(([field, value]) =>
    expect(Number.isSafeInteger(value) && value > 0, field, 'a limit', value),
  );
}

function tmpfsIsKnown({ tmpfs }: ContainerAllowance): Problem[] {
  return [
    ...expect(Object.hasOwn(tmpfs, '/tmp'), 'HostConfig.Tmpfs', 'a /tmp', tmpfs),
    ...Object.entries(tmpfs).flatMap(([path, bytes]) => [
      ...expect(['/tmp', '/scratch'].includes(path), 'HostConfig.Tmpfs', '/tmp and /scratch only', path),
      ...expect(Number.isSafeInteger(bytes) && bytes > 0, 'HostConfig.Tmpfs', `a size for ${path}`, bytes),
    ]),
  ];
}

/** Folders whose content rules the host, or the engine on it. */
const FORBIDDEN_FOLDERS = [
  '/proc',
  '/sys',
  '/dev',
  '/run',
  '/var/run',
  '/etc',
  '/boot',
  '/root',
  '/var/lib/docker',
  '/var/lib/containerd',
  '/var/lib/containers',
];

function mountsAreHarmless({ mounts }: ContainerAllowance): Problem[] {
  const targets = mounts.map(({ containerPath }) => containerPath);
  return [
    ...expect(new Set(targets).size === targets.length, 'HostConfig.Mounts', 'each target once', targets),
    ...targets.flatMap((target) =>
      expect(/^\/mnt\/[a-z0-9-]+$/.test(target), 'HostConfig.Mounts', 'targets in /mnt', target),
    ),
    ...mounts.flatMap(({ hostPath }) =>
      expect(
        isHarmless(hostPath),
        'HostConfig.Mounts',
        'a folder that rules neither host nor engine',
        hostPath,
      ),
    ),
  ];
}

function isHarmless(hostPath: string): boolean {
  if (!hostPath.startsWith('/') || posix.normalize(hostPath) !== hostPath || hostPath.endsWith('/'))
    return false;
  if (hostPath.includes(':') || hostPath.includes('\0') || hostPath.endsWith('.sock')) return false;
  const isWithin = (outer: string, inner: string): boolean => `${inner}/`.startsWith(`${outer}/`);
  return !FORBIDDEN_FOLDERS.some((folder) => isWithin(folder, hostPath) || isWithin(hostPath, folder));
}

function runtimeIsAName({ runtime }: ContainerAllowance): Problem[] {
  const isName = runtime === null || /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(runtime);
  return expect(isName, 'HostConfig.Runtime', 'the name of a runtime', runtime);
}

function clockAndLanguageAreNames({ timeZone, locale }: ContainerAllowance): Problem[] {
  const isZone = /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(timeZone);
  const isTag = locale === null || /^[a-z]{2,3}(-[A-Za-z0-9]{2,4}){0,2}$/.test(locale);
  return [
    ...expect(isZone, 'Env', 'the name of a time zone', timeZone),
    ...expect(isTag, 'Env', 'the tag of a language', locale),
  ];
}

function wayOutIsOfANetwork({ network, proxy, certificates }: ContainerAllowance): Problem[] {
  const isNeeded = network !== 'none' || (proxy === null && certificates.length === 0);
  return expect(isNeeded, 'Env', 'neither proxy nor certificates without a network', proxy?.url);
}

/** What is in it must end neither the variable nor the list. */
function proxyIsAnAddress({ proxy }: ContainerAllowance): Problem[] {
  if (proxy === null) return [];
  const { url, exceptions } = proxy;
  return [
    ...expect(
      /^https?:\/\/[^\s/@,\\]{1,255}$/.test(url),
      'Env',
      'the address of a proxy without a password',
      url,
    ),
    ...exceptions.flatMap((host) =>
      expect(/^[A-Za-z0-9.*_:[\]-]{1,256}$/.test(host), 'Env', 'hosts that need no proxy', host),
    ),
  ];
}

const PEM =
  /^(?:-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/=]{1,64}\n)+-----END CERTIFICATE-----(?:\n(?!$)|$))+$/;

function certificatesAreCertificates({ certificates }: ContainerAllowance): Problem[] {
  return certificates.flatMap((pem) =>
    expect(pem.length <= 128 * 1024 - 64 && PEM.test(pem), 'Env', 'certificates', pem),
  );
}

function expect(holds: boolean, path: string, expected: string, actual: unknown): Problem[] {
  if (holds) return [];
  return [{ path, message: `expected ${expected}, the allowance says ${shorten(actual)}` }];
}
