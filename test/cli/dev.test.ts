import { mkdir, mkdtemp, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchUntil } from '../../src/cli/dev.ts';
import { LurkboxError } from '../../src/errors.ts';
import { SILENT_LOGGER } from '../../src/logger.ts';
import { createFakeReloader, type FakeReloader } from '../versions/hot-reload/fake-reloader.ts';
import { STEERING } from './run-cli.ts';

const PATIENT = { interval: 10, timeout: 20_000 };

let root: string;
let reloader: FakeReloader;
let printed: string;
let stop: AbortController;
let ended: Promise<number>;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'lurkbox-dev-')));
  reloader = createFakeReloader();
  printed = '';
  stop = new AbortController();
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
});

afterEach(async () => {
  stop.abort();
  await ended;
  vi.restoreAllMocks();
  await rm(root, { recursive: true, force: true });
});

function begin(json: boolean): void {
  const options = {
    reloader,
    logger: SILENT_LOGGER,
    json,
    debounceMs: 300,
    warningsOf: (name: string) => (json ? [`Not checked: \`${name}\`.`] : []),
    beforePrint: () => {},
  };
  ended = watchUntil(stop.signal, root, options);
}

/** Each of the changes is one step, so that it is told once. */
async function putPlugin(content: string): Promise<void> {
  await mkdir(join(root, '.made'));
  await writeFile(join(root, '.made/plugin.json'), '{}');
  await writeFile(join(root, '.made/index.js'), content);
  await rename(join(root, '.made'), join(root, 'hello'));
}

async function changePlugin(content: string): Promise<void> {
  await writeFile(join(root, '.written'), content);
  await rename(join(root, '.written'), join(root, 'hello/index.js'));
}

async function removePlugin(): Promise<void> {
  await rename(join(root, 'hello'), join(root, '.gone'));
}

async function printedLines(count: number): Promise<string[]> {
  const lines = () => printed.split('\n').slice(0, -1);
  await expect.poll(() => lines().length, PATIENT).toBe(count);
  return lines();
}

const DIGEST = `sha256:1f2e3d4c${'0'.repeat(56)}`;
const PROBLEMS = [
  { path: 'name', message: 'is missing' },
  { path: 'a', message: 'evil \u001b[31m' },
];

test('`dev` shows each reload, each failure with its problems once, and each removal', async () => {
  await putPlugin(DIGEST);
  begin(false);
  expect((await printedLines(1))[0]).toMatch(
    /^✔ hello 1\.0\.0 sha256:1f2e3d4c… live after \d+ ms \(image built in 1 ms\)$/,
  );
  reloader.during = () => {
    throw new LurkboxError('MANIFEST_INVALID', 'It breaks the rules.', { problems: PROBLEMS });
  };
  await changePlugin('2');
  expect((await printedLines(5)).slice(1)).toEqual([
    `✖ ${root}/hello`,
    '  It breaks the rules.',
    '    - `name`: is missing',
    '    - `a`: evil \\u001b[31m',
  ]);
  await removePlugin();
  expect((await printedLines(6))[5]).toBe(`− ${root}/hello is gone`);
});

test('`dev --json` prints one JSON document per line', async () => {
  await putPlugin(DIGEST);
  begin(true);
  await printedLines(1);
  reloader.during = () => {
    throw new LurkboxError('MANIFEST_INVALID', 'It breaks the rules.', { problems: PROBLEMS });
  };
  await changePlugin('2');
  await printedLines(2);
  await removePlugin();
  const lines = await printedLines(3);
  const folder = `${root}/hello`;
  // The error itself is harmless, whoever shows it.
  const { problems } = new LurkboxError('MANIFEST_INVALID', '', { problems: PROBLEMS });
  expect(JSON.stringify(problems)).toContain('evil \\\\u001b[31m');
  const error = { code: 'MANIFEST_INVALID', message: 'It breaks the rules.', problems };
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    {
      event: 'reloaded',
      folder,
      name: 'hello',
      version: '1.0.0',
      digest: DIGEST,
      buildMs: 1,
      built: true,
      reloadMs: expect.any(Number),
      warnings: ['Not checked: `hello`.'],
    },
    { event: 'failed', folder, ...error },
    { event: 'removed', folder },
  ]);
  expect(printed).not.toMatch(STEERING);
});

test('`dev` exits with 0 at a signal', async () => {
  begin(false);
  stop.abort();
  expect(await ended).toBe(0);
});

test('`dev` refuses a missing folder', async () => {
  await rm(root, { recursive: true });
  begin(false);
  const refused = ended;
  ended = Promise.resolve(0);
  await expect(refused).rejects.toMatchObject({ code: 'PLUGIN_NOT_FOUND' });
});
