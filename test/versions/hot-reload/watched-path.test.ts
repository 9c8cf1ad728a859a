import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LurkboxError } from '../../../src/errors.ts';
import { SILENT_LOGGER } from '../../../src/logger.ts';
import { WatchedPath, watchesExhausted } from '../../../src/versions/hot-reload/watched-path.ts';
import { createFakeReloader } from './fake-reloader.ts';

let root: string;
let lost: LurkboxError[];
let path: WatchedPath | undefined;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'lurkbox-watch-')));
  lost = [];
});

afterEach(async () => {
  await path?.close();
  await rm(root, { recursive: true, force: true });
});

function createPath(maxEntries: number): WatchedPath {
  const created = new WatchedPath(root, {
    reloader: createFakeReloader(),
    debounceMs: 50,
    limit: pLimit(1),
    consequences: { reloaded: () => {}, failed: () => {}, removed: () => {} },
    logger: SILENT_LOGGER,
    maxEntries,
    lost: (error) => lost.push(error),
  });
  path = created;
  return created;
}

async function fill(from: number, to: number): Promise<void> {
  await mkdir(join(root, 'big'), { recursive: true });
  for (let index = from; index < to; index++) await writeFile(join(root, 'big', String(index)), '');
}

const TOO_MANY = {
  code: 'OPTIONS_INVALID',
  message: expect.stringContaining('more than 50 files and folders'),
};

test('a path with too many files is not watched', async () => {
  await fill(0, 60);
  await expect(createPath(50).open()).rejects.toMatchObject(TOO_MANY);
  expect(lost).toEqual([]);
});

test('a path that grows too large is no longer watched, which is reported once', async () => {
  await fill(0, 10);
  await createPath(50).open();
  await fill(10, 200);
  await expect.poll(() => lost, { interval: 10, timeout: 20_000 }).toMatchObject([TOO_MANY]);
  await fill(200, 250);
  expect(lost).toHaveLength(1);
});

test('a file that is written many times is counted once', async () => {
  await fill(0, 30);
  await createPath(50).open();
  for (let round = 0; round < 5; round++) {
    await rm(join(root, 'big'), { recursive: true });
    await fill(0, 30);
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(lost).toEqual([]);
});

test.each([
  ['ENOSPC', 'max_user_watches'],
  ['EMFILE', 'max_user_instances'],
])('the error for %s names the limit to raise', (code, setting) => {
  const error = watchesExhausted('/plugins', Object.assign(new Error(code), { code }));
  expect(error).toMatchObject({ code: 'HOST_RESOURCES', message: expect.stringContaining(setting) });
  expect(watchesExhausted('/plugins', new Error('another'))).toBeNull();
  expect(watchesExhausted('/plugins', null)).toBeNull();
});
