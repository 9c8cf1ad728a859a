import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { demultiplex } from '../../../src/engine/docker/streams.ts';
import { listen, OutputBudget, type OutputItem } from '../../../src/sandboxes/container/output-reader.ts';
import { anyBytes, anyCuts, toSingleBytes } from '../../helpers/bytes.ts';
import { toFrame } from '../../helpers/fake-engine.ts';
import { splitAt } from '../../helpers/split.ts';

/** Everything that is heard, in its order, and the error that ended the listening, if one did. */
async function hear(chunks: Iterable<Buffer>, outputBytes: number): Promise<(OutputItem | string)[]> {
  const output = demultiplex(Readable.from(chunks, { objectMode: false }));
  const heard: (OutputItem | string)[] = [];
  try {
    for await (const each of listen(output, new OutputBudget(outputBytes))) heard.push(each);
  } catch (error) {
    heard.push(String(error));
  }
  return heard;
}

const anyFrame = fc
  .tuple(fc.constantFrom('stdout' as const, 'stdout' as const, 'stderr' as const), anyBytes)
  .map(([stream, payload]) => toFrame(stream, payload));

/** What an engine could send, or, now and then, what no engine would. */
const anyStream = fc
  .array(fc.oneof({ weight: 12, arbitrary: anyFrame }, anyBytes), { maxLength: 8 })
  .map((parts) => Buffer.concat(parts));

test('the reader yields the same items in the same order, however the stream is cut', async () => {
  const property = fc.asyncProperty(anyStream, anyCuts, fc.nat(2000), async (stream, cuts, outputBytes) => {
    const whole = await hear([stream], outputBytes);
    expect(await hear(splitAt(stream, cuts), outputBytes)).toEqual(whole);
    expect(await hear(toSingleBytes(stream), outputBytes)).toEqual(whole);
  });
  await fc.assert(property, { numRuns: 300 });
});

test('where the output limit is crossed does not depend on how the stream is cut', async () => {
  const frame = toFrame(
    'stdout',
    Buffer.from('one\ntwo\n\u001e{"jsonrpc":"2.0","id":1,"result":1}\nthree\n'),
  );
  for (const outputBytes of [0, 3, 4, 7, 8, 20, frame.length - 9, frame.length - 8]) {
    const whole = await hear([frame], outputBytes);
    for (let cut = 1; cut < frame.length; cut++) {
      expect(await hear(splitAt(frame, [cut]), outputBytes)).toEqual(whole);
    }
  }
});

test('which lines are the first ones does not depend on how the stream is cut', async () => {
  const flood = Buffer.from(
    Array.from({ length: 20_000 }, (_, line) => `line ${line} of a flood\n`).join(''),
  );
  const stream = Buffer.concat(
    Array.from({ length: 15 }, (_, index) =>
      toFrame('stderr', flood.subarray(index * 30_000, (index + 1) * 30_000)),
    ),
  );
  const whole = together(await hear([stream], 1000));
  expect(whole.length).toBe(700 + 1);
  const property = fc.asyncProperty(fc.array(fc.nat(stream.length), { maxLength: 40 }), async (cuts) => {
    expect(together(await hear(splitAt(stream, cuts), 1000))).toEqual(whole);
  });
  await fc.assert(property, { numRuns: 20 });
});

/** The bytes beyond the first lines as one: how they are cut is up to the engine, and a line may be begun. */
function together(heard: Awaited<ReturnType<typeof hear>>): unknown[] {
  const surplus = heard.flatMap((each) =>
    typeof each !== 'string' && each.kind === 'surplus' ? [each.bytes] : [],
  );
  const others = heard.filter((each) => typeof each === 'string' || each.kind !== 'surplus');
  return [...others, Buffer.concat(surplus).toString()];
}

test('the reader yields nothing after a fault, and stays within the output limit before it (P5)', async () => {
  const property = fc.asyncProperty(anyStream, fc.nat(2000), async (stream, outputBytes) => {
    const heard = (await hear([stream], outputBytes)).filter((each) => typeof each !== 'string');
    const faults = heard.filter(({ kind }) => kind === 'fault');
    expect(faults.length).toBeLessThanOrEqual(1);
    if (faults.length > 0) expect(heard.at(-1)).toBe(faults[0]);
    const results = heard.filter((each) => each.kind === 'message' && each.message.kind === 'result');
    const bytes = results.reduce((sum, each) => sum + JSON.stringify(each).length, 0);
    expect(bytes).toBeLessThanOrEqual((outputBytes + 16 * 1024) * 3);
  });
  await fc.assert(property, { numRuns: 300 });
});
