import { release } from 'node:os';
import { expect, test } from 'vitest';
import type { EngineConnection } from '../../src/engine/engine.ts';
import { keepsInodes } from '../../src/engine/shared-files.ts';
import { FakeEngine } from '../helpers/fake-engine.ts';
import { FACTS } from './sample.ts';

const runtimes = {
  runc: { program: 'runc', args: [] },
  crun: { program: 'crun', args: [] },
  gvisor: { program: 'runsc', args: [] },
};
const HERE = { connection: 'socket' as EngineConnection, kernelVersion: release(), runtime: null };

test.each<
  [string, Partial<{ connection: EngineConnection; kernelVersion: string; runtime: string | null }>, boolean]
>([
  ['on this kernel', {}, true],
  ['on this kernel, by crun', { runtime: 'crun' }, true],
  ['by a runtime that nobody knows', { runtime: 'other' }, true],
  ['in gVisor, which has a kernel of its own', { runtime: 'gvisor' }, false],
  ['in a virtual machine', { kernelVersion: '6.1.0-linuxkit' }, false],
  ['behind a network', { connection: 'TLS' }, false],
])(
  'inodes of a container are compared only where the kernel is shared: %s',
  async (_where, change, expected) => {
    const { connection, kernelVersion, runtime } = { ...HERE, ...change };
    const facts = async () => ({ ...FACTS, runtimes, defaultRuntime: 'runc', kernelVersion });
    expect(
      await keepsInodes({ endpoint: { ...new FakeEngine().endpoint, connection }, facts }, runtime),
    ).toBe(expected);
  },
);
