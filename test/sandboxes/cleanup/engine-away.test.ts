import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'engine-away-'));
});
afterEach(async () => {
  for (const { pid } of await guards()) process.kill(pid, 'SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** What runs for the guard of this test, which has its folder as an argument. */
async function guards(): Promise<{ pid: number; program: string }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const line = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
      return line.includes(folder) ? [{ pid: Number(pid), program: line[0] ?? '' }] : [];
    }),
  );
  return found.flat();
}

test('a guard whose engine went away removes temporary files at once, and waits as a shell', {
  timeout: 60_000,
}, async () => {
  const source = (path: string) => JSON.stringify(join(import.meta.dirname, '../../../src', path));
  const code = `
    const { startGuard } = await import(${source('sandboxes/cleanup/guard.ts')});
    const { createIdentity } = await import(${source('sandboxes/cleanup/identity.ts')});
    const { createTempFolder } = await import(${source('image/temp-folder.ts')});
    const { SILENT_LOGGER } = await import(${source('logger.ts')});
    const cacheDir = ${JSON.stringify(folder)};
    await createTempFolder(cacheDir);
    startGuard({ identity: createIdentity(), engineEnv: { DOCKER_HOST: 'unix:///nonexistent.sock' }, cacheDir, logger: SILENT_LOGGER });
    console.log('up');
    setInterval(() => {}, 1000);`;
  await mkdir(join(folder, 'tmp'));
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  expect(await readdir(join(folder, 'tmp'))).toHaveLength(1);
  child.kill('SIGKILL');
  await expect.poll(() => readdir(join(folder, 'tmp')), { timeout: 20_000 }).toEqual([]);
  await expect
    .poll(async () => (await guards()).map(({ program }) => program), { timeout: 30_000, interval: 200 })
    .toEqual(['/bin/sh']);
  expect(existsSync(folder)).toBe(true);
});
