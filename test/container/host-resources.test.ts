import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPrivateEngine, type PrivateEngine } from '../helpers/private-engine.ts';
import { createPlugin, type Program, type TestPlugin } from '../helpers/workspace.ts';

/** Room for two networks: a third has to go without. */
const TWO_NETWORKS = ['--default-address-pool', 'base=10.213.0.0/28,size=29'];

let engine: PrivateEngine;
let plugin: TestPlugin;
beforeAll(async () => {
  engine = await createPrivateEngine({ args: TWO_NETWORKS });
  plugin = await createPlugin(
    'host-resources',
    { manifest: { permissions: { network: true } } },
    { env: engine.env, policy: { allow: { bridge: true } } },
  );
  await plugin.ask(() => 1);
});
afterAll(async () => {
  await plugin[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

const sleep: Program<number> = async (ms) => {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return 'slept';
};

describe('an engine that has no room', () => {
  test('for another network is HOST_RESOURCES, and nothing is left (P1, P2)', async () => {
    const results = await Promise.all([1, 2, 3].map(() => plugin.run(sleep, 3_000)));
    expect(results.map(({ outcome }) => outcome).sort()).toEqual(['HOST_RESOURCES', 'OK', 'OK']);
    const failed = results.find(({ outcome }) => outcome === 'HOST_RESOURCES');
    expect(failed?.error?.message).toMatch(/address pool.*Free memory, disk or address space/s);
    expect(await plugin.ask(() => 'well')).toBe('well');
  });

  test('on its disk for another container is HOST_RESOURCES, and nothing is left (P1, P2)', async () => {
    using _full = fill('containers');
    const result = await plugin.run(() => 'never');
    expect(result).toMatchObject({
      outcome: 'HOST_RESOURCES',
      error: { message: expect.stringMatching(/no space left on device.*Free memory, disk/s) },
    });
  });

  test('on its disk for another image is HOST_RESOURCES (P1)', async () => {
    using _full = fill('tmp');
    await using other = await createPlugin('host-resources-image', {}, { env: engine.env });
    const result = await other.run(() => 'never');
    expect(result).toMatchObject({
      outcome: 'HOST_RESOURCES',
      error: { message: expect.stringContaining('no space left on device') },
    });
  });

  test('works again when there is room (P1)', async () => {
    expect(await plugin.ask(() => 'well')).toBe('well');
  });
});

/** Lays a file system that is full over a folder of the engine, where only the engine sees it. */
function fill(folder: 'containers' | 'tmp'): Disposable {
  const path = join(dirname(engine.socketPath), 'data', folder);
  const inside = (...command: string[]): void => {
    execFileSync('nsenter', ['--target', String(engine.pid), '--mount', '--', ...command]);
  };
  inside('mount', '-t', 'tmpfs', '-o', 'size=4k,nr_inodes=1,mode=755', 'tmpfs', path);
  return { [Symbol.dispose]: () => inside('umount', path) };
}
