import { PassThrough, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toExecuteRecord } from '../../../src/calls/request.ts';
import { toStdin } from '../../../src/engine/docker/streams.ts';
import { frameRecord } from '../../../src/protocol/framing.ts';
import { RecordWriter } from '../../../src/sandboxes/container/record-writer.ts';
import { watchHost } from '../../helpers/host-watch.ts';

const MANY = ['\u001e{"a":1', ...Array.from({ length: 100 }, () => 'x'.repeat(32_768)), '}\n'];
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a small record is written at once', () => {
  const stdin = new PassThrough();
  void new RecordWriter(toStdin(stdin)).write('one\n');
  expect(String(stdin.read())).toBe('one\n');
});

test('records arrive whole and in order, however slowly they are read', async () => {
  const anyRecord = fc.array(fc.string({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 6 });
  const property = fc.asyncProperty(fc.array(anyRecord, { maxLength: 12 }), async (records) => {
    let written = '';
    const slow = new Writable({
      highWaterMark: 16,
      decodeStrings: false,
      write: (text, _encoding, done) => {
        written += text;
        setImmediate(done);
      },
    });
    const writer = new RecordWriter(toStdin(slow));
    await Promise.all(
      records.map((pieces, index) => writer.write(index % 2 === 0 ? pieces : pieces.join(''))),
    );
    slow.end();
    await finished(slow);
    expect(written).toBe(records.flat().join(''));
  });
  await fc.assert(property, { numRuns: 50 });
});

test('a reply waits until a record that is written in pieces is complete', async () => {
  const stdin = new PassThrough();
  const writer = new RecordWriter(toStdin(stdin));
  const large = writer.write(MANY);
  const reply = writer.write('reply\n');
  let written = '';
  stdin.on('data', (chunk) => {
    written += chunk;
  });
  await Promise.all([large, reply]);
  expect(written).toBe(`${MANY.join('')}reply\n`);
});

test('a record is serialized and written no faster than it is read', async () => {
  const stdin = new PassThrough();
  const sending = new RecordWriter(toStdin(stdin)).write(MANY);
  await turn();
  expect(stdin.readableLength + stdin.writableLength).toBeLessThan(200_000);
  let bytes = 0;
  stdin.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await sending;
  expect(bytes).toBe(MANY.join('').length);
});

test('a record that is given up before its first byte writes nothing', async () => {
  const stdin = new PassThrough();
  const writer = new RecordWriter(toStdin(stdin));
  await writer.write(MANY, AbortSignal.abort());
  await writer.write('next\n');
  expect(String(stdin.read())).toBe('next\n');
});

test('nothing is written after a record that is given up halfway', async () => {
  const stdin = new PassThrough();
  const writer = new RecordWriter(toStdin(stdin));
  const settled = new AbortController();
  const sending = writer.write(MANY, settled.signal);
  const next = writer.write('next\n');
  await turn();
  settled.abort();
  await Promise.all([sending, next, writer.write('last\n')]);
  expect(writer.isOpen).toBe(false);
  stdin.end();
  expect(String(Buffer.concat(await Array.fromAsync(stdin)))).not.toMatch(/next|last/);
});

test('a record that was complete when its execution settled leaves the channel open', async () => {
  const stdin = new PassThrough({ highWaterMark: 1 });
  const writer = new RecordWriter(toStdin(stdin));
  const settled = new AbortController();
  const sending = writer.write(['x'.repeat(100)], settled.signal);
  settled.abort();
  await sending;
  expect(writer.isOpen).toBe(true);
});

test.each<[string, (stdin: Writable, writer: RecordWriter) => unknown]>([
  ['the streams break', (stdin) => stdin.destroy(new Error('EPIPE'))],
  ['the streams are closed', (stdin) => stdin.destroy()],
])('a waiting writer is released when %s', async (_title, act) => {
  const stdin = new PassThrough();
  stdin.on('error', () => {});
  const writer = new RecordWriter(toStdin(stdin));
  const all = Promise.all([writer.write(MANY), writer.write('next\n')]);
  await turn();
  act(stdin, writer);
  await all;
  await writer.write('last\n');
  expect(writer.isOpen).toBe(false);
});

test('writing a context of 15 MB takes little memory and does not hold up the event loop (P5)', async () => {
  const context = {
    executionId: 'e1',
    userId: null,
    channelId: null,
    sessionId: null,
    inputData: `今${'x'.repeat(15 * 1024 * 1024)}`,
    parameters: {},
    environment: {},
    config: {},
  };
  const sink = new Writable({ write: (_chunk, _encoding, done) => void setImmediate(done) });
  const writer = new RecordWriter(toStdin(sink));
  const { cost } = await watchHost(() =>
    writer.write(toExecuteRecord({ entryPoint: '/plugin/index.js', maxResultBytes: 1024, context })),
  );
  expect(cost.longestBlockMs).toBeLessThan(100);
  expect(cost.memoryGrowthBytes).toBeLessThan(64 * 1024 * 1024);
});

test('the end of the input follows what was written', async () => {
  const stdin = new PassThrough();
  const writer = new RecordWriter(toStdin(stdin));
  await writer.write(frameRecord('{}'));
  writer.end();
  expect(writer.isOpen).toBe(false);
  expect(String(Buffer.concat(await Array.fromAsync(stdin)))).toBe('\u001e{}\n');
});
