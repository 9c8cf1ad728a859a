import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPlugin, type Program, type TestPlugin } from '../helpers/workspace.ts';

const MIB = 1024 * 1024;
const PAGE_BYTES = 4096;

let probe: TestPlugin;
beforeAll(async () => {
  probe = await createPlugin('socket-memory');
});
afterAll(() => probe[Symbol.asyncDispose]());

/** Connections that are filled in both directions, and that nobody reads. */
const fillConnections: Program = async () => {
  const { createConnection, createServer } = process.getBuiltinModule('node:net');
  const held: import('node:net').Socket[] = [];
  const keep = (socket: import('node:net').Socket): void => {
    held.push(socket.on('error', () => {}));
  };
  const server = createServer({ pauseOnConnect: true }, keep);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as import('node:net').AddressInfo;
  for (let count = 0; count < 100; count++) {
    await new Promise<void>((resolve) => {
      const socket = createConnection({ port, host: '127.0.0.1' }, resolve);
      keep(socket.once('error', () => resolve()).pause());
    });
  }
  const chunk = Buffer.alloc(64 * 1024, 1);
  for (let round = 0; round < 20; round++) {
    for (const socket of held) if (socket.writableLength < chunk.length) socket.write(chunk);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  return held.length;
};

/** Connections that are made, filled and closed while the thread that would accept them stands still. */
const fillQueues: Program = async () => {
  const { createServer } = process.getBuiltinModule('node:net');
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const servers = Array.from({ length: 40 }, () => createServer());
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))),
  );
  const ports = servers.map((server) => (server.address() as import('node:net').AddressInfo).port);
  const filler = (): void => {
    const { connect } = process.getBuiltinModule('node:net');
    const { workerData } = process.getBuiltinModule('node:worker_threads');
    const chunk = Buffer.alloc(1024 * 1024, 1);
    const fill = (port: number): Promise<void> =>
      new Promise((resolve) => {
        const socket = connect({ port, host: '127.0.0.1' }, () => {
          socket.write(chunk);
          setTimeout(() => socket.destroy(), 20);
        });
        socket.setTimeout(300, () => socket.destroy());
        socket.on('error', () => {}).on('close', () => resolve());
      });
    const work = async (): Promise<void> => {
      for (let round = 0; round < 25; round++) await Promise.all(workerData.map(fill));
    };
    void work();
  };
  new Worker(`(${filler})()`, { eval: true, workerData: ports });
  await new Promise((resolve) => setTimeout(resolve, 300));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_000);
  return 'stood still';
};

/** Datagrams to sockets that ask for large buffers. */
const fillDatagrams: Program = async () => {
  const { createSocket } = process.getBuiltinModule('node:dgram');
  const sender = createSocket('udp4');
  const sized: string[] = [];
  for (let count = 0; count < 100; count++) {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    try {
      socket.setRecvBufferSize(8 * 1024 * 1024);
      sized.push('sized');
    } catch (error) {
      sized.push((error as NodeJS.ErrnoException).code ?? String(error));
    }
    const { port } = socket.address();
    // Read by nobody: the turn of the loop in which they arrive does not end before all are sent.
    const chunk = Buffer.alloc(60_000, 1);
    for (let sent = 0; sent < 60; sent++) sender.send(chunk, port, '127.0.0.1', () => {});
  }
  return [...new Set(sized)];
};

test.each<[string, Program]>([
  ['connections that nobody reads', fillConnections],
  ['connections that nobody accepts', fillQueues],
])('%s hold little memory of the kernel (P6, P10)', async (_, program) => {
  const { mostBytes } = await watchSockets(() => probe.ask(program));
  expect(mostBytes).toBeLessThan(64 * MIB);
});

test('no program sizes the buffers of its sockets, and datagrams hold little memory (P6, P10)', async () => {
  const { value, mostBytes } = await watchSockets(() => probe.ask(fillDatagrams));
  expect(value).toEqual(['ERR_SOCKET_BUFFER_SIZE']);
  expect(mostBytes).toBeLessThan(64 * MIB);
});

test('socket options of an honest plugin take effect', async () => {
  const answer = await probe.ask(async () => {
    const { connect, createServer } = process.getBuiltinModule('node:net');
    const { createSocket } = process.getBuiltinModule('node:dgram');
    const http = process.getBuiltinModule('node:http');
    const server = http.createServer((_, response) => response.end('hello'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as import('node:net').AddressInfo;
    const answers = await Promise.all(
      Array.from({ length: 40 }, async () => await (await fetch(`http://127.0.0.1:${port}`)).text()),
    );
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, keepAlive: true });
    await new Promise((resolve) => socket.once('connect', resolve));
    const shared = createServer();
    await new Promise<void>((resolve) =>
      shared.listen({ port: 0, host: '127.0.0.1', reusePort: true }, resolve),
    );
    const datagrams = createSocket({ type: 'udp4', reuseAddr: true });
    await new Promise<void>((resolve) => datagrams.bind(0, '127.0.0.1', resolve));
    datagrams.setBroadcast(true);
    datagrams.setTTL(3);
    datagrams.addMembership('224.0.0.114', '127.0.0.1');
    return new Set(answers).size;
  });
  expect(answer).toBe(1);
});

/** The most that TCP and UDP held on this kernel meanwhile, beyond what they held before. */
async function watchSockets<T>(work: () => Promise<T>): Promise<{ value: T; mostBytes: number }> {
  const before = socketBytes();
  let most = before;
  let isOver = false;
  const watching = (async () => {
    for (; !isOver; await delay(20)) most = Math.max(most, socketBytes());
  })();
  const value = await work().finally(() => {
    isOver = true;
  });
  await watching;
  return { value, mostBytes: most - before };
}

function socketBytes(): number {
  const text = readFileSync('/proc/net/sockstat', 'utf8');
  const pages = [...text.matchAll(/^(?:TCP|UDP): .*\bmem (\d+)/gm)].map(([, count]) => Number(count));
  return pages.reduce((sum, count) => sum + count, 0) * PAGE_BYTES;
}
