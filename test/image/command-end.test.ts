import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { COMMAND_LIMITS, runCommand } from '../../src/image/command.ts';
import { createDiskBudget } from '../../src/image/disk-watch.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'command-end-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const node = (code: string, options: object = {}) =>
  runCommand(process.execPath, ['-e', code], { cwd: folder, timeoutMs: 60_000, ...options });

/** Processes whose working folder is the one of this test. */
async function processesHere(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')));
  return pids.filter((_, index) => folders[index] === folder);
}

const CHILDREN = `
  const start = () => require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  start(); start();
  setInterval(() => {}, 1000);`;

/** A process that runs a program in the folder of this test, and says when that is up. */
async function startOrchestrator(): Promise<ChildProcess> {
  const code = `
    const { runCommand } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/image/command.ts'))});
    void runCommand(process.execPath, ['-e', ${JSON.stringify(CHILDREN)}], { cwd: ${JSON.stringify(folder)}, timeoutMs: 60_000 });`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: 'ignore',
    detached: true,
  });
  await expect
    .poll(async () => (await processesHere()).length, { timeout: 20_000 })
    .toBeGreaterThanOrEqual(4);
  return child;
}

describe('when the process that runs a program is killed', () => {
  test.each(['SIGKILL', 'SIGTERM'] as const)(
    'by %s, the program and its children end too (P10)',
    async (signal) => {
      const orchestrator = await startOrchestrator();
      orchestrator.kill(signal);
      await once(orchestrator, 'exit');
      await expect.poll(processesHere, { timeout: 20_000 }).toEqual([]);
    },
  );

  test('with its whole group, they end all the same (P10)', async () => {
    const orchestrator = await startOrchestrator();
    process.kill(-(orchestrator.pid as number), 'SIGKILL');
    await once(orchestrator, 'exit');
    await expect.poll(processesHere, { timeout: 20_000 }).toEqual([]);
  });
});

test('a program that ended by itself leaves nothing (P10)', async () => {
  const result = await node(`
    require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' }).unref();
    process.exit(0);`);
  expect(result?.exitCode).toBe(0);
  await expect.poll(processesHere, { timeout: 20_000 }).toEqual([]);
});

describe('a running program is bounded in', () => {
  test('one file (P10)', async () => {
    const result = await node(`
      const fs = require('fs');
      const file = fs.openSync('endless', 'w');
      for (;;) fs.writeSync(file, Buffer.alloc(16 * 1024 * 1024));`);
    expect(result?.exitCode).not.toBe(0);
    expect(result?.stderr).toContain('EFBIG');
    expect((await stat(join(folder, 'endless'))).size).toBeLessThanOrEqual(COMMAND_LIMITS.fileBytes);
  });

  test('its memory (P10)', async () => {
    const result = await node('const all = []; for (;;) all.push(Buffer.alloc(64 * 1024 * 1024, 1));');
    expect(result?.exitCode).not.toBe(0);
    expect(result?.timedOut).toBe(false);
  });

  test('many files, by their bytes (P10)', async () => {
    const disk = createDiskBudget({ folder, bytes: 20 * 1024 * 1024, entries: 1_000_000 });
    const result = await node(
      `
      const fs = require('fs');
      let at = 0;
      setInterval(() => fs.writeFileSync(String(at++), Buffer.alloc(1024 * 1024)), 10);`,
      { disk },
    );
    expect(result).toMatchObject({ exitCode: null, timedOut: false, overBudget: 'more than 20 MB' });
  });

  test('many files, by their number (P10)', async () => {
    const disk = createDiskBudget({ folder, bytes: 20 * 1024 * 1024, entries: 500 });
    const result = await node(
      `
      const fs = require('fs');
      let at = 0;
      setInterval(() => { for (let i = 0; i < 100; i++) fs.writeFileSync(String(at++), ''); }, 10);`,
      { disk },
    );
    expect(result).toMatchObject({ exitCode: null, overBudget: 'more than 500 files and folders' });
  });

  test('its files, even when it ends before the first check', async () => {
    const disk = createDiskBudget({ folder, bytes: 1024, entries: 10 });
    const result = await node('require("fs").writeFileSync("large", Buffer.alloc(4096))', { disk });
    // A slow host may look before it is over.
    expect(result?.overBudget).toBe('more than 0 MB');
  });
});

test('a program gets its own environment, and nothing of that of this process', async () => {
  const result = await node(
    'process.stdin.pipe(process.stdout); console.error(Object.keys(process.env).sort().join())',
    { input: 'hello', env: { LANG: 'C', NAME: 'value' } },
  );
  expect(result?.stdout).toBe('hello');
  expect(
    result?.stderr
      .trim()
      .split(',')
      .filter((name) => name !== 'PWD'),
  ).toEqual(['LANG', 'NAME']);
});

test('a program is named by its absolute path', async () => {
  await writeFile(join(folder, 'tool'), '#!/bin/sh\necho ran\n', { mode: 0o755 });
  expect(await runCommand('tool', [], { cwd: folder, timeoutMs: 5_000 })).toBeNull();
  expect((await runCommand(join(folder, 'tool'), [], { timeoutMs: 5_000 }))?.stdout).toBe('ran\n');
  expect(await readFile(join(folder, 'tool'), 'utf8')).toContain('echo');
});
