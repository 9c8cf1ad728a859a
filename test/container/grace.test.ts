import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLurkbox, type Lurkbox } from '../../src/index.ts';
import {
  createSharedFolder,
  createWorkspace,
  removeImagesOf,
  type SharedFolder,
  type Workspace,
} from '../helpers/workspace.ts';

const NAME = 'leaves-work-behind';

/** What it leaves under way when it has answered. */
const CODE = `
  import { appendFile } from 'node:fs';
  import http from 'node:http';
  import { setTimeout as delay } from 'node:timers/promises';
  import { Worker } from 'node:worker_threads';
  let timer;
  let worker;
  const WORK = {
    nothing: () => {},
    'a timer that nobody waits for': () => setTimeout(() => {}, 60_000).unref(),
    'a short timer': () => setTimeout(() => {}, 20),
    'a file': () => void delay(40).then(() => appendFile('/mnt/data/late', 'written', () => {})),
    'an idle thread': async () => {
      worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
      await new Promise((done) => worker.once('online', done));
      worker.unref();
    },
    'an idle connection': async () => {
      // Without a network a socket has a path.
      const server = http.createServer((_, response) => response.end('x')).on('connection', (socket) => socket.unref());
      await new Promise((done) => server.listen('/tmp/' + performance.now() + '.sock', done));
      const agent = new http.Agent({ keepAlive: true });
      await new Promise((done) => http.get({ socketPath: server.address(), agent }, (response) => response.resume().on('end', done)));
      server.unref();
    },
    'a timer for ever': () => { timer = setInterval(() => {}, 10); },
    'a late line': () => { setTimeout(() => console.log('late'), 20); },
    'a late error': () => { setTimeout(() => { throw new Error('late'); }, 20); },
    'a busy loop': () => { setTimeout(() => { for (;;); }, 50); },
  };
  export const execute = async ({ inputData }) => {
    clearInterval(timer);
    await worker?.terminate();
    worker = undefined;
    await WORK[inputData]();
    return process.uptime();
  };
`;

let workspace: Workspace;
let shared: SharedFolder;
let lurkbox: Lurkbox;

beforeAll(async () => {
  workspace = await createWorkspace();
  shared = await createSharedFolder();
  await workspace.addPlugin(NAME, {
    code: CODE,
    manifest: { permissions: { filesystem: { mounts: { data: 'rw' } } } },
  });
  lurkbox = await createLurkbox({
    workspaceRoot: workspace.root,
    persist: false,
    maxWarm: 0,
    policy: {
      allow: { mounts: { data: { path: shared.path, mode: 'rw' } } },
      plugins: { [NAME]: { allow: { mounts: ['data'] }, isolation: 'plugin' } },
    },
  });
  await lurkbox.plugins.discoverAndLoadAll(workspace.root);
});
afterAll(async () => {
  await removeImagesOf(lurkbox, NAME);
  await lurkbox[Symbol.asyncDispose]();
  await workspace[Symbol.asyncDispose]();
  await shared[Symbol.asyncDispose]();
});

/** Until its container is free for the next call. */
const call = (inputData: string) =>
  lurkbox.plugins.executePlugin(NAME, { inputData }, { waitForRemoval: true });

function cutsOf(executionId: string) {
  return lurkbox.events
    .history({ plugin: NAME, types: ['CUT'] })
    .filter(({ metadata }) => metadata['executionId'] === executionId);
}

test('work that goes on after an answer has a grace period, and an event says when it was too short', async () => {
  const works = [
    'nothing',
    'a timer that nobody waits for',
    'a short timer',
    'a file',
    'an idle connection',
    'an idle thread',
  ];
  for (const work of works) {
    const result = await call(work);
    expect(result, work).toMatchObject({ outcome: 'OK', warnings: [] });
    expect(cutsOf(result.executionId), work).toEqual([]);
  }
  expect(readFileSync(join(shared.path, 'late'), 'utf8')).toBe('written');

  const lost = {
    'a timer for ever': 'still under way 200 ms after the answer',
    'a busy loop': 'still under way 200 ms after the answer',
    'a late line': 'printed after its answer',
    'a late error': 'ended by itself after its answer',
  };
  for (const [work, what] of Object.entries(lost)) {
    const result = await call(work);
    expect(result, work).toMatchObject({ outcome: 'OK', warnings: [] });
    expect(cutsOf(result.executionId), work).toEqual([
      expect.objectContaining({
        pluginName: NAME,
        version: '1.0.0',
        success: work !== 'a late error',
        error: work === 'a late error' ? expect.stringContaining('Error: ') : null,
        message: expect.stringContaining(what),
        metadata: { executionId: result.executionId, graceMs: 200 },
      }),
    ]);
  }
});
