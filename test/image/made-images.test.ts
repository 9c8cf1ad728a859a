import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MadeImages, madeImagesFolder } from '../../src/image/made-images.ts';
import { SILENT_LOGGER } from '../../src/logger.ts';

const KEY = 'a'.repeat(64);
const id = (digit: string) => `sha256:${digit.repeat(64)}`;

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'made-images-test-'));
});
afterEach(() => rm(root, { recursive: true }));

const open = (folder: string | null = join(root, 'state/images')) => new MadeImages(folder, SILENT_LOGGER);

test('one process knows the images that another one built, newest first', async () => {
  await open().add(KEY, id('1'));
  await open().add(KEY, id('2'));
  await open().add(KEY, id('1'));
  expect(await open().idsOf(KEY)).toEqual([id('1'), id('2')]);
  expect(await open().idsOf('b'.repeat(64))).toEqual([]);
  expect((await stat(join(root, 'state/images'))).mode & 0o777).toBe(0o700);
  expect(await readdir(join(root, 'state/images'))).toEqual([KEY]);
});

test('a few ids are stored for a key, and none that was removed', async () => {
  const made = open();
  for (let index = 0; index < 20; index++) await made.add(KEY, id((index % 16).toString(16)));
  expect(await open().idsOf(KEY)).toHaveLength(8);
  await made.forget(KEY);
  expect(await open().idsOf(KEY)).toEqual([]);
});

test('a folder that others can write to is not trusted', async () => {
  const folder = join(root, 'images');
  await mkdir(folder);
  await writeFile(join(folder, KEY), `${id('f')}\n`);
  await chmod(folder, 0o777);
  const made = open(folder);
  expect(await made.idsOf(KEY)).toEqual([]);
  await made.add(KEY, id('1'));
  expect(await made.idsOf(KEY)).toEqual([id('1')]);
  expect(await open(folder).idsOf(KEY)).toEqual([]);
});

test('the process itself remembers built images when nothing can be stored', async () => {
  const made = open(null);
  await made.add(KEY, id('1'));
  expect(await made.idsOf(KEY)).toEqual([id('1')]);
});

test('an invalid id in a file is ignored', async () => {
  await mkdir(join(root, 'state/images'), { recursive: true, mode: 0o700 });
  await writeFile(join(root, 'state/images', KEY), `latest\n${id('1')}\nsha256:12\n`);
  expect(await open().idsOf(KEY)).toEqual([id('1')]);
});

test('built images are recorded for the user, and not in a workspace', () => {
  expect(madeImagesFolder({ HOME: '/home/ada' })).toBe('/home/ada/.local/state/lurkbox/images');
  expect(madeImagesFolder({ HOME: '/home/ada', XDG_STATE_HOME: '/state' })).toBe('/state/lurkbox/images');
  expect(madeImagesFolder({ HOME: '/home/ada', XDG_STATE_HOME: 'relative' })).toBe(
    '/home/ada/.local/state/lurkbox/images',
  );
});
