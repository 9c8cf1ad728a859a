import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPlugin, type Program, toContext } from '../helpers/workspace.ts';

const TLS = join(import.meta.dirname, '../fixtures/tls');
const asks = { manifest: { permissions: { network: true } } };

/** A service with a certificate of an authority that nobody knows, which only the proxy reaches. */
const service = createHttpsServer(
  { key: readFileSync(join(TLS, 'server.key')), cert: readFileSync(join(TLS, 'server.pem')) },
  (request, response) => response.end(`the service, ${request.url}`),
);
const asked: string[] = [];
const proxy = createHttpServer((request, response) => {
  asked.push(`${request.method} ${request.url}`);
  response.end('the proxy itself');
});
let policy: object;

beforeAll(async () => {
  proxy.on('connect', (request, client) => {
    asked.push(`CONNECT ${request.url}`);
    const onward = connect((service.address() as AddressInfo).port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(onward).pipe(client);
    });
    for (const socket of [client, onward]) socket.on('error', () => {});
  });
  await listen(service, '127.0.0.1');
  await listen(proxy, '0.0.0.0');
  const url = `http://${await addressOfHost()}:${(proxy.address() as AddressInfo).port}`;
  policy = { allow: { bridge: true }, proxy: { url, no_proxy: ['straight.test'] } };
});

afterAll(async () => {
  for (const server of [service, proxy]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

const listen = (server: Server, host: string) =>
  new Promise<void>((resolve) => server.listen(0, host, () => resolve()));

/** Under which a container of any bridge finds the host: any address of the host's own will do. */
async function addressOfHost(): Promise<string> {
  const { IPAM } = await new Docker().getNetwork('bridge').inspect();
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
  const gateway = IPAM?.Config?.[0]?.['Gateway'];
  // Another engine on the same host may have taken the bridge of this one away.
  const found = addresses.find((address) => address === gateway) ?? addresses[0];
  if (found === undefined) throw new Error('the host has no address that a container could reach');
  return found;
}

/** What it fetches, by every way that a plugin has, and whom it reaches without the proxy. */
const reach: Program = async () => {
  const { get: getHttp, createServer } = process.getBuiltinModule('node:http');
  const { get } = process.getBuiltinModule('node:https');
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const read = (getting: typeof get, url: string) =>
    new Promise((resolve) => {
      getting(url, (response) => response.on('data', (bytes) => resolve(String(bytes)))).on(
        'error',
        (error: NodeJS.ErrnoException) => resolve(error.code),
      );
    });
  const worker = new Worker(
    `fetch('https://service.test/worker').then((response) => response.text(), String)
      .then((text) => require('node:worker_threads').parentPort.postMessage(text));`,
    { eval: true },
  );
  const server = createServer((_, response) => response.end('itself'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const answers = [
    await (await fetch('https://service.test/fetch')).text(),
    await read(get, 'https://service.test/get'),
    await new Promise((resolve) => worker.once('message', resolve)),
    await read(getHttp as typeof get, 'http://plain.test/get'),
    await (await fetch(`http://127.0.0.1:${port}`)).text(),
    await fetch('http://straight.test/').catch((error) => error.cause.code),
  ];
  server.close();
  return answers;
};

const showClock: Program = () => [
  new Date(0).getHours(),
  Intl.DateTimeFormat().resolvedOptions().locale,
  (1234567.5).toLocaleString(),
  new Date(0).toLocaleDateString(undefined, { weekday: 'long' }),
];

test('the policy sets a proxy, authorities, a time zone and a language, and a call can set another time zone', {
  timeout: 120_000,
}, async () => {
  const settings = {
    ...policy,
    time_zone: 'Asia/Tokyo',
    locale: 'de-CH',
    ca_file: join(TLS, 'authority.pem'),
  };
  await using plugin = await createPlugin('way-out', asks, { policy: settings, maxWarm: 2 });
  asked.length = 0;
  expect(await plugin.ask(reach)).toEqual([
    'the service, /fetch',
    'the service, /get',
    'the service, /worker',
    'the proxy itself',
    'itself',
    expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED)$/),
  ]);
  expect([...asked].sort()).toEqual([
    'CONNECT service.test:443',
    'CONNECT service.test:443',
    'CONNECT service.test:443',
    'GET http://plain.test/get',
  ]);
  expect(await plugin.ask(showClock)).toEqual([9, 'de-CH', "1'234'567.5", 'Donnerstag']);
  // One that waits has loaded the plugin already.
  // On a host that is slow, more than one.
  expect(await plugin.lurkbox.plugins.prewarm('way-out', 1)).toBeGreaterThan(0);
  const context = toContext(showClock);
  const { result } = await plugin.call({ ...context, environment: { TZ: 'America/New_York' } });
  expect(result).toEqual([19, 'de-CH', "1'234'567.5", 'Mittwoch']);
});

test('a certificate of an authority that the policy does not name has an error that says so', {
  timeout: 60_000,
}, async () => {
  await using plugin = await createPlugin('way-out-untrusted', asks, { policy });
  const result = await plugin.run(() => fetch('https://service.test/'));
  expect(result).toMatchObject({
    outcome: 'PLUGIN_ERROR',
    error: { hint: expect.stringContaining('`ca_file` in the policy') },
  });
});
