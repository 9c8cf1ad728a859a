import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PackageStore, STORE_LIMITS } from '../../src/image/package-store.ts';

let root: string;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'lurkbox-packages-')));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const hashOf = (content: string) => `sha512-${createHash('sha512').update(content).digest('base64')}`;

async function keep(store: PackageStore, content: string): Promise<void> {
  writeFileSync(join(root, 'fetched'), content);
  await store.keep(hashOf(content), join(root, 'fetched'));
}

test('a stored package is found again, unless it was changed', async () => {
  const store = new PackageStore(root);
  await keep(store, 'a package');
  expect(await store.take(hashOf('a package'), join(root, 'taken'))).toBe(true);
  expect(readFileSync(join(root, 'taken'), 'utf8')).toBe('a package');
  const [name = ''] = readdirSync(join(root, 'packages'));
  rmSync(join(root, 'packages', name));
  writeFileSync(join(root, 'packages', name), 'another');
  rmSync(join(root, 'taken'));
  expect(await store.take(hashOf('a package'), join(root, 'taken'))).toBe(false);
  expect(existsSync(join(root, 'taken'))).toBe(false);
});

test('a link in the place of the store, or of the folder above it, is not followed (P10)', async () => {
  const victim = join(root, 'victim');
  for (const [cache, link] of [
    ['one', 'one/packages'],
    ['two', 'two'],
  ] as const) {
    mkdirSync(join(victim, 'packages'), { recursive: true });
    for (let count = 0; count <= STORE_LIMITS.files; count++) writeFileSync(join(victim, `${count}`), '');
    for (let count = 0; count <= STORE_LIMITS.files; count++)
      writeFileSync(join(victim, 'packages', `${count}`), '');
    const store = new PackageStore(join(root, cache));
    mkdirSync(join(root, cache));
    await keep(store, 'a package');
    renameSync(join(root, link), join(root, `${cache}-aside`));
    symlinkSync(victim, join(root, link));
    await store.trim();
    await keep(store, 'another');
    expect(await store.take(hashOf('a package'), join(root, 'taken'))).toBe(false);
    expect(readdirSync(victim)).toHaveLength(STORE_LIMITS.files + 2);
    expect(readdirSync(join(victim, 'packages'))).toHaveLength(STORE_LIMITS.files + 1);
  }
});
