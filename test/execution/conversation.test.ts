import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CANCEL_RECORD, type Heard, listen, toExecuteRecord } from '../../src/execution/conversation.ts';
import { frameRecord } from '../../src/protocol/framing.ts';
import { toFrame } from '../helpers/fake-engine.ts';
import { splitAt } from '../helpers/split.ts';

const LIMIT = 4096;

async function hear(chunks: Iterable<Buffer>, outputBytes = LIMIT): Promise<Heard[]> {
  const socket = Readable.from(chunks, { objectMode: false }) as Parameters<typeof listen>[0];
  const heard: Heard[] = [];
  for await (const each of listen(socket, outputBytes)) heard.push(each);
  return heard;
}

const stdout = (text: string | Buffer): Buffer => toFrame('stdout', Buffer.from(text));
const stderr = (text: string | Buffer): Buffer => toFrame('stderr', Buffer.from(text));
const record = (message: object): string => frameRecord(JSON.stringify({ jsonrpc: '2.0', ...message }));
const line = (text: string, source: 'stdout' | 'stderr' = 'stdout'): Heard => ({
  kind: 'line',
  source,
  text,
});
const result = (value: unknown): Heard => ({ kind: 'message', message: { kind: 'result', result: value } });

const READY = record({ method: 'ready', params: { protocol: 1, node: 'v24' } });

test('records become messages, and what is printed around them lines', async () => {
  const heard = await hear([
    stdout(`before\n${READY}between`),
    stderr('warned\n'),
    stdout(`\n${record({ id: 1, result: { a: 1 } })}after`),
    stderr('unfinished'),
  ]);
  expect(heard).toEqual([
    line('before'),
    { kind: 'message', message: { kind: 'ready', protocol: 1, node: 'v24' } },
    line('warned', 'stderr'),
    line('between'),
    result({ a: 1 }),
    line('after'),
    line('unfinished', 'stderr'),
  ]);
});

test('what is heard does not depend on where the stream is cut', async () => {
  const stream = Buffer.concat([
    stdout(`grüß\n${READY}`),
    stderr('今日は\n'),
    stdout(`half a line${record({ id: 1, result: '\u2028\u001e👋' })}`),
    stdout('\n\nend'),
  ]);
  const whole = await hear([stream]);
  expect(whole).toHaveLength(6);
  const property = fc.asyncProperty(fc.array(fc.nat(stream.length)), async (cuts) => {
    expect(await hear(splitAt(stream, cuts))).toEqual(whole);
  });
  await fc.assert(property);
});

test('a record start inside a line does not hide the record', async () => {
  expect(await hear([stdout(`no line feed${record({ id: 1, result: 1 })}`)])).toEqual([
    line('no line feed'),
    result(1),
  ]);
});

test('on stderr a record is only a line', async () => {
  const [heard, ...rest] = await hear([stderr(record({ id: 1, result: 1 }))]);
  expect(heard).toMatchObject({ kind: 'line', source: 'stderr' });
  expect(rest).toEqual([]);
});

test('an unfinished record at the end is none', async () => {
  expect(await hear([stdout('\u001e{"jsonrpc":"2.0","id":1,"result":1}')])).toEqual([]);
});

describe('a fault is', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  const response = (value: string): string => frameRecord(`{"jsonrpc":"2.0","id":1,"result":${value}}`);

  test.each<[string, string | Buffer, RegExp]>([
    ['a record that is no JSON', frameRecord('{'), /not valid JSON/],
    ['an empty record', frameRecord(''), /expected JSON, got nothing/],
    ['a record cut off by the next', `\u001e{"jsonrpc"${READY}`, /refused/],
    ['a record that is not UTF-8', Buffer.from('\u001e"\xff"\n', 'latin1'), /not UTF-8/],
    ['a record with a byte order mark', frameRecord('\ufeff{}'), /refused/],
    ['a key twice', response('{"a":1,"a":2}'), /`result\.a`/],
    ['a key that is a prototype', response('{"__proto__":{}}'), /`__proto__` is not allowed/],
    [
      'a key that is a prototype by escapes',
      response('{"\\u005f_proto__":{}}'),
      /`__proto__` is not allowed/,
    ],
    ['a result that is too deep', response(nested(64)), /deeper than 64/],
    ['a result that is far too deep', response(nested(2000)), /deeper than 64/],
    ['a number', frameRecord('1'), /not an object/],
    ['a batch', frameRecord(`[${READY.slice(1, -1)}]`), /not an object/],
    ['a request of the plugin', record({ id: 7, method: 'fetch' }), /a method nobody knows/],
    ['a response to a request nobody made', record({ id: 2, result: 1 }), /a response that is none/],
    ['a response without a result', record({ id: 1 }), /a response that is none/],
    ['a log line without a level', record({ method: 'log', params: { message: 'x' } }), /`log` notification/],
  ])('%s', async (_title, bytes, reason) => {
    const [fault] = await hear([stdout(bytes)]);
    expect(fault).toEqual({
      kind: 'fault',
      outcome: 'PROTOCOL_ERROR',
      reason: expect.stringMatching(reason),
    });
  });

  test('not a result of exactly the depth that is allowed', async () => {
    const [heard] = await hear([stdout(response(nested(63)))]);
    expect(heard).toMatchObject({ kind: 'message' });
  });
});

describe('the output limit', () => {
  const overLimit = expect.objectContaining({ kind: 'fault', outcome: 'OUTPUT_LIMIT' });

  test.each<[string, Buffer[]]>([
    ['one byte too many', [stdout('x'.repeat(LIMIT)), stdout('x')]],
    ['a flood in one frame', [stdout('x\n'.repeat(LIMIT))]],
    ['a flood of single bytes', Array.from({ length: LIMIT + 1 }, () => stdout('\n'))],
    ['a record without an end', [stdout(`\u001e${'x'.repeat(LIMIT)}`)]],
    ['a flood of small records', [stdout(READY.repeat(100))]],
  ])('ends the reading after %s', async (_title, chunks) => {
    const read: Buffer[] = [];
    const source = function* (): Generator<Buffer> {
      for (const chunk of [...chunks, ...Array.from({ length: 50 }, () => stdout('y'.repeat(16_384)))]) {
        read.push(chunk);
        yield chunk;
      }
    };
    expect((await hear(source())).at(-1)).toEqual(overLimit);
    // What nobody asks for stays in the engine; a few chunks are on their way.
    expect(read.length).toBeLessThan(chunks.length + 10);
  });

  test('counts everything on stdout, and exactly as much is allowed', async () => {
    const heard = await hear([stdout(`${'x'.repeat(LIMIT - 1)}\n`)]);
    expect(heard).toEqual([line('x'.repeat(LIMIT - 1))]);
  });

  test('does not count stderr, whose lines are cut', async () => {
    const flood = Array.from({ length: 10 }, () => stderr('e'.repeat(16_384)));
    const heard = await hear([...flood, stderr('\n'), stdout(record({ id: 1, result: 1 }))]);
    expect(heard).toEqual([line('e'.repeat(8192), 'stderr'), result(1)]);
  });
});

test('of a flood on stderr the beginning is kept in lines, and the end as it is', async () => {
  const flood = Array.from({ length: 64 }, () => stderr('x\n'.repeat(8192)));
  const heard = await hear([...flood, stderr('FATAL ERROR: out of memory\n')]);
  expect(heard.length).toBeLessThan(200_000);
  expect(heard.at(-1)).toMatchObject({
    source: 'stderr',
    text: expect.stringMatching(/FATAL ERROR: out of memory\n$/),
  });
});

test('thousands of lines in one chunk leave timers their turn', async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const lines = Array.from({ length: 20 }, () => 'x\n'.repeat(5_000));
  await hear([...lines.map(stdout), ...lines.map(stderr)], 1024 * 1024);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(5);
});

test('a record of more values than the orchestrator has time for is refused', async () => {
  const values = Array.from({ length: 100_001 }, () => 0);
  const [heard] = await hear([stdout(record({ id: 1, result: values }))], 1024 * 1024);
  expect(heard).toMatchObject({
    outcome: 'PROTOCOL_ERROR',
    reason: 'a record is refused: more than 100000 values',
  });
});

test('bytes that are no attach stream end the reading with an error', async () => {
  await expect(hear([Buffer.from('HTTP/1.1 500 Internal Server Error')])).rejects.toThrow(RangeError);
});

test('the requests of the host are pinned', () => {
  const context = {
    executionId: 'e1',
    userId: null,
    channelId: null,
    sessionId: null,
    inputData: 'a\nb\u001e',
    parameters: {},
    environment: {},
    config: {},
  };
  expect(toExecuteRecord({ entryPoint: '/plugin/index.js', context })).toBe(
    '\u001e{"jsonrpc":"2.0","id":1,"method":"execute","params":{"entryPoint":"/plugin/index.js","context":' +
      '{"executionId":"e1","userId":null,"channelId":null,"sessionId":null,"inputData":"a\\nb\\u001e",' +
      '"parameters":{},"environment":{},"config":{}}}}\n',
  );
  expect(CANCEL_RECORD).toBe('\u001e{"jsonrpc":"2.0","method":"cancel"}\n');
});
