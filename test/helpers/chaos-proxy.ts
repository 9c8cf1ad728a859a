import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import {
  CALM,
  type CallName,
  type Chaos,
  type Fault,
  type StreamDisturbance,
  toCallName,
} from './chaos-faults.ts';
import { joinStreams } from './chaos-stream.ts';

export interface ChaosProxy extends AsyncDisposable {
  /** For whoever is to be disturbed. */
  readonly env: NodeJS.ProcessEnv;
  /** What happens to calls from now on. */
  chaos: Chaos;
  /** The socket of the engine behind it from now on. */
  enginePath: string;
  /** What happens to attached streams from now on. */
  stream: StreamDisturbance | null;
  /** Every call, in the order in which they came. */
  readonly calls: readonly CallName[];
  /** How often a start was asked for, by container. */
  readonly starts: ReadonlyMap<string, number>;
  /** Resolves when what is done late has been done. */
  settled(): Promise<void>;
}

const SLOW_MS = 700;
/** After the caller has left. */
const LATE_MS = 1_000;
const OUT_OF_ORDER = '{"message":"the engine is out of order"}';

interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A proxy on a socket of its own, in front of an engine. It knows the calls, and can do each of them a wrong. */
export async function createChaosProxy(enginePath = '/var/run/docker.sock'): Promise<ChaosProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'lurkbox-chaos-'));
  const socketPath = join(folder, 'engine.sock');
  const calls: CallName[] = [];
  const starts = new Map<string, number>();
  const late = new Set<Promise<unknown>>();
  const sockets = new Set<Duplex>();
  const server = http.createServer();
  const proxy: ChaosProxy = {
    // Images are made by programs of the host.
    env: { PATH: process.env['PATH'], DOCKER_HOST: `unix://${socketPath}` },
    chaos: CALM,
    enginePath,
    stream: null,
    calls,
    starts,
    settled: async () => void (await Promise.all(late)),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(late);
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
  server.on('connection', keep);
  server.on('request', (request, response) => void serve(request, response));
  server.on('upgrade', (request, socket) => void serveStream(request, socket));
  await new Promise<void>((resolve) => {
    server.listen(socketPath, resolve);
  });
  return proxy;

  function keep(socket: Duplex): void {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  }

  /** A call whose answer is read to its end. */
  async function serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const fault = note(request);
    const { socket } = response;
    const body = await readBody(request).catch(() => null);
    if (body === null || socket === null || !(await reaches(fault, socket))) return;
    if (fault === 'done late') return doLate(socket, () => forward(request, body));
    if (fault === null || fault === 'slow') return relay(request, body, response);
    const reply = await forward(request, body);
    if (reply === null) socket.destroy();
    else spoil(fault, socket, reply);
  }

  /** Attaching, which ends in a stream of bytes in both directions. */
  async function serveStream(request: http.IncomingMessage, socket: Duplex): Promise<void> {
    const fault = note(request);
    if (!(await reaches(fault, socket)) || fault === 'done late') return;
    const outgoing = http.request(toOptions(request)).on('error', () => socket.destroy());
    outgoing.on('response', (reply) => void pass(reply, socket));
    outgoing.on('upgrade', (reply, stream, head) => {
      keep(stream);
      socket.on('close', () => stream.destroy());
      const ready = { status: 101, headers: reply.headers, body: Buffer.alloc(0) };
      if (fault !== null && fault !== 'slow') return spoil(fault, socket, ready);
      socket.write(toHead(ready));
      joinStreams(socket, stream, head, proxy.stream);
    });
    outgoing.end();
  }

  function note({ method, url }: http.IncomingMessage): Fault | null {
    const call = toCallName(method, url);
    if (call === undefined) return null;
    calls.push(call);
    const container = /\/containers\/([^/]+)\/start/.exec(url ?? '')?.[1];
    if (container !== undefined) starts.set(container, (starts.get(container) ?? 0) + 1);
    return proxy.chaos(call, calls.filter((name) => name === call).length);
  }

  /** An answer as it comes: that of a wait begins long before it ends. */
  async function relay(
    request: http.IncomingMessage,
    body: Buffer,
    response: http.ServerResponse,
  ): Promise<void> {
    const leaving = new AbortController();
    response.on('close', () => leaving.abort());
    try {
      const reply = await send(request, body, leaving.signal);
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      response.flushHeaders();
      for await (const chunk of reply) response.write(chunk);
      response.end();
    } catch {
      response.destroy();
    }
  }

  async function forward(request: http.IncomingMessage, body: Buffer): Promise<Reply | null> {
    try {
      const reply = await send(request, body);
      return { status: reply.statusCode ?? 502, headers: reply.headers, body: await readBody(reply) };
    } catch {
      return null;
    }
  }

  function send(
    request: http.IncomingMessage,
    body: Buffer,
    signal?: AbortSignal,
  ): Promise<http.IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    http
      .request({ ...toOptions(request), ...(signal && { signal }) }, resolve)
      .on('error', reject)
      .end(body);
    return promise;
  }

  function toOptions({ method = 'GET', url = '/', headers }: http.IncomingMessage): http.RequestOptions {
    return { socketPath: proxy.enginePath, method, path: url, headers, agent: false };
  }

  function doLate(socket: Duplex, work: () => Promise<unknown>): void {
    const done = once(socket, 'close')
      .then(() => delay(LATE_MS))
      .then(work)
      .finally(() => late.delete(done));
    late.add(done);
  }
}

/** What happens before the engine hears of a call, and whether it does. */
async function reaches(fault: Fault | null, socket: Duplex): Promise<boolean> {
  if (fault === 'refused') socket.destroy();
  if (fault === 'error 500') write(socket, { status: 500, body: OUT_OF_ORDER });
  if (fault === 'slow') await delay(SLOW_MS);
  return fault !== 'refused' && fault !== 'error 500' && fault !== 'hangs before';
}

/** What comes in place of an answer, to a call that the engine has done. */
function spoil(fault: Fault, socket: Duplex, reply: Reply): void {
  const replacement = REPLACEMENTS[fault];
  if (fault === 'answer lost') socket.destroy();
  else if (fault === 'answer truncated') socket.end(halfOf(reply));
  else if (fault === 'garbage') socket.end('\u0000\u0001 this is no HTTP \u00ff\r\n\r\n');
  else if (replacement !== undefined) write(socket, replacement);
  // And else it hangs.
}

const REPLACEMENTS: Partial<Record<Fault, { status: number; body: string }>> = {
  'no JSON': { status: 200, body: '<html>please log in</html>' },
  'wrong status': { status: 418, body: '{"message":"short and stout"}' },
  'error 500 though done': { status: 500, body: OUT_OF_ORDER },
};

/** Half of the body, where there is one, and else of the head. */
function halfOf({ status, body }: Reply): Buffer {
  const head = toHead({ status, headers: { 'content-length': String(body.length) } });
  if (body.length === 0) return head.subarray(0, head.length / 2);
  return Buffer.concat([head, body.subarray(0, body.length / 2)]);
}

async function pass(reply: http.IncomingMessage, socket: Duplex): Promise<void> {
  write(socket, { status: reply.statusCode ?? 502, body: (await readBody(reply)).toString() });
}

function write(socket: Duplex, { status, body }: { status: number; body: string }): void {
  const headers = { 'content-length': String(Buffer.byteLength(body)), connection: 'close' };
  socket.end(Buffer.concat([toHead({ status, headers }), Buffer.from(body)]));
}

function toHead({ status, headers }: Pick<Reply, 'status' | 'headers'>): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return Buffer.from(
    [`HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? 'Odd'}`, ...lines, '', ''].join('\r\n'),
  );
}

async function readBody(message: http.IncomingMessage): Promise<Buffer> {
  return Buffer.concat(await message.toArray());
}
