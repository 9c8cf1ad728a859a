import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStreams } from '../../../src/engine/docker/streams.ts';
import type { ContainerStreams } from '../../../src/engine/engine.ts';
import { toFrame } from '../../helpers/fake-engine.ts';

const NEVER = new AbortController().signal;

let port: number;
let server: Server;
let engine: Socket;
let streams: ContainerStreams;

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
  const connected = once(server, 'connection');
  streams = openStreams(connect(port, '127.0.0.1'));
  [engine] = (await connected) as [Socket];
  engine.on('error', () => {});
});

afterEach(() => {
  streams.close();
  engine.destroy();
  server.close();
});

test('output is separated into its streams, in the order of writing', async () => {
  engine.write(Buffer.concat([frame('stdout', 'a'), frame('stderr', 'b'), frame('stdout', 'c')]));
  engine.end();
  const heard: string[] = [];
  for await (const { stream, bytes } of streams.output) heard.push(`${stream} ${bytes}`);
  expect(heard).toEqual(['stdout a', 'stderr b', 'stdout c']);
});

test('output is not read before it is asked for', async () => {
  let written = 0;
  while (written < 64 * 1024 * 1024 && engine.write(frame('stdout', 'x'.repeat(32_768)))) written += 32_768;
  await settle();
  expect(engine.writableLength).toBeGreaterThan(0);
  const reading = streams.output[Symbol.asyncIterator]();
  await reading.next();
  await settle();
  expect(written).toBeLessThan(4 * 1024 * 1024);
});

test('the bytes of a chunk are released when the next slice is asked for', async () => {
  engine.write(frame('stdout', 'x'.repeat(32_768)));
  const reading = streams.output[Symbol.asyncIterator]();
  const { value } = await reading.next();
  const { buffer } = value.bytes;
  expect(buffer.byteLength).toBeGreaterThan(0);
  const next = reading.next();
  await settle();
  expect(buffer.byteLength).toBe(0);
  engine.end();
  await next;
});

test('a reader that stops closes the streams', async () => {
  engine.write(frame('stdout', 'x'));
  for await (const _slice of streams.output) break;
  expect(streams).toMatchObject({ isOpen: false, stdin: { isWritable: false } });
});

test('a broken connection fails the output, and does not end a process that does not read it', async () => {
  engine.resetAndDestroy();
  await settle();
  expect(streams.isOpen).toBe(false);
  await expect(streams.output[Symbol.asyncIterator]().next()).rejects.toThrow();
});

test('an output that ends inside a frame fails', async () => {
  engine.end(frame('stdout', 'abc').subarray(0, 10));
  await expect(Array.fromAsync(streams.output)).rejects.toThrow('inside a frame');
});

test.each<[string, (aborting: AbortController) => unknown]>([
  ['it is read', () => engine.resume()],
  ['the streams are closed', () => streams.close()],
  ['the connection breaks', () => engine.resetAndDestroy()],
  ['nobody wants to know any more', (aborting) => aborting.abort()],
])('too much input is drained when %s', async (_title, act) => {
  engine.pause();
  // More than two kernels hold.
  expect(streams.stdin.write('x'.repeat(32 * 1024 * 1024))).toBe(false);
  const aborting = new AbortController();
  let isDrained = false;
  const drained = streams.stdin.drained(aborting.signal).then(() => {
    isDrained = true;
  });
  await settle();
  expect(isDrained).toBe(false);
  act(aborting);
  await drained;
});

test('a little unread input of a container breaks nothing, but a lot may', async () => {
  streams.stdin.write('x'.repeat(16_384));
  await streams.stdin.drained(NEVER);
  expect(streams.mayContainerBreak).toBe(false);
  streams.stdin.write('x');
  expect(streams.mayContainerBreak).toBe(true);
});

test('the input ends after what was written, and the output goes on', async () => {
  streams.stdin.write('all');
  streams.stdin.end();
  expect(streams.stdin.isWritable).toBe(false);
  const [all] = await once(engine, 'data');
  expect(String(all)).toBe('all');
  engine.end(frame('stdout', 'bye'));
  expect(await Array.fromAsync(streams.output, ({ bytes }) => String(bytes))).toEqual(['bye']);
});

test('open streams do not keep the process alive', async () => {
  const program = `
    import { connect } from 'node:net';
    import { once } from 'node:events';
    import { openStreams } from ${JSON.stringify(new URL('../../../src/engine/docker/streams.ts', import.meta.url).href)};
    const socket = connect(${port}, '127.0.0.1');
    await once(socket, 'connect');
    const streams = openStreams(socket);
    void streams.output[Symbol.asyncIterator]().next();
    streams.keepProcess(false);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'ignore' });
  expect(await once(child, 'exit')).toEqual([0, null]);
});

function frame(stream: 'stdout' | 'stderr', text: string): Buffer {
  return toFrame(stream, Buffer.from(text));
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}
