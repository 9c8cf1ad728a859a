import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFolder, type Folder, newVersion, openRegistry } from './sample.ts';

let folder: Folder;

beforeEach(async () => {
  folder = await createFolder();
});
afterEach(() => folder[Symbol.asyncDispose]());

function start(...args: string[]): ChildProcess {
  const program = join(import.meta.dirname, 'writer.ts');
  return spawn(process.execPath, [program, folder.path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function endOf(child: ChildProcess): Promise<[number | null, string | null]> {
  return (await once(child, 'exit')) as [number | null, string | null];
}

test("processes that write at the same time lose none of each other's changes", {
  timeout: 120_000,
}, async () => {
  const count = 400;
  const registry = await openRegistry(folder.path);
  registry.register(newVersion('shared'));
  const ends = ['a', 'b', 'c'].map((name) => endOf(start('many', name, `${count}`)));
  for (let index = 0; index < count; index++) {
    registry.register(newVersion(`d-${index}`));
    await delay(0);
  }
  expect(await Promise.all(ends)).toEqual([0, 1, 2].map(() => [0, null]));
  const names = ['a', 'b', 'c', 'd'].flatMap((name) =>
    Array.from({ length: count }, (_, index) => `${name}-${index}`),
  );
  expect(registry.list().map(({ name }) => name)).toEqual([...names, 'shared'].sort());
  expect(new Set(registry.list().map(({ versions }) => versions[0]?.id)).size).toBe(4 * count + 1);
  expect(registry.get('shared')?.versions[0]?.statistics).toMatchObject({ calls: 1200, failures: 1200 });
  expect(registry.get('a-7')?.versions[0]?.statistics).toMatchObject({ calls: 1, failures: 0 });
  expect(registry.events({ types: ['LOAD'], limit: 10_000 })).toHaveLength(3 * count);
  expect(registry.repairs).toEqual([]);
  const again = await openRegistry(folder.path);
  expect(again.list()).toEqual(registry.list());
  await again.close();
  await registry.close();
});

test('a process sees at its next read what another one has stored or removed', async () => {
  const one = await openRegistry(folder.path);
  const two = await openRegistry(folder.path);
  const { id } = one.register(newVersion('weather'));
  expect(two.get('weather')?.versions[0]?.state).toBe('LOADED');
  two.setState(id, 'enable');
  expect(one.listByState('ENABLED').map(({ name }) => name)).toEqual(['weather']);
  const clock = one.get('weather');
  expect(one.get('weather')).toBe(clock);
  one.unregister('weather');
  expect(two.list()).toEqual([]);
  two.register(newVersion('weather', '2.0.0'));
  expect(one.get('weather')?.versions).toMatchObject([{ version: '2.0.0' }]);
  two.appendEvent({ ...EVENT, message: 'by two' });
  two.flush();
  expect(one.events()).toMatchObject([{ message: 'by two' }]);
  await one.close();
  expect(two.get('weather')?.versions).toMatchObject([{ version: '2.0.0' }]);
  await two.close();
});

const EVENT = {
  v: 2,
  eventType: 'LOAD',
  pluginName: 'weather',
  version: null,
  digest: null,
  timestamp: '2026-01-02T03:04:05.678Z',
  success: true,
  message: null,
  error: null,
  metadata: {},
} as const;

test('two registries of one process do not disturb each other', async () => {
  const both = [await openRegistry(folder.path), await openRegistry(folder.path)];
  for (let index = 0; index < 20; index++) both[index % 2]?.register(newVersion(`plugin-${index}`));
  await Promise.all(both.map((registry) => registry.close()));
  await using again = await openRegistry(folder.path);
  expect(again.list()).toHaveLength(20);
  expect(again.repairs).toEqual([]);
  expect(await readdir(folder.path)).toContain('registry.backup.db');
});

describe('a process that is killed', () => {
  test.each(Array.from({ length: 8 }, (_, step) => step))(
    'before step %d leaves all of its transaction or nothing',
    async (step) => {
      {
        await using registry = await openRegistry(folder.path);
        for (const name of ['left', 'middle', 'right']) registry.register(newVersion(name));
      }
      expect(await endOf(start('steps', `${step}`))).toEqual([null, 'SIGKILL']);
      await using registry = await openRegistry(folder.path);
      const isDone = step >= 6;
      expect(registry.get('left')).toMatchObject({
        active: isDone ? { state: 'ENABLED' } : null,
        versions: [{ state: isDone ? 'ENABLED' : 'LOADED' }],
        consented: { exec: isDone },
      });
      expect(registry.get('right')?.versions).toHaveLength(isDone ? 2 : 1);
      expect(registry.get('middle') === null).toBe(isDone);
      expect(registry.repairs).toEqual([]);
    },
  );

  test('at any moment leaves every confirmed change, and no partial one', {
    timeout: 120_000,
  }, async () => {
    let reached = -1;
    for (let round = 0; round < 6; round++) {
      const child = start('pairs');
      let said = '';
      child.stdout?.on('data', (chunk) => {
        said += chunk;
      });
      while (!/\d/.test(said)) await once(child.stdout!, 'data');
      await delay(Math.random() * 700);
      const end = endOf(child);
      child.kill('SIGKILL');
      expect(await end).toEqual([null, 'SIGKILL']);
      await using registry = await openRegistry(folder.path);
      const [left, right] = [registry.get('left'), registry.get('right')];
      expect(left?.versions).toHaveLength(1);
      expect(left?.active).toEqual(left?.versions[0]);
      expect(right?.active?.version).toBe(left?.active?.version);
      expect(left?.active?.state).toBe('ENABLED');
      // A version that was there before is registered again by the next round, from 1.0.0 on.
      const last = Number(said.trimEnd().split('\n').at(-1));
      const patch = Number(left?.active?.version.split('.')[2]);
      expect(patch === last || patch === last + 1).toBe(true);
      expect(registry.repairs).toEqual([]);
      reached = Math.max(reached, last);
    }
    expect(reached).toBeGreaterThan(0);
    // The copies of backups that were under way are removed too.
    await using registry = await openRegistry(folder.path);
    registry.register(newVersion('other'));
    await registry.close();
    expect((await readdir(folder.path)).sort()).toEqual([
      'activity.db',
      'activity.lock',
      'registry.backup.db',
      'registry.db',
      'registry.lock',
    ]);
  });

  test('while it repairs a broken store leaves one that the next process repairs', {
    timeout: 120_000,
  }, async () => {
    const before = await (async () => {
      await using registry = await openRegistry(folder.path);
      for (let index = 0; index < 50; index++) registry.register(newVersion(`plugin-${index}`));
      return registry.list();
    })();
    for (let round = 0; round < 12; round++) {
      await writeFile(join(folder.path, 'registry.db'), 'x');
      const child = start('open');
      const end = endOf(child);
      await once(child.stdout!, 'data');
      await delay(round * 2);
      child.kill('SIGKILL');
      await end;
      await using registry = await openRegistry(folder.path);
      expect(registry.list()).toEqual(before);
    }
    // Nothing of what was broken is deleted.
    const broken = (await readdir(folder.path)).filter((name) => name.startsWith('registry.db.broken-'));
    expect(broken.length).toBeGreaterThanOrEqual(12);
  });
});
