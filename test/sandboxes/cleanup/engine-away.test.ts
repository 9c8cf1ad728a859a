import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

interface Folder extends AsyncDisposable {
  readonly path: string;
}

async function createFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'engine-away-'));
  await mkdir(join(path, 'tmp'));
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      for (const { pid } of await guardsIn(path)) process.kill(pid, 'SIGKILL');
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** What runs for the guard of a test, which has its folder as an argument. */
async function guardsIn(folder: string): Promise<{ pid: number; program: string }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const line = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
      return line.includes(folder) ? [{ pid: Number(pid), program: line[0] ?? '' }] : [];
    }),
  );
  return found.flat();
}

const programsIn = async (folder: string) => (await guardsIn(folder)).map(({ program }) => program);
const soon = { timeout: 30_000, interval: 200 };

/** Starts an orchestrator whose engine is at this socket, and kills it. */
async function leaveGuard(folder: string, socket: string): Promise<void> {
  const source = (path: string) => JSON.stringify(join(import.meta.dirname, '../../../src', path));
  const code = `
    const { startGuard } = await import(${source('sandboxes/cleanup/guard.ts')});
    const { createIdentity } = await import(${source('sandboxes/cleanup/identity.ts')});
    const { createTempFolder } = await import(${source('storage/temp-folder.ts')});
    const { SILENT_LOGGER } = await import(${source('logger.ts')});
    const cacheDir = ${JSON.stringify(folder)};
    await createTempFolder(cacheDir);
    const engineEnv = { DOCKER_HOST: 'unix://' + ${JSON.stringify(socket)} };
    startGuard({ identity: createIdentity(), engineEnv, cacheDir, logger: SILENT_LOGGER });
    console.log('up');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  expect(await readdir(join(folder, 'tmp'))).toHaveLength(1);
  child.kill('SIGKILL');
  await once(child, 'exit');
}

describe.concurrent('a guard whose engine went away', { timeout: 60_000 }, () => {
  test('removes temporary files at once, waits as a shell, and cleans up when the socket is back', async () => {
    await using folder = await createFolder();
    const socket = join(folder.path, 'engine.sock');
    await leaveGuard(folder.path, socket);
    await expect.poll(() => readdir(join(folder.path, 'tmp')), soon).toEqual([]);
    await expect.poll(() => programsIn(folder.path), soon).toEqual(['/bin/sh']);
    let requests = 0;
    await using _server = createServer((request) => {
      requests++;
      request.socket.destroy();
    }).listen(socket);
    await expect.poll(() => requests, soon).toBeGreaterThan(0);
  });

  test('ends when the folder of the socket is gone too', async () => {
    await using folder = await createFolder();
    const home = join(folder.path, 'engine');
    await mkdir(home);
    await leaveGuard(folder.path, join(home, 'engine.sock'));
    await expect.poll(() => programsIn(folder.path), soon).toContain('/bin/sh');
    await rm(home, { recursive: true });
    await expect.poll(() => programsIn(folder.path), soon).toEqual([]);
  });
});
