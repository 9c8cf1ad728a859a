import { describe, expect, test } from 'vitest';
import { type EngineInfo, toEngineFacts } from '../../src/engine/docker/info.ts';
import type { EngineFacts } from '../../src/engine/engine.ts';
import { assertEnforceable, REQUIREMENTS } from '../../src/engine/facts.ts';
import { toAllowance } from '../../src/spec/allowance.ts';
import { GRANT } from '../spec/sample.ts';
import { FACTS } from './sample.ts';

const INFO: EngineInfo = {
  ID: 'ENGINE',
  Name: 'engine-host',
  ServerVersion: '20.10.24',
  KernelVersion: '6.1.0',
  OperatingSystem: 'Debian GNU/Linux 12 (bookworm)',
  OSType: 'linux',
  Architecture: 'x86_64',
  CgroupVersion: '2',
  CgroupDriver: 'systemd',
  Driver: 'overlay2',
  SecurityOptions: ['name=seccomp,profile=default'],
  MemoryLimit: true,
  SwapLimit: true,
  CpuCfsQuota: true,
  PidsLimit: true,
  DockerRootDir: '/var/lib/docker',
  DefaultRuntime: 'runc',
  Runtimes: { runc: { path: 'runc' } },
  Warnings: null,
  NCPU: 2,
  MemTotal: 8_589_934_592,
};

describe('the facts of an engine show', () => {
  test.each<[string, EngineInfo, Partial<EngineFacts>]>([
    ['everything', {}, FACTS],
    ['arm64', { Architecture: 'aarch64' }, { platform: { os: 'linux', architecture: 'arm64' } }],
    [
      'an architecture as it is',
      { Architecture: 's390x' },
      { platform: { os: 'linux', architecture: 's390x' } },
    ],
    ['AppArmor', { SecurityOptions: ['name=apparmor', 'name=seccomp,profile=builtin'] }, { apparmor: true }],
    ['rootless', { SecurityOptions: ['name=seccomp', 'name=rootless'] }, { rootless: true, seccomp: true }],
    ['userns', { SecurityOptions: ['name=userns'] }, { userns: true, seccomp: false }],
    ['no seccomp', { SecurityOptions: null }, { seccomp: false, apparmor: false }],
    [
      'its runtimes',
      {
        Runtimes: {
          runc: { path: 'runc', runtimeArgs: null },
          runsc: { path: '/usr/bin/runsc', runtimeArgs: ['--oci-seccomp'] },
        },
      },
      {
        runtimes: {
          runc: { program: 'runc', args: [] },
          runsc: { program: 'runsc', args: ['--oci-seccomp'] },
        },
      },
    ],
    ['no runtimes', { Runtimes: null }, { runtimes: {} }],
    ['warnings', { Warnings: ['No swap limit support'] }, { warnings: ['No swap limit support'] }],
  ])('%s', (_title, info, expected) => {
    expect(toEngineFacts({ ...INFO, ...info }, '1.41')).toMatchObject(expected);
  });

  test('nothing for an empty answer, and then nothing can be enforced', () => {
    const facts = toEngineFacts({}, '1.41');
    expect(facts).toMatchObject({
      seccomp: false,
      limits: { memory: false, swap: false, cpu: false, pids: false },
      cgroupVersion: '1',
    });
    expect(REQUIREMENTS.filter(({ met }) => met(facts))).toEqual([]);
  });
});

describe('a grant', () => {
  const allowance = toAllowance(GRANT);
  const limits = FACTS.limits;

  test('is enforceable on an engine that has every control', () => {
    expect(() => assertEnforceable(FACTS, allowance)).not.toThrow();
  });

  test.each<[string, Partial<EngineFacts>]>([
    ['Linux containers', { platform: { os: 'windows', architecture: 'amd64' } }],
    ['amd64 or arm64', { platform: { os: 'linux', architecture: 'riscv64' } }],
    ['seccomp', { seccomp: false }],
    ['memory limit', { limits: { ...limits, memory: false } }],
    ['swap limit', { limits: { ...limits, swap: false } }],
    ['CPU quota', { limits: { ...limits, cpu: false } }],
    ['pids limit', { limits: { ...limits, pids: false } }],
  ])('is not enforceable without %s', (name, facts) => {
    expect(() => assertEnforceable({ ...FACTS, ...facts }, allowance)).toThrow(
      expect.objectContaining({
        code: 'ENGINE_INSECURE',
        problems: [{ path: '', message: expect.stringContaining(`${name} is missing: `) }],
      }),
    );
  });

  test('is not enforceable without several controls, and each is named', () => {
    const facts = { ...FACTS, seccomp: false, limits: { ...limits, pids: false, cpu: false } };
    expect(() => assertEnforceable(facts, allowance)).toThrow(
      expect.objectContaining({ problems: [expect.anything(), expect.anything(), expect.anything()] }),
    );
  });

  test('is not enforceable with a runtime that may not enforce it', () => {
    const runtimes = { runc: { program: 'youki', args: [] } };
    expect(() => assertEnforceable({ ...FACTS, runtimes }, toAllowance(GRANT))).toThrow(
      expect.objectContaining({ code: 'ENGINE_INSECURE' }),
    );
  });
});
