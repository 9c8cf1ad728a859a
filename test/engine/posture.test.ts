import { describe, expect, test } from 'vitest';
import { comparePosture } from '../../src/engine/posture.ts';
import type { CreateOptions } from '../../src/engine/to-create-options.ts';
import type { LurkboxError } from '../../src/errors.ts';
import type { Grant } from '../../src/policy/grant.ts';
import { optionsOf } from './sample.ts';

const MOUNTS: Partial<Grant> = {
  mounts: [
    { name: 'b', hostPath: '/srv/b', containerPath: '/mnt/b', mode: 'rw' },
    { name: 'a', hostPath: '/srv/a', containerPath: '/mnt/a', mode: 'ro' },
  ],
};

/** As Docker 20.10 fills them in. */
const COVERED = {
  MaskedPaths: [
    '/proc/asound',
    '/proc/acpi',
    '/proc/kcore',
    '/proc/keys',
    '/proc/timer_list',
    '/sys/firmware',
  ],
  ReadonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
};

/** What an honest engine answers to `inspect` for a container with these options. */
function inspectionOf(options: CreateOptions) {
  const { HostConfig, name, Image, Entrypoint, Cmd, ...config } = options;
  return {
    Id: 'c1',
    Name: `/${name}`,
    Image,
    Path: Entrypoint[0],
    Args: [...Entrypoint.slice(1), ...Cmd],
    Config: { ...config, Image, Entrypoint, Cmd, Hostname: '0a1b2c3d', OnBuild: null },
    HostConfig: { ...HostConfig, ContainerIDFile: '', ShmSize: 67_108_864, ...COVERED },
    Mounts: HostConfig.Mounts.map(({ Source, Target, ReadOnly }) => ({
      Type: 'bind',
      Source,
      Destination: Target,
      Mode: '',
      RW: !ReadOnly,
      Propagation: 'rprivate',
    })),
  };
}

type Inspection = ReturnType<typeof inspectionOf>;

function problemsOf(inspected: unknown, options: CreateOptions = optionsOf()): string[] {
  try {
    comparePosture(inspected, options);
    return [];
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENGINE_INSECURE' });
    return (error as LurkboxError).problems.map(({ path }) => path);
  }
}

function changed(change: (inspection: Inspection) => object): object {
  const inspection = inspectionOf(optionsOf());
  return { ...inspection, ...change(inspection) };
}

const config = (fields: object) => changed(({ Config }) => ({ Config: { ...Config, ...fields } }));
const host = (fields: object) => changed(({ HostConfig }) => ({ HostConfig: { ...HostConfig, ...fields } }));

describe('accepts', () => {
  test('the container that was asked for', () => {
    expect(problemsOf(inspectionOf(optionsOf()))).toEqual([]);
  });

  test('mounts in whatever order the engine lists them', () => {
    const options = optionsOf(MOUNTS);
    const inspection = inspectionOf(options);
    expect(problemsOf({ ...inspection, Mounts: inspection.Mounts.toReversed() }, options)).toEqual([]);
  });

  test('null, nothing and an empty value for each other', () => {
    const empty = {
      Binds: null,
      CapAdd: null,
      Devices: null,
      Links: undefined,
      Sysctls: null,
      PidMode: null,
    };
    expect(problemsOf(host(empty))).toEqual([]);
    expect(problemsOf(host({ Init: null, OomKillDisable: null, PortBindings: {} }))).toEqual([]);
    expect(problemsOf(config({ Cmd: null, Volumes: {} }))).toEqual([]);
  });

  test('labels of the image beside ours', () => {
    const { Labels } = optionsOf();
    expect(problemsOf(config({ Labels: { ...Labels, maintainer: 'somebody' } }))).toEqual([]);
  });
});

describe('refuses a container', () => {
  test.each<[string, object, string]>([
    ['from another image', changed(() => ({ Image: `sha256:${'f'.repeat(64)}` })), 'Image'],
    ['that runs another program', changed(() => ({ Path: '/bin/sh' })), 'Path'],
    ['that runs Node with other arguments', changed(() => ({ Args: ['/plugin/index.js'] })), 'Args'],
    ['of root', config({ User: '' }), 'Config.User'],
    ['in another folder', config({ WorkingDir: '/plugin' }), 'Config.WorkingDir'],
    ['with variables of the image', config({ Env: [...optionsOf().Env, 'A=1'] }), 'Config.Env'],
    ['whose labels are not ours', config({ Labels: {} }), 'Config.Labels'],
    ['with a label of ours changed', config({ Labels: { 'lurkbox.kind': 'image' } }), 'Config.Labels'],
    ['with a health check', config({ Healthcheck: null }), 'Config.Healthcheck'],
    ['with a volume of its image', config({ Volumes: { '/data': {} } }), 'Config.Volumes'],
    ['with a network', config({ NetworkDisabled: false }), 'Config.NetworkDisabled'],
    ['with a terminal', config({ Tty: true }), 'Config.Tty'],
    ['that is privileged', host({ Privileged: true }), 'HostConfig.Privileged'],
    [
      'that can read the memory of the kernel',
      host({ MaskedPaths: COVERED.MaskedPaths.filter((path) => path !== '/proc/kcore') }),
      'HostConfig.MaskedPaths',
    ],
    [
      'that can set values of the kernel',
      host({ ReadonlyPaths: COVERED.ReadonlyPaths.filter((path) => path !== '/proc/sys') }),
      'HostConfig.ReadonlyPaths',
    ],
    ['that may write to its root', host({ ReadonlyRootfs: false }), 'HostConfig.ReadonlyRootfs'],
    ['with capabilities', host({ CapDrop: null }), 'HostConfig.CapDrop'],
    ['with a capability', host({ CapAdd: ['NET_RAW'] }), 'HostConfig.CapAdd'],
    ['without its seccomp profile', host({ SecurityOpt: null }), 'HostConfig.SecurityOpt'],
    ['without a memory limit', host({ Memory: 0 }), 'HostConfig.Memory'],
    ['with swap', host({ MemorySwap: -1 }), 'HostConfig.MemorySwap'],
    ['without a CPU quota', host({ NanoCpus: 0 }), 'HostConfig.NanoCpus'],
    ['without a pids limit', host({ PidsLimit: null }), 'HostConfig.PidsLimit'],
    ['without its limits', host({ Ulimits: null }), 'HostConfig.Ulimits'],
    ['without a tmpfs', host({ Tmpfs: null }), 'HostConfig.Tmpfs'],
    ['on a network', host({ NetworkMode: 'default' }), 'HostConfig.NetworkMode'],
    ['in the cgroup namespace of the host', host({ CgroupnsMode: 'host' }), 'HostConfig.CgroupnsMode'],
    ['with shared memory', host({ IpcMode: 'private' }), 'HostConfig.IpcMode'],
    ['below a cgroup nobody named', host({ CgroupParent: '/other' }), 'HostConfig.CgroupParent'],
    ['with rules for devices', host({ DeviceCgroupRules: ['a *:* rwm'] }), 'HostConfig.DeviceCgroupRules'],
    ['with a published port', host({ PortBindings: { '80/tcp': [{}] } }), 'HostConfig.PortBindings'],
    ['with a log', host({ LogConfig: { Type: 'json-file', Config: {} } }), 'HostConfig.LogConfig'],
    ['under another runtime', host({ Runtime: 'crun' }), 'HostConfig.Runtime'],
    [
      'with a mount nobody asked for',
      changed(() => ({ Mounts: [{ Source: '/var/lib/docker/volumes/x', Destination: '/data', RW: true }] })),
      'Mounts',
    ],
  ])('%s', (_title, inspected, path) => {
    expect(problemsOf(inspected)).toEqual([path]);
  });

  test.each([null, undefined, {}, [], 'x'])('that the engine describes as %j', (inspected) => {
    expect(problemsOf(inspected).length).toBeGreaterThan(10);
  });

  test('with a mount that became writable', () => {
    const options = optionsOf(MOUNTS);
    const inspection = inspectionOf(options);
    const writable = inspection.Mounts.map((mount) => ({ ...mount, RW: true }));
    expect(problemsOf({ ...inspection, Mounts: writable }, options)).toEqual(['Mounts']);
  });

  test('and says what it is and what it should be', () => {
    expect(() => comparePosture(host({ PidsLimit: null }), optionsOf())).toThrow(
      expect.objectContaining({
        problems: [{ path: 'HostConfig.PidsLimit', message: 'expected 64, the engine has null' }],
      }),
    );
  });
});
