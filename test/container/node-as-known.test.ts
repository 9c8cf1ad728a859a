import { expect, test } from 'vitest';
import { createPlugin } from '../helpers/workspace.ts';

/**
 * What authors do without thinking of a sandbox, all in one container: each line is what plain Node answers in a folder, or by
 * which the container says what it is.
 */
const CODE = `
import data from './data.json' with { type: 'json' };
import fs from 'node:fs';
import os, { userInfo, availableParallelism } from 'node:os';
import http from 'node:http';
import dns from 'node:dns';
import { createRequire } from 'node:module';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Worker } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DatabaseSync } from 'node:sqlite';

const awaited = await Promise.resolve('awaited');
const require = createRequire(import.meta.url);

const READS = {
  home: () => {
    fs.mkdirSync(os.homedir() + '/.config/app', { recursive: true });
    fs.writeFileSync(process.env.HOME + '/.config/app/state', 'kept');
    return fs.readFileSync(os.homedir() + '/.config/app/state', 'utf8');
  },
  temporary: () => fs.existsSync(fs.mkdtempSync(process.env.TMPDIR + '/')) && os.tmpdir() === process.env.TMPDIR,
  user: () => [userInfo().username, userInfo().uid === process.getuid(), userInfo().homedir === os.homedir()],
  cores: () => [availableParallelism(), os.cpus().length, os.availableParallelism()],
  input: async () => {
    let text = fs.readFileSync(0, 'utf8') + fs.readFileSync('/dev/stdin', 'utf8');
    for await (const chunk of process.stdin) text += chunk;
    return [text, process.stdin.fd, process.stdin.isTTY];
  },
  main: () => {
    const { main } = require('./common.cjs');
    return [main.isMain, main.filename, main.own, process.argv[1] === fileURLToPath(import.meta.url)];
  },
  meta: () => [import.meta.dirname, import.meta.filename, import.meta.resolve('./own.mjs'), import.meta.main],
  modules: async () => [data.x, awaited, (await import('./own.mjs')).own, require('./data.json').x],
  worker: () =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./worker.cjs', import.meta.url), { workerData: 2 });
      worker.on('message', resolve).on('error', reject);
    }),
  loopback: async () => {
    const server = http.createServer((_, response) => response.end('itself'));
    await new Promise((resolve) => server.listen(0, 'localhost', resolve));
    const { port } = server.address();
    const byFetch = await (await fetch('http://localhost:' + port)).text();
    const byGet = await new Promise((resolve, reject) => {
      http.get({ host: 'LOCALHOST', port }, (response) => response.on('data', (text) => resolve(String(text)))).on('error', reject);
    });
    server.closeAllConnections();
    server.close();
    return [byFetch, byGet];
  },
  names: async () => [
    await promisify(dns.lookup)('localhost', 4),
    await dns.promises.lookup('localhost', { family: 6 }),
    await dns.promises.lookup('api.localhost', { all: true }),
    await dns.promises.lookup('127.0.0.1'),
    await dns.promises.lookup('notlocalhost').catch((error) => error.code),
    await dns.promises.lookup('localhost', { family: 5 }).catch((error) => error.code),
  ],
  terminal: () => [process.stdout.isTTY, process.stdout.columns, process.stderr.isTTY],
  database: () => {
    const database = new DatabaseSync(os.tmpdir() + '/a.db');
    database.exec('create table a(b); insert into a values (5)');
    return database.prepare('select b from a').get().b;
  },
  streaming: async () => {
    const headers = { 'content-type': 'application/wasm' };
    const bytes = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);
    return typeof (await WebAssembly.instantiateStreaming(new Response(bytes, { headers }))).instance;
  },
  digest: async () => (await crypto.subtle.digest('SHA-256', new Uint8Array())).byteLength,
  clone: () => structuredClone(new Map([['a', [1]]])).get('a'),
  storage: () => new AsyncLocalStorage().run('kept', () => 'kept'),
  dataUrl: async () => (await fetch('data:text/plain,hi')).text(),
  file: async () => new File([new Blob(['a'])], 'a.txt').text(),
  watch: () => fs.watch(os.tmpdir()).close(),
  relative: () => [fs.readFileSync('data.json', 'utf8'), process.cwd(), fs.globSync('*.json').length],
  formats: () => [(1234.5).toLocaleString(), new Date(0).getTimezoneOffset(), typeof os.hostname()],
};

export async function execute() {
  process.exitCode = 3;
  console.table([{ a: 1 }]);
  const answers = {};
  for (const [name, read] of Object.entries(READS)) {
    try {
      answers[name] = (await read()) ?? null;
    } catch (error) {
      answers[name] = String(error);
    }
  }
  return answers;
}`;

const FILES = {
  'data.json': '{"x":1}',
  'own.mjs': "export const own = 'own';",
  'worker.cjs':
    "const { parentPort, workerData } = require('node:worker_threads'); parentPort.postMessage([workerData, process.cwd()]);",
  'common.cjs': `module.exports.main = {
    isMain: require.main === module,
    filename: require.main.filename,
    own: require.main.require('./data.json').x,
  };`,
};

test('Node works as authors know it, without a network and on half a core', {
  timeout: 60_000,
}, async () => {
  const resources = { memory_mb: 128, cpu_percent: 50, timeout_seconds: 15 };
  await using plugin = await createPlugin('node-as-known', {
    code: CODE,
    files: FILES,
    manifest: { resources },
  });
  const { outcome, result, logs, error } = await plugin.call({});
  expect([outcome, error?.message]).toEqual(['OK', undefined]);
  expect(result).toEqual({
    home: 'kept',
    temporary: true,
    user: ['plugin', true, true],
    cores: [1, 1, 1],
    input: ['', 0, null],
    main: [false, '/plugin/index.mjs', 1, false],
    meta: ['/plugin', '/plugin/index.mjs', 'file:///plugin/own.mjs', false],
    modules: [1, 'awaited', 'own', 1],
    worker: [2, '/plugin'],
    loopback: ['itself', 'itself'],
    names: [
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
      [
        { address: '127.0.0.1', family: 4 },
        { address: '::1', family: 6 },
      ],
      { address: '127.0.0.1', family: 4 },
      'EAI_AGAIN',
      'ERR_INVALID_ARG_VALUE',
    ],
    terminal: [null, null, null],
    database: 5,
    streaming: 'object',
    digest: 32,
    clone: [1],
    storage: 'kept',
    dataUrl: 'hi',
    file: 'a',
    watch: null,
    relative: ['{"x":1}', '/plugin', 2],
    formats: ['1,234.5', 0, 'string'],
  });
  expect(logs[0]?.message).toContain('(index)');
});
