import { describe, expect, test } from 'vitest';
import { comparePosture } from '../../../src/engine/docker/posture.ts';
import type { DockerCreateOptions } from '../../../src/engine/docker/to-create-options.ts';
import type { LurkboxError } from '../../../src/errors.ts';
import type { Grant } from '../../../src/policy/grant.ts';
import { MIB } from '../../spec/sample.ts';
import { ENGINE_NAMES, type Inspection, inspectionOf } from '../inspection.ts';
import { CONFIG_FIELDS, HOST_CONFIG_FIELDS } from '../last-look/api-fields.ts';
import { caseVariants, everyMutation, mutate, PROFILE } from '../last-look/mutate.ts';
import { optionsOf } from '../sample.ts';

const MOUNTS: Partial<Grant> = {
  mounts: [
    { name: 'b', hostPath: '/srv/b', containerPath: '/mnt/b', mode: 'rw' },
    { name: 'a', hostPath: '/srv/a', containerPath: '/mnt/a', mode: 'ro' },
  ],
};

const GRANTS: readonly Partial<Grant>[] = [
  {},
  { network: 'bridge' },
  { network: 'host' },
  { scratchBytes: MIB },
  { exec: true },
  { runtime: 'runsc' },
  MOUNTS,
];

function problemsOf(inspected: unknown, options: DockerCreateOptions = optionsOf()): string[] {
  try {
    comparePosture(inspected, options);
    return [];
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENGINE_INSECURE' });
    return (error as LurkboxError).problems.map(({ path }) => path);
  }
}

function changed(change: (inspection: Inspection) => object, options = optionsOf()): object {
  const inspection = inspectionOf(options);
  return { ...inspection, ...change(inspection) };
}

const config = (fields: object) => changed(({ Config }) => ({ Config: { ...Config, ...fields } }));
const host = (fields: object, options?: DockerCreateOptions) =>
  changed(({ HostConfig }) => ({ HostConfig: { ...HostConfig, ...fields } }), options);

describe('the check of a created container accepts', () => {
  test.each(ENGINE_NAMES)('what %s reports about the requested container', (engine) => {
    for (const grant of GRANTS) {
      for (const apparmor of [false, true]) {
        const options = optionsOf(grant, { apparmor });
        expect(problemsOf(inspectionOf(options, engine), options)).toEqual([]);
      }
    }
  });

  test('mounts in any order', () => {
    const options = optionsOf(MOUNTS);
    const inspection = inspectionOf(options);
    expect(problemsOf({ ...inspection, Mounts: inspection.Mounts.toReversed() }, options)).toEqual([]);
  });

  test('null, a missing field and an empty value as equal', () => {
    const empty = {
      Binds: null,
      CapAdd: null,
      Devices: null,
      Links: undefined,
      PidMode: null,
    };
    expect(problemsOf(host(empty))).toEqual([]);
    const onHost = optionsOf({ network: 'host' });
    const inspection = inspectionOf(onHost);
    const withoutSysctls = { ...inspection, HostConfig: { ...inspection.HostConfig, Sysctls: null } };
    expect(problemsOf(withoutSysctls, onHost)).toEqual([]);
    expect(problemsOf(host({ Init: null, OomKillDisable: null, PortBindings: {} }))).toEqual([]);
    expect(problemsOf(config({ Cmd: null, Volumes: {} }))).toEqual([]);
  });

  test('labels of the image beside those of lurkbox', () => {
    const { Labels } = optionsOf();
    expect(problemsOf(config({ Labels: { ...Labels, maintainer: 'somebody' } }))).toEqual([]);
  });

  test('limits that an engine adds and that only affect the process', () => {
    const { Ulimits } = optionsOf().HostConfig;
    const nproc = { Name: 'nproc', Soft: 512, Hard: 1024 };
    expect(problemsOf(host({ Ulimits: [nproc, ...Ulimits, { ...nproc, Name: 'stack' }] }))).toEqual([]);
  });

  test('options that an engine copies into the log driver `none`', () => {
    const LogConfig = { Type: 'none', Config: { 'cache-disabled': 'true' } };
    expect(problemsOf(host({ LogConfig }))).toEqual([]);
  });

  test('an AppArmor profile where lurkbox names none', () => {
    expect(problemsOf(changed(() => ({ AppArmorProfile: 'engine-default' })))).toEqual([]);
  });

  test('an unknown field that is empty', () => {
    for (const value of [null, '', 0, false, [], {}]) {
      expect(problemsOf(host({ FieldOfNextYear: value }))).toEqual([]);
      expect(problemsOf(config({ FieldOfNextYear: value }))).toEqual([]);
    }
  });
});

describe('the check of a created container refuses one (P6)', () => {
  const { Ulimits } = optionsOf().HostConfig;
  const masked = (inspection: Inspection, field: string, path: string) => ({
    [field]: (inspection.HostConfig[field] as string[]).filter((other) => other !== path),
  });

  test.each<[string, object, string]>([
    ['from another image', changed(() => ({ Image: `sha256:${'f'.repeat(64)}` })), 'Image'],
    ['that runs another program', changed(() => ({ Path: '/bin/sh' })), 'Path'],
    ['that runs Node with other arguments', changed(() => ({ Args: ['/plugin/index.js'] })), 'Args'],
    ['that somebody is about to enter', changed(() => ({ ExecIDs: ['e1'] })), 'ExecIDs'],
    ['without AppArmor', changed(() => ({ AppArmorProfile: 'unconfined' })), 'AppArmorProfile'],
    ['from an image of another name', config({ Image: 'node:24' }), 'Config.Image'],
    ['with another entry point', config({ Entrypoint: ['/bin/sh'] }), 'Config.Entrypoint'],
    ['with arguments of its image', config({ Cmd: ['--inspect'] }), 'Config.Cmd'],
    ['of root', config({ User: '' }), 'Config.User'],
    ['in another folder', config({ WorkingDir: '/plugin' }), 'Config.WorkingDir'],
    ['with variables of the image', config({ Env: [...optionsOf().Env, 'A=1'] }), 'Config.Env'],
    ['whose labels are not ours', config({ Labels: {} }), 'Config.Labels'],
    [
      'with a label of ours changed',
      config({ Labels: { ...optionsOf().Labels, 'lurkbox.kind': 'image' } }),
      'Config.Labels',
    ],
    ['with a health check', config({ Healthcheck: null }), 'Config.Healthcheck'],
    [
      'with a health check of its image beside ours',
      config({ Healthcheck: { Test: ['NONE'], Interval: 1 } }),
      'Config.Healthcheck',
    ],
    ['with a volume of its image', config({ Volumes: { '/data': {} } }), 'Config.Volumes'],
    ['with a port of its image', config({ ExposedPorts: { '80/tcp': {} } }), 'Config.ExposedPorts'],
    ['with a network', config({ NetworkDisabled: false }), 'Config.NetworkDisabled'],
    ['with a terminal', config({ Tty: true }), 'Config.Tty'],
    ['that is privileged', host({ Privileged: true }), 'HostConfig.Privileged'],
    [
      'that can read the memory of the kernel',
      changed((inspection) => ({
        HostConfig: { ...inspection.HostConfig, ...masked(inspection, 'MaskedPaths', '/proc/kcore') },
      })),
      'HostConfig.MaskedPaths',
    ],
    [
      'that can set values of the kernel',
      changed((inspection) => ({
        HostConfig: { ...inspection.HostConfig, ...masked(inspection, 'ReadonlyPaths', '/proc/sys') },
      })),
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
    ['with one limit less', host({ Ulimits: Ulimits.slice(1) }), 'HostConfig.Ulimits'],
    [
      'with a limit twice',
      host({ Ulimits: [...Ulimits, { ...Ulimits[1], Hard: -1 }] }),
      'HostConfig.Ulimits',
    ],
    [
      'that may put itself above all others',
      host({ Ulimits: [...Ulimits, { Name: 'rtprio', Soft: 0, Hard: 99 }] }),
      'HostConfig.Ulimits',
    ],
    ['without a tmpfs', host({ Tmpfs: null }), 'HostConfig.Tmpfs'],
    [
      'with a tmpfs more',
      host({ Tmpfs: { ...optionsOf().HostConfig.Tmpfs, '/run': '' } }),
      'HostConfig.Tmpfs',
    ],
    ['on a network', host({ NetworkMode: 'default' }), 'HostConfig.NetworkMode'],
    ['in the cgroup namespace of the host', host({ CgroupnsMode: 'host' }), 'HostConfig.CgroupnsMode'],
    ['with shared memory', host({ IpcMode: 'private' }), 'HostConfig.IpcMode'],
    ['below a cgroup nobody named', host({ CgroupParent: '/other' }), 'HostConfig.CgroupParent'],
    ['with rules for devices', host({ DeviceCgroupRules: ['a *:* rwm'] }), 'HostConfig.DeviceCgroupRules'],
    ['with a published port', host({ PortBindings: { '80/tcp': [{}] } }), 'HostConfig.PortBindings'],
    [
      'with a port that is published without an address',
      host({ PortBindings: { '80/tcp': [] } }),
      'HostConfig.PortBindings',
    ],
    ['with a name server', host({ Dns: ['8.8.8.8'] }), 'HostConfig.Dns'],
    ['with another host in its hosts file', host({ ExtraHosts: ['a:1.2.3.4'] }), 'HostConfig.ExtraHosts'],
    ['with annotations for the runtime', host({ Annotations: { a: 'b' } }), 'HostConfig.Annotations'],
    ['without what bounds the buffers of sockets', host({ Sysctls: null }), 'HostConfig.Sysctls'],
    ['with a value of the kernel', host({ Sysctls: { 'net.ipv4.ip_forward': '' } }), 'HostConfig.Sysctls'],
    ['with a log', host({ LogConfig: { Type: 'json-file', Config: {} } }), 'HostConfig.LogConfig'],
    ['under another runtime', host({ Runtime: 'crun' }), 'HostConfig.Runtime'],
    ['in an isolation of its own', host({ Isolation: 'process' }), 'HostConfig.Isolation'],
    [
      'with a mount nobody asked for',
      changed(() => ({ Mounts: [{ Source: '/var/lib/docker/volumes/x', Destination: '/data', RW: true }] })),
      'Mounts',
    ],
    [
      'on a second network',
      changed(() => ({ NetworkSettings: { Networks: { none: {}, bridge: {} } } })),
      'NetworkSettings',
    ],
    [
      'with an open port',
      changed(() => ({ NetworkSettings: { Networks: {}, Ports: { '80/tcp': [] } } })),
      'NetworkSettings',
    ],
  ])('%s', (_title, inspected, path) => {
    expect(problemsOf(inspected)).toEqual([path]);
  });

  test.each([null, undefined, {}, [], 'x'])('that the engine describes as %j', (inspected) => {
    expect(problemsOf(inspected).length).toBeGreaterThan(10);
  });

  test('with another AppArmor profile than requested', () => {
    const options = optionsOf({}, { apparmor: true });
    for (const AppArmorProfile of ['', 'unconfined', 'other', null]) {
      expect(problemsOf({ ...inspectionOf(options), AppArmorProfile }, options)).toEqual(['AppArmorProfile']);
    }
  });

  test.each<[string, object]>([
    ['became writable', { RW: true }],
    ['is somewhere else', { Destination: '/plugin' }],
    ['has another source', { Source: '/' }],
    ['is a volume', { Type: 'volume' }],
    ['is seen by the host', { Propagation: 'rshared' }],
  ])('with a mount that %s', (_title, change) => {
    const options = optionsOf(MOUNTS);
    const inspection = inspectionOf(options);
    const mounts = inspection.Mounts.map((mount) => (mount.RW ? mount : { ...mount, ...change }));
    expect(problemsOf({ ...inspection, Mounts: mounts }, options)).toEqual(['Mounts']);
  });

  test.each<[string, object]>([
    ['is recursive', { NonRecursive: false }],
    ['makes its source', { CreateMountpoint: true }],
    ['is shared', { Propagation: 'rshared' }],
    ['has an option that nobody knows', { OptionOfNextYear: 'x' }],
  ])('with a mount that %s in its options', (_title, change) => {
    const options = optionsOf(MOUNTS);
    const { HostConfig } = options;
    const Mounts = HostConfig.Mounts.map(({ BindOptions, ...mount }) => ({
      ...mount,
      BindOptions: { ...BindOptions, ...change },
    }));
    expect(problemsOf(host({ Mounts }, options), options)).toEqual(['HostConfig.Mounts']);
  });

  test('with any known field of any API that was not requested', () => {
    const isFilledIn = ['ShmSize', 'ConsoleSize', 'Hostname'];
    for (const [field, value] of Object.entries(HOST_CONFIG_FIELDS)) {
      if (isFilledIn.includes(field)) continue;
      expect(problemsOf(host({ [field]: value }))).toEqual([`HostConfig.${field}`]);
    }
    for (const [field, value] of Object.entries(CONFIG_FIELDS)) {
      if (isFilledIn.includes(field)) continue;
      expect(problemsOf(config({ [field]: value }))).toEqual([`Config.${field}`]);
    }
  });

  test('with any change of any requested field', () => {
    const options = optionsOf({ network: 'bridge', scratchBytes: MIB, ...MOUNTS }, { apparmor: true });
    const inspection = inspectionOf(options);
    const hasRule = ['Hostname', 'Labels', 'LogConfig', 'Mounts', 'Ulimits', 'name', 'HostConfig'];
    const isEmpty = (value: unknown): boolean => !value || ['[]', '{}'].includes(JSON.stringify(value));
    const passed: unknown[] = [];
    for (const half of ['Config', 'HostConfig'] as const) {
      const asked = Object.entries(half === 'Config' ? options : options.HostConfig);
      for (const [field, value] of asked.filter(([field]) => !hasRule.includes(field))) {
        for (const { at, ...change } of everyMutation(value)) {
          const changed = mutate(value, { at, ...change });
          // Engines write what is empty as they like, and a profile is one long text to whoever compares it.
          if (at.includes(PROFILE) || (isEmpty(value) && isEmpty(changed))) continue;
          const inspected = { ...inspection, [half]: { ...inspection[half], [field]: changed } };
          if (!problemsOf(inspected, options).includes(`${half}.${field}`))
            passed.push([half, field, at, changed]);
        }
      }
    }
    expect(passed).toEqual([]);
  });

  test('with an unknown field, or another spelling of a known one', () => {
    for (const value of [true, 1, 'x', ['x'], { x: null }, [0]]) {
      expect(problemsOf(host({ FieldOfNextYear: value }))).toEqual(['HostConfig.FieldOfNextYear']);
      expect(problemsOf(config({ FieldOfNextYear: value }))).toEqual(['Config.FieldOfNextYear']);
    }
    for (const variant of caseVariants('Privileged')) {
      expect(problemsOf(host({ [variant]: true }))).toEqual([`HostConfig.${variant}`]);
    }
    const forged = JSON.parse('{"__proto__":{"Privileged":false},"Privileged":true}') as object;
    expect(problemsOf(host(forged)).sort()).toEqual(['HostConfig.Privileged', 'HostConfig.__proto__']);
  });

  test('that lacks any requested field', () => {
    const { name, HostConfig, ...asked } = optionsOf();
    const isNotEmpty = ([, value]: [string, unknown]): boolean =>
      Boolean(value) && Object.keys(value as object).length + Number(typeof value !== 'object') > 0;
    const fields = Object.entries(HostConfig).filter(isNotEmpty);
    expect(fields.length).toBeGreaterThan(12);
    for (const [field] of fields) {
      expect(problemsOf(host({ [field]: undefined }))).toEqual([`HostConfig.${field}`]);
    }
    for (const [field] of Object.entries(asked).filter(isNotEmpty)) {
      expect(problemsOf(config({ [field]: undefined }))).toEqual([`Config.${field}`]);
    }
  });

  test('and names the actual and the expected value', () => {
    expect(() => comparePosture(host({ PidsLimit: null, Dns: ['8.8.8.8'] }), optionsOf())).toThrow(
      expect.objectContaining({
        problems: [
          { path: 'HostConfig.PidsLimit', message: 'expected 64, the engine has null' },
          {
            path: 'HostConfig.Dns',
            message: 'expected nothing, because nobody asked for it, the engine has ["8.8.8.8"]',
          },
        ],
      }),
    );
  });
});
