import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { demultiplex, openStreams } from '../../../src/engine/docker/streams.ts';
import { frameRecord } from '../../../src/protocol/framing.ts';
import { toOutputEnd } from '../../../src/protocol/messages.ts';
import { listen, OutputBudget, type OutputItem } from '../../../src/sandboxes/container/output-reader.ts';
import { toFrame } from '../../helpers/fake-engine.ts';
import { watchHost } from '../../helpers/host-watch.ts';
import { splitAt } from '../../helpers/split.ts';

const LIMIT = 4096;

async function hear(chunks: Iterable<Buffer>, outputBytes = LIMIT): Promise<OutputItem[]> {
  const output = demultiplex(Readable.from(chunks, { objectMode: false }));
  const heard: OutputItem[] = [];
  for await (const each of listen(output, new OutputBudget(outputBytes))) heard.push(each);
  return heard;
}

const stdout = (text: string | Buffer): Buffer => toFrame('stdout', Buffer.from(text));
const stderr = (text: string | Buffer): Buffer => toFrame('stderr', Buffer.from(text));
const record = (message: object): string => frameRecord(JSON.stringify({ jsonrpc: '2.0', ...message }));
const line = (text: string, source: 'stdout' | 'stderr' = 'stdout'): OutputItem => ({
  kind: 'line',
  source,
  text,
  cutBytes: 0,
});
const result = (value: unknown): OutputItem => ({
  kind: 'message',
  message: { kind: 'result', id: 1, result: value },
});

const END = `\n${frameRecord(toOutputEnd(3))}`;

/** Beside the result there is room for the head of its response. */
const ROOM = LIMIT + 16 * 1024;
const PROGRESS = record({ method: 'progress', params: { fraction: 0 } });
const READY = record({ method: 'ready', params: { protocol: 1, node: 'v24' } });

test('a request is read with its size, and a record that both asks and answers counts as a request', async () => {
  const asked = record({ method: 'fetch', id: 7, result: 1 });
  const broken = record({ method: 'fetch', id: 'seven' });
  expect(await hear([stdout(`${asked}${broken}`)])).toEqual([
    {
      kind: 'request',
      request: { kind: 'request', id: 7, method: 'fetch', params: undefined },
      bytes: asked.length - 2,
    },
    {
      kind: 'request',
      request: { kind: 'badRequest', id: null, reason: expect.any(String) },
      bytes: broken.length - 2,
    },
  ]);
});

test('records become messages, and the text around them becomes lines', async () => {
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

test('what is read does not depend on where the stream is cut', async () => {
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

test('a record on stderr is only a line', async () => {
  const [heard, ...rest] = await hear([stderr(record({ id: 1, result: 1 }))]);
  expect(heard).toMatchObject({ kind: 'line', source: 'stderr' });
  expect(rest).toEqual([]);
});

test('an unfinished record at the end is no message', async () => {
  expect(await hear([stdout('\u001e{"jsonrpc":"2.0","id":1,"result":1}')])).toEqual([]);
});

describe('the protocol is broken by', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  const response = (value: string): string => frameRecord(`{"jsonrpc":"2.0","id":1,"result":${value}}`);

  test.each<[string, string | Buffer, RegExp]>([
    ['a record that is no JSON', frameRecord('{'), /not valid JSON/],
    ['an empty record', frameRecord(''), /expected JSON, got nothing/],
    ['a record cut off by the next', `\u001e{"jsonrpc"${READY}`, /refused/],
    ['a record that is not UTF-8', Buffer.from('\u001e"\xff"\n', 'latin1'), /not UTF-8/],
    ['a record with a byte order mark', frameRecord('\ufeff{}'), /refused/],
    ['a key twice', response('{"a":1,"a":2}'), /`result\.a`/],
    ['a result that is too deep', response(nested(65)), /deeper than 65/],
    ['a result that is far too deep', response(nested(2000)), /deeper than 65/],
    ['a number', frameRecord('1'), /not an object/],
    ['a batch', frameRecord(`[${READY.slice(1, -1)}]`), /not an object/],
    ['a response to half a request', record({ id: 1.5, result: 1 }), /a response that is none/],
    ['a response without a result', record({ id: 1 }), /a response that is none/],
    ['a log line without a level', record({ method: 'log', params: { message: 'x' } }), /`log` notification/],
    ['a record without a version', frameRecord('{"id":1,"result":1}'), /a response that is none/],
    ['another version', frameRecord('{"jsonrpc":"1.0","id":1,"result":1}'), /a response that is none/],
    [
      'a version that is a number',
      frameRecord('{"jsonrpc":2.0,"id":1,"result":1}'),
      /a response that is none/,
    ],
    ['an id that is a text', frameRecord('{"jsonrpc":"2.0","id":"1","result":1}'), /a response that is none/],
    ['an id that is null', frameRecord('{"jsonrpc":"2.0","id":null,"result":1}'), /a response that is none/],
    [
      'an id that is nearly ours',
      frameRecord('{"jsonrpc":"2.0","id":1.1,"result":1}'),
      /a response that is none/,
    ],
    ['no id', frameRecord('{"jsonrpc":"2.0","result":1}'), /a response that is none/],
    ['`null`', frameRecord('null'), /not an object/],
    ['`true`', frameRecord('true'), /not an object/],
    ['a text', frameRecord('"ready"'), /not an object/],
    ['blanks', frameRecord(' \t '), /expected JSON, got nothing/],
    ['a method that is null', record({ method: null }), /a method nobody knows/],
    ['a method that is empty', record({ method: '' }), /a method nobody knows/],
    ['a method that every object has', record({ method: 'hasOwnProperty' }), /a method nobody knows/],
    [
      'progress that is no number',
      record({ method: 'progress', params: { fraction: '1' } }),
      /`progress` not/,
    ],
    ['progress as a list', record({ method: 'progress', params: [0.5] }), /`progress` not/],
    ['an error without words', record({ id: 1, error: { code: 1 } }), /an error response that is none/],
    [
      'an error code that is none',
      record({ id: 1, error: { code: 1.5, message: 'x' } }),
      /an error response/,
    ],
    ['UTF-16', Buffer.from('\u001e\0{\0}\n', 'latin1'), /not valid JSON/],
    ['NUL bytes', frameRecord('\0{}'), /not valid JSON/],
    ['half a character', Buffer.from('\u001e"\xe4\xbb"\n', 'latin1'), /not UTF-8/],
    ['a character written too long', Buffer.from('\u001e"\xc0\xaf"\n', 'latin1'), /not UTF-8/],
    ['half of a pair as bytes', Buffer.from('\u001e"\xed\xa0\x80"\n', 'latin1'), /not UTF-8/],
    ['a record start in a text', response('"\u001e"'), /not valid JSON/],
    ['a tab in a text', response('"\t"'), /not valid JSON/],
    ['a comma too many', response('[1,]'), /not valid JSON/],
    ['single quotes', response("'x'"), /not valid JSON/],
    ['a number with a plus', response('+1'), /not valid JSON/],
    ['a number in hexadecimal', response('0x10'), /not valid JSON/],
    ['a number of a thousand and one digits', response('1'.repeat(1_001)), /more than 1000 characters/],
    ['a number that no number holds', response('9007199254740993'), /send it as text: "9007199254740993"/],
    ['two documents', frameRecord('{}{}'), /not valid JSON: expected nothing more/],
    [
      'a key twice in the message',
      frameRecord('{"jsonrpc":"2.0","id":1,"result":1,"id":2}'),
      /`id`: the key/,
    ],
    ['a key twice by escapes', response('{"a":1,"\\u0061":2}'), /`result\.a`: the key/],
  ])('%s', async (_title, bytes, reason) => {
    const [fault] = await hear([stdout(bytes)]);
    expect(fault).toEqual({
      kind: 'fault',
      outcome: 'PROTOCOL_ERROR',
      reason: expect.stringMatching(reason),
    });
  });

  test.each<[string, string, unknown]>([
    ['a carriage return before its end', '\u001e{"jsonrpc":"2.0","id":1,"result":1}\r\n', 1],
    ['blanks around everything', '\u001e \t{ "jsonrpc" : "2.0" , "id" : 1 , "result" : [ ] } \n', []],
    ['an id that is another way to write ours', '\u001e{"jsonrpc":"2.0","id":1.0e0,"result":1}\n', 1],
    ['a number as JavaScript writes it', response('18446744073709552000'), 2 ** 64],
    ['a zero with a sign', response('-0'), -0],
    ['half of a pair as an escape', response('"\\ud800"'), '\ud800'],
    [
      'keys that every object has',
      response('{"constructor":{"prototype":1}}'),
      { constructor: { prototype: 1 } },
    ],
    ['a text that looks like a record', response('"\\u001e{}\\n"'), '\u001e{}\n'],
    ['headers of the stream it came in', response('"\\u0001\\u0000\\u0000"'), '\u0001\u0000\u0000'],
  ])('no result with %s', async (_title, bytes, value) => {
    expect(await hear([stdout(bytes)])).toEqual([result(value)]);
  });

  test('its first fault only, since the reading ends there', async () => {
    const rest = [response('1'), 'line\n', READY].map(stdout);
    const heard = await hear([stdout(`before\n${frameRecord('{')}${response('2')}after\n`), ...rest]);
    expect(heard).toEqual([line('before'), expect.objectContaining({ kind: 'fault' })]);
  });

  test('no result of exactly the allowed depth', async () => {
    const [heard] = await hear([stdout(response(nested(63)))]);
    expect(heard).toMatchObject({ kind: 'message' });
  });
});

describe('the output limit', () => {
  const overLimit = expect.objectContaining({ kind: 'fault', outcome: 'OUTPUT_LIMIT' });

  test.each<[string, Buffer[]]>([
    ['a record without an end', [stdout(`\u001e${'x'.repeat(ROOM)}`)]],
    ['a record of one byte too many', [stdout(`\u001e"${'x'.repeat(ROOM - 1)}"\n`)]],
    ['a flood of small records', [stdout(PROGRESS.repeat(ROOM / 50))]],
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

  test.each(['stdout', 'stderr'] as const)('does not count lines on %s, which are cut', async (source) => {
    const print = source === 'stdout' ? stdout : stderr;
    const flood = Array.from({ length: 10 }, () => print('e'.repeat(16_384)));
    const heard = await hear([...flood, print('\n'), stdout(record({ id: 1, result: 1 }))]);
    const cut = { kind: 'line', source, text: 'e'.repeat(8192), cutBytes: 10 * 16_384 - 8192 };
    expect(heard).toEqual([cut, result(1)]);
  });
});

test.each(['stdout', 'stderr'] as const)(
  'a flood of lines on %s is read as its first lines, and then as bytes',
  async (source) => {
    const print = source === 'stdout' ? stdout : stderr;
    const heard = await hear([
      ...Array.from({ length: 20 }, () => print('x\n'.repeat(8192))),
      print('last\n'),
    ]);
    expect(heard.filter(({ kind }) => kind === 'line')).toHaveLength(700);
    expect(heard.at(-1)).toEqual({ kind: 'surplus', source, bytes: Buffer.from('last\n') });
    expect(heard.filter(({ kind }) => kind === 'surplus')).toHaveLength(20 + 8192 - 700);
  },
);

test('log records beyond the first are not parsed, whatever they hold', async () => {
  const log = (message: string): Buffer =>
    stdout(record({ method: 'log', params: { level: 'info', message } }));
  const heard = await hear([
    ...Array.from({ length: 701 }, () => log('x')),
    stdout(frameRecord('{"jsonrpc":"2.0","method":"log",no JSON')),
    stdout(record({ id: 1, result: 1 })),
  ]);
  expect(heard.map(({ kind }) => kind)).toEqual([
    ...Array(700).fill('message'),
    ...['surplus', 'surplus', 'message'],
  ]);
});

test('the runner marks the end of the output of an execution on stderr', async () => {
  const heard = await hear([stderr(`half a line\n${frameRecord(toOutputEnd(3))}`)]);
  expect(heard).toEqual([line('half a line', 'stderr'), { kind: 'outputEnd', id: 3 }]);
});

test('the end of stderr is found after a flood too, wherever the stream is cut', async () => {
  const flood = 'x\n'.repeat(1_000);
  for (let at = 0; at <= END.length; at++) {
    const heard = await hear([
      stderr(flood),
      stderr(`${END.slice(0, at)}`),
      stderr(`${END.slice(at)}more\n`),
    ]);
    expect(heard.filter(({ kind }) => kind === 'outputEnd')).toEqual([{ kind: 'outputEnd', id: 3 }]);
  }
});

test('printing the start of a record does not make a flood on stderr slower to read', async () => {
  const heard = await hear([
    stderr('x\n'.repeat(1_000)),
    ...Array.from({ length: 20 }, () => stderr(`${'\u001ea\n'.repeat(20_000)}\u001e{"jsonrpc":"2.0",`)),
  ]);
  expect(heard.length).toBeLessThan(1_000 + 20 * 10);
});

describe('a line that is overwritten', () => {
  const states = (draw: (percent: number) => string): string =>
    Array.from({ length: 400 }, (_, index) => draw(index / 4)).join('');

  test.each([
    ['by returns before each state', states((percent) => `\r[####] ${percent} %`), '[####] 99.75 %'],
    ['by returns after each state', states((percent) => `[####] ${percent} %\r`), '[####] 99.75 %'],
    ['and ended as on Windows', 'one\r\ntwo\r\n', 'one'],
  ])('%s is read in its last state', async (_title, text, last) => {
    const [heard] = await hear([stdout(text)]);
    expect(heard).toEqual(line(last));
  });

  test('is read the same wherever the stream is cut', async () => {
    const stream = stdout('a\rbc\r\rdef\r\nnext\r\n\rlast\r');
    const whole = [line('def'), line('next'), line('last')];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(stream.length)), async (cuts) => {
        expect(await hear(splitAt(stream, cuts))).toEqual(whole);
      }),
    );
  });
});

test('thousands of records in one chunk do not hold up timers', async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const lines = Array.from({ length: 20 }, () => PROGRESS.repeat(1_000));
  await hear(lines.map(stdout), 4 * 1024 * 1024);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(5);
});

test('a record with too many values for the memory is refused', async () => {
  const values = Array.from({ length: 100_017 }, () => 0);
  const [heard] = await hear([stdout(record({ id: 1, result: values }))], 1024 * 1024);
  expect(heard).toMatchObject({
    outcome: 'PROTOCOL_ERROR',
    reason: 'a record is refused: more than 100016 values',
  });
});

/** Everything that takes long to read, at the highest limit that a policy grants by itself. */
describe('the event loop is not held up by (P5)', () => {
  const BYTES = 16 * 1024 * 1024;
  const response = (value: string): string => frameRecord(`{"jsonrpc":"2.0","id":1,"result":${value}}`);
  const fill = (text: string, bytes = BYTES - 100): string => text.repeat(bytes / Buffer.byteLength(text));
  const members = (count: number, toMember: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => toMember(index)).join(',');
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  const progress = '{"jsonrpc":"2.0","method":"progress","params":{"fraction":0}}';

  test.each<[title: string, kind: OutputItem['kind'], make: () => string]>([
    ['one text', 'message', () => response(`"${fill('x')}"`)],
    ['one text of wide letters', 'message', () => response(`"${fill('今👋')}"`)],
    ['one text with a wide letter', 'message', () => response(`"今${fill('x')}"`)],
    ['one text of escapes', 'message', () => response(`"${fill('\\u0041')}"`)],
    ['one text of escaped quotes', 'message', () => response(`"${fill('\\"')}"`)],
    ['one key', 'fault', () => response(`{"${fill('k')}":1}`)],
    ['one number', 'fault', () => response(fill('7'))],
    ['many long numbers', 'message', () => response(`[${members(16_000, () => `0.${'7'.repeat(990)}`)}]`)],
    ['blanks', 'message', () => response(`[${fill('\t')}]`)],
    ['blanks before a fault', 'fault', () => response(`[${fill(' ')}x]`)],
    ['many zeros', 'message', () => response(`[${members(99_000, () => '0')}]`)],
    ['more zeros than there may be', 'fault', () => response(`[${fill('0,')}0]`)],
    ['many texts', 'message', () => response(`[${members(99_000, (index) => `"\\n${index}"`)}]`)],
    ['many keys', 'message', () => response(`{${members(99_000, (index) => `"k${index}":0`)}}`)],
    [
      'many keys that are numbers',
      'message',
      () => response(`{${members(99_000, (index) => `"${index * 7919}":0`)}}`),
    ],
    [
      'many objects of many shapes',
      'message',
      () => response(`[${members(49_000, (index) => `{"k${index}":0}`)}]`),
    ],
    ['many nested lists', 'message', () => response(`[${members(1_700, () => nested(55))}]`)],
    [
      'more nested lists than there may be',
      'fault',
      () => response(`[${members(99_000, () => nested(55))}]`),
    ],
    ['many records', 'message', () => fill(`\u001e${progress}\n`, BYTES / 8)],
    ['many records without line feeds', 'message', () => `${fill(`\u001e${progress}`, BYTES / 8)}\n`],
    ['many record starts', 'fault', () => fill('\u001e')],
    ['many short lines', 'surplus', () => fill('x\n', BYTES / 16)],
    ['one long line', 'line', () => fill('x')],
    [
      'a log line in one record',
      'surplus',
      () => record({ method: 'log', params: { level: 'info', message: fill('l') } }),
    ],
    ['an error in one record', 'message', () => record({ id: 1, error: { code: 1, message: fill('e') } })],
  ])('%s', async (_title, kind, make) => {
    const stream = Buffer.from(make());
    const frames = function* (): Generator<Buffer> {
      for (let at = 0; at < stream.length; at += 32_768) yield stdout(stream.subarray(at, at + 32_768));
    };
    const { value, cost } = await watchHost(async () => {
      const output = demultiplex(Readable.from(frames(), { objectMode: false }));
      let last: OutputItem | undefined;
      for await (last of listen(output, new OutputBudget(BYTES + 1024)));
      return last;
    });
    expect(value?.kind).toBe(kind);
    expect(cost.longestBlockMs).toBeLessThan(100);
    expect(cost.memoryGrowthBytes).toBeLessThan(64 * 1024 * 1024);
  });

  test('a flood on stderr of 200 MB, over a socket', async () => {
    const flood = stderr('x\n'.repeat(16_384));
    const path = join(tmpdir(), `lurkbox-flood-${process.pid}`);
    const server = createServer((client) => {
      let left = 6_400;
      const more = (): void => {
        while (left-- > 0) if (!client.write(flood)) return void client.once('drain', more);
        client.end(stdout(response('"heard"')));
      };
      client.on('error', () => {});
      more();
    }).listen(path);
    await once(server, 'listening');
    const { value, cost } = await watchHost(async () => {
      let last: OutputItem | undefined;
      for await (const each of listen(openStreams(connect(path)).output, new OutputBudget(1024)))
        if (each.kind === 'message') last = each;
      return last;
    });
    server.close();
    expect(value).toEqual(result('heard'));
    expect(cost.longestBlockMs).toBeLessThan(100);
    expect(cost.memoryGrowthBytes).toBeLessThan(64 * 1024 * 1024);
  });

  test('a text in frames of single bytes', async () => {
    const text = response(`"${fill('x', 300_000)}"`);
    const frames = [...Buffer.from(text)].map((byte) => stdout(Buffer.of(byte)));
    const chunks = Array.from({ length: Math.ceil(frames.length / 7000) }, (_, index) =>
      Buffer.concat(frames.slice(index * 7000, (index + 1) * 7000)),
    );
    const { value, cost } = await watchHost(() => hear(chunks, 1024 * 1024));
    expect(value).toMatchObject([{ kind: 'message' }]);
    expect(cost.longestBlockMs).toBeLessThan(100);
  });
});

test('bytes that are not an attach stream end the reading with an error', async () => {
  await expect(hear([Buffer.from('HTTP/1.1 500 Internal Server Error')])).rejects.toThrow(RangeError);
});
