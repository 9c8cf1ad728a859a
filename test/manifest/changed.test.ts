import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { LurkboxError } from '../../src/errors.ts';
import { isBecauseOfChange } from '../../src/manifest/changed.ts';
import { loadPlugin } from '../../src/manifest/load.ts';
import { readPluginFiles } from '../../src/manifest/read-files.ts';
import { MINIMAL } from './sample.ts';

/** Tries until one of them meets the writer. */
const PATIENT = { interval: 1, timeout: 20_000 };

test('a file whose size changes while the plugin is read is reported as a change', async () => {
  const { folder, path } = await createFolder();
  await using _writer = changeSizeForEver(path('data'));
  await expect
    .poll(() => errorOf(loadPlugin(folder)), PATIENT)
    .toMatchObject({
      code: 'MANIFEST_INVALID',
      problems: [{ path: 'data', message: 'changed while it was read; load the plugin again' }],
    });
});

test('files that come and go while the plugin is read are reported as a change', async () => {
  const { folder, path } = await createFolder();
  await using _writer = comeAndGo(path('data'));
  await expect.poll(async () => isBecauseOfChange(await errorOf(loadPlugin(folder))), PATIENT).toBe(true);
});

test('a file that changed after the plugin was loaded is reported as a change', async () => {
  const { folder, path } = await createFolder();
  const plugin = await loadPlugin(folder);
  await writeFile(path('index.js'), 'export const execute = () => 2;');
  const error = await errorOf(Array.fromAsync(readPluginFiles(plugin)));
  expect(isBecauseOfChange(error)).toBe(true);
});

test('a broken manifest whose error mentions a change counts as a broken manifest', async () => {
  const { folder, path } = await createFolder();
  const sentence = 'changed while it was read; load the plugin again';
  await writeFile(path('plugin.json'), JSON.stringify({ ...MINIMAL, entry_point: sentence, [sentence]: 1 }));
  expect(await errorOf(loadPlugin(folder))).toMatchObject({ code: 'MANIFEST_INVALID' });
  expect(isBecauseOfChange(await errorOf(loadPlugin(folder)))).toBe(false);
});

test('another error does not count as a change, whatever its message', () => {
  const problems = [{ path: '', message: 'changed while it was read; load the plugin again' }];
  expect(isBecauseOfChange(new LurkboxError('POLICY_DENIED', '', { problems }))).toBe(false);
  expect(isBecauseOfChange({ code: 'MANIFEST_INVALID', problems })).toBe(false);
});

async function createFolder(): Promise<{ folder: string; path: (name: string) => string }> {
  const folder = await mkdtemp(join(tmpdir(), 'lurkbox-changed-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = (name: string) => join(folder, name);
  await writeFile(path('plugin.json'), JSON.stringify(MINIMAL));
  await writeFile(path('index.js'), 'export const execute = () => 1;');
  await writeFile(path('data'), 'x');
  return { folder, path };
}

function changeSizeForEver(file: string): AsyncDisposable {
  let size = 1;
  return forEver(async () => {
    size = 3 - size;
    await truncate(file, size);
  });
}

function comeAndGo(file: string): AsyncDisposable {
  return forEver(async () => {
    await rm(file);
    await writeFile(file, 'x');
  });
}

function forEver(step: () => Promise<void>): AsyncDisposable {
  let isOver = false;
  const run = (async () => {
    while (!isOver) await step();
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      isOver = true;
      await run;
    },
  };
}

async function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => null,
    (error: unknown) => error,
  );
}
