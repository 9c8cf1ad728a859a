import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EngineWitness, witnessEngine } from '../../../src/engine/docker/witness.ts';
import { until } from '../../helpers/until.ts';

let folder: string;
let socketPath: string;
let stream: ServerResponse | undefined;
let filters: unknown;

const CONTAINER = {
  Id: 'c1',
  Names: ['/database'],
  Labels: { app: 'db' },
  State: 'running',
  Created: 1_700_000_000,
};

/** As much of an engine as is looked at: its version, its containers and its events. */
const server = createServer((incoming, response) => {
  const url = new URL(incoming.url ?? '', 'http://engine');
  const path = url.pathname.replace(/^\/v1\.41/, '');
  const json = (value: unknown): void => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(value));
  };
  if (path === '/_ping') response.end('OK');
  else if (path === '/version') json({ ApiVersion: '1.41', MinAPIVersion: '1.12' });
  else if (path === '/containers/json') json([CONTAINER]);
  else if (path === '/events') {
    filters = JSON.parse(url.searchParams.get('filters') ?? '{}');
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    stream = response;
  } else json({});
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lurkbox-witness-'));
  socketPath = join(folder, 'engine.sock');
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

const connect = (): Promise<EngineWitness> => witnessEngine({ env: { DOCKER_HOST: `unix://${socketPath}` } });

async function send(method: string, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    request({ socketPath, method, path }, (response) => response.resume().on('end', resolve))
      .on('error', reject)
      .end();
  });
}

test('the witness lists every container, whoever created it', async () => {
  await using witness = await connect();
  expect(await witness.containers()).toEqual([
    {
      id: 'c1',
      names: ['database'],
      labels: { app: 'db' },
      state: 'running',
      createdAtMs: 1_700_000_000_000,
    },
  ]);
});

test('the witness sees events of containers, in whatever pieces they arrive', async () => {
  await using witness = await connect();
  expect(filters).toEqual({ type: ['container'] });
  const event = JSON.stringify({
    Action: 'start',
    Actor: { ID: 'c2', Attributes: { name: 'lurkbox-1', image: 'x', 'lurkbox.execution': '1' } },
  });
  stream?.write(event.slice(0, 30));
  await delay(20);
  stream?.write(`${event.slice(30)}\n${event}\n`);
  await until('both events are there', () => witness.events.length === 2);
  expect(witness.events[0]).toEqual({
    action: 'start',
    id: 'c2',
    name: 'lurkbox-1',
    labels: { image: 'x', 'lurkbox.execution': '1' },
  });
  expect(witness.events).toHaveLength(2);
});

test('the witness sees the calls of this process that change a container, but not its reads', async () => {
  const witness = await connect();
  await send('GET', '/v1.41/containers/c1/json');
  await send('GET', '/containers/c1/logs?stdout=1');
  await send('POST', '/v1.41/containers/create?name=x');
  await send('POST', '/v1.41/containers/c1/wait?condition=removed');
  await send('POST', '/v1.41/containers/c1/attach?stream=1');
  await send('POST', '/v1.41/images/create');
  await send('POST', '/v1.41/containers/c1/start');
  await send('DELETE', '/containers/data%20base?force=true');
  await send('PUT', '/v1.41/containers/c1/archive?path=/');
  await witness[Symbol.asyncDispose]();
  await send('DELETE', '/v1.41/containers/c1');
  expect(witness.calls).toEqual([
    { call: 'POST start', container: 'c1' },
    { call: 'DELETE', container: 'data base' },
    { call: 'PUT archive', container: 'c1' },
  ]);
});
