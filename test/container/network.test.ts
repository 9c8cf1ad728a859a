import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LurkboxError } from '../../src/index.ts';
import { LABELS } from '../../src/labels.ts';
import { createPlugin, findByLabel, type Program, type TestPlugin } from '../helpers/workspace.ts';

/** Connects and answers with what it was told or with the code of the failure; tries again for a while if it may. */
const connectTo: Program<{ host: string; port: number; tries?: number }> = async ({
  host,
  port,
  tries = 1,
}) => {
  const { connect } = process.getBuiltinModule('node:net');
  let answer = '';
  for (let left = tries; left > 0; left--) {
    answer = await new Promise((resolve) => {
      const socket = connect({ host, port, timeout: 3000 });
      socket.once('data', (bytes) => resolve(String(bytes)));
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.once('timeout', () => resolve('timed out'));
    });
    if (answer === 'hello from the test') break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return answer;
};

interface Listener extends AsyncDisposable {
  readonly port: number;
  readonly connections: () => number;
}

async function listenAt(host: string, port = 0): Promise<Listener> {
  let connections = 0;
  const server: Server = createServer((socket) => {
    connections++;
    socket.on('error', () => {});
    socket.end('hello from the test');
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('without the permission a plugin', () => {
  let probe: TestPlugin;
  beforeAll(async () => {
    probe = await createPlugin('network-none');
  });
  afterAll(() => probe[Symbol.asyncDispose]());

  test('has a loopback device and nothing else (P6)', async () => {
    const [interfaces, routes] = await probe.ask(() => {
      const { networkInterfaces } = process.getBuiltinModule('node:os');
      const { readdirSync, readFileSync } = process.getBuiltinModule('node:fs');
      const routes = readFileSync('/proc/net/route', 'utf8').trim().split('\n').slice(1);
      return [[Object.keys(networkInterfaces()), readdirSync('/sys/class/net')], routes] as const;
    });
    expect([interfaces, routes]).toEqual([[['lo'], ['lo']], []]);
  });

  test.each([
    ['the metadata service of a cloud', '169.254.169.254', 80],
    ['the bridge of the engine', '172.17.0.1', 2375],
    ['a private network', '192.168.65.7', 2375],
    ['a name server', '192.0.2.53', 53],
    ['the internet over IPv6', '2001:db8::1', 443],
    ['a neighbour on the link over IPv6', 'ff02::1', 80],
  ])('finds no way to %s', async (_, host, port) => {
    const code = await probe.ask(connectTo, { host, port });
    expect(code).toMatch(/^(ENETUNREACH|EADDRNOTAVAIL|EINVAL|EHOSTUNREACH)$/);
  });

  test('does not reach what listens on the loopback device of the host', async () => {
    await using listener = await listenAt('127.0.0.1');
    expect(await probe.ask(connectTo, { host: '127.0.0.1', port: listener.port })).toBe('ECONNREFUSED');
    expect(listener.connections()).toBe(0);
  });

  test('can resolve no name, and fetch nothing', async () => {
    const codes = await probe.ask(async () => {
      const dns = process.getBuiltinModule('node:dns/promises');
      const codeOf = (promise: Promise<unknown>): Promise<string> =>
        promise.then(
          () => 'done',
          (error) => error.code ?? error.cause?.code ?? String(error),
        );
      return [
        await codeOf(dns.lookup('example.com')),
        await codeOf(dns.resolve4('example.com')),
        await codeOf(fetch('http://169.254.169.254/latest/meta-data/')),
        await codeOf(fetch('http://metadata.google.internal/')),
      ];
    });
    expect(codes[0]).toBe('EAI_AGAIN');
    expect(codes[1]).toMatch(/^(ECONNREFUSED|ETIMEOUT|EDNS|ENOTFOUND)$/);
    expect(codes[2]).toBe('ENETUNREACH');
    expect(codes[3]).toBe('EAI_AGAIN');
  });

  test('cannot send a datagram', async () => {
    const codes = await probe.ask(async () => {
      const { createSocket } = process.getBuiltinModule('node:dgram');
      const send = (address: string): Promise<string | undefined> =>
        new Promise((resolve) => {
          const socket = createSocket('udp4');
          socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
          socket.send('data', 53, address, (error) => {
            resolve((error as NodeJS.ErrnoException | null)?.code ?? 'sent');
            socket.close();
          });
        });
      return [await send('192.0.2.53'), await send('169.254.169.254'), await send('255.255.255.255')];
    });
    for (const code of codes) expect(code).toMatch(/^(ENETUNREACH|EACCES|EPERM)$/);
  });

  test('finds no socket of an engine', async () => {
    const codes = await probe.ask(async () => {
      const { connect } = process.getBuiltinModule('node:net');
      const paths = [
        '/var/run/docker.sock',
        '/run/docker.sock',
        '/run/containerd/containerd.sock',
        '\0/containerd-shim',
      ];
      return Promise.all(
        paths.map(
          (path) =>
            new Promise<string | undefined>((resolve) => {
              connect(path)
                .on('connect', () => resolve('connected'))
                .on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
            }),
        ),
      );
    });
    expect(codes).toEqual(['ENOENT', 'ENOENT', 'ENOENT', 'ECONNREFUSED']);
  });

  test('can talk to itself over the loopback device', async () => {
    const answer = await probe.ask(async () => {
      const { createServer } = process.getBuiltinModule('node:http');
      const server = createServer((_, response) => response.end('to itself'));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      return (await fetch(`http://127.0.0.1:${port}`)).text();
    });
    expect(answer).toBe('to itself');
  });
});

describe('a bridge network', () => {
  const asks = { manifest: { permissions: { network: true } } };

  test('is denied without a policy that allows it', async () => {
    const loading = createPlugin('network-denied', asks);
    await expect(loading).rejects.toBeInstanceOf(LurkboxError);
    await expect(loading).rejects.toMatchObject({
      code: 'POLICY_DENIED',
      problems: [{ path: 'permissions.network', message: expect.stringContaining('allow.bridge') }],
    });
  });

  test('exists for the call, leads to its gateway, and is gone after it', async () => {
    await using plugin = await createPlugin('network-bridge', asks, { policy: { allow: { bridge: true } } });
    const [port, address] = await freePort();
    expect(address).toBe('127.0.0.1');
    const reach: Program<{ port: number }> = async ({ port }, host) => {
      const { readFileSync } = process.getBuiltinModule('node:fs');
      const { connect } = process.getBuiltinModule('node:net');
      const route = readFileSync('/proc/net/route', 'utf8')
        .split('\n')
        .map((line) => line.split('\t'))
        .find(([, to]) => to === '00000000');
      // Little endian in hexadecimal: 0100A8C0 is 192.168.0.1.
      const gateway =
        (route?.[2] ?? '')
          .match(/../g)
          ?.reverse()
          .map((byte) => Number.parseInt(byte, 16))
          .join('.') ?? '';
      host.progress(0, gateway);
      for (let tries = 0; tries < 100; tries++) {
        const answer = await new Promise((resolve) => {
          connect(port, gateway)
            .once('data', (bytes) => resolve(String(bytes)))
            .once('error', () => resolve(null));
        });
        if (answer !== null) return answer;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return 'never reached';
    };
    let networks: string[] = [];
    let listener: Promise<Listener> | undefined;
    const result = await plugin.run(
      reach,
      { port },
      {
        onProgress: (_, gateway) => {
          // Only now does the host have that address.
          listener = findByLabel(`${LABELS.plugin}=network-bridge`).then((found) => {
            networks = found.networks;
            return listenAt(gateway, port);
          });
        },
      },
    );
    await (await listener)?.[Symbol.asyncDispose]();
    expect(result).toMatchObject({ outcome: 'OK', result: 'hello from the test' });
    expect(networks).toEqual([`lurkbox-${result.executionId}`]);
    expect(await new Docker().listNetworks({ filters: { name: networks } })).toEqual([]);
  });

  test('is separate for every call, and cannot reach that of another (P7)', async () => {
    await using plugin = await createPlugin('network-pair', asks, { policy: { allow: { bridge: true } } });
    // Each serves on all its addresses; one of the two is told the address of the other and knocks there.
    const serve: Program<null> = async (_, host) => {
      const { createServer } = process.getBuiltinModule('node:net');
      const { networkInterfaces } = process.getBuiltinModule('node:os');
      createServer((socket) => socket.end('hello from the test')).listen(8080, '0.0.0.0');
      host.progress(0, networkInterfaces()['eth0']?.[0]?.address ?? 'no address');
      await new Promise((resolve) => setTimeout(resolve, 6000));
    };
    const controller = new AbortController();
    const told = Promise.withResolvers<string>();
    const serving = plugin.run(serve, null, {
      signal: controller.signal,
      onProgress: (_, address) => told.resolve(address),
    });
    const host = await told.promise;
    expect(host).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    const knock = await plugin.run(connectTo, { host, port: 8080 });
    expect(knock).toMatchObject({ outcome: 'OK' });
    expect(knock.result).not.toBe('hello from the test');
    controller.abort();
    await serving;
  });

  test('is gone after a call that was cancelled or timed out (P2)', async () => {
    await using plugin = await createPlugin('network-ends', asks, { policy: { allow: { bridge: true } } });
    const sleep: Program = () => new Promise((resolve) => setTimeout(resolve, 20_000));
    for (const options of [
      { timeoutMs: 300 },
      { signal: AbortSignal.timeout(50) },
      { signal: AbortSignal.timeout(150) },
    ]) {
      // `run` itself fails when anything is left.
      expect((await plugin.run(sleep, null, options)).outcome).toMatch(/^(TIMEOUT|CANCELLED)$/);
    }
  });
});

describe('the network of the host', () => {
  const asks = { manifest: { permissions: { network: 'host' } } };
  const open = { allow: { host_network: true } };

  test.each<[title: string, policy: object]>([
    ['no policy', {}],
    ['only the general switch', open],
    ['a bridge allowed', { allow: { bridge: true } }],
  ])('is denied with %s', async (_, policy) => {
    await expect(createPlugin('network-host', asks, { policy })).rejects.toMatchObject({
      code: 'POLICY_DENIED',
      problems: [{ path: 'permissions.network', message: expect.stringContaining('host_network') }],
    });
  });

  test('is not opened by the plugin alone', async () => {
    const policy = { plugins: { 'network-host': open } };
    await expect(createPlugin('network-host', asks, { policy })).rejects.toMatchObject({
      code: 'POLICY_INVALID',
    });
  });

  test('reaches a loopback listener of the host when both sides allow it', async () => {
    const policy = { ...open, plugins: { 'network-host': open } };
    await using plugin = await createPlugin('network-host', asks, { policy });
    await using listener = await listenAt('127.0.0.1');
    expect(await plugin.ask(connectTo, { host: '127.0.0.1', port: listener.port })).toBe(
      'hello from the test',
    );
    await delay(0);
    expect(listener.connections()).toBe(1);
  });
});

async function freePort(): Promise<[port: number, address: string]> {
  await using listener = await listenAt('127.0.0.1');
  return [listener.port, '127.0.0.1'];
}
