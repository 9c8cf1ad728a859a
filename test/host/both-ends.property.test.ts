import { Writable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toExecuteRecord } from '../../src/calls/request.ts';
import { toStdin } from '../../src/engine/docker/streams.ts';
import type { OutputSlice } from '../../src/engine/engine.ts';
import type { HostMethod } from '../../src/host/methods.ts';
import { RequestServer } from '../../src/host/request-server.ts';
import { RequestError, Requests } from '../../src/protocol/channel.ts';
import { frameRecord, RecordReader } from '../../src/protocol/framing.ts';
import { listen, OutputBudget } from '../../src/sandboxes/container/output-reader.ts';
import { RecordWriter } from '../../src/sandboxes/container/record-writer.ts';

const MiB = 1024 * 1024;

/** Bytes from one end to the other, in pieces of any size, none of them before it is asked for. */
class Pipe {
  readonly #cuts: readonly number[];
  #cut = 0;
  #bytes = Buffer.alloc(0);
  #isOver = false;
  #wake: () => void = () => {};

  constructor(cuts: readonly number[]) {
    this.#cuts = cuts;
  }

  write(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    this.#wake();
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  async *read(): AsyncGenerator<Buffer> {
    for (;;) {
      if (this.#bytes.length === 0) {
        if (this.#isOver) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const size = this.#cuts[this.#cut++ % this.#cuts.length] ?? 1;
      const piece = this.#bytes.subarray(0, size);
      this.#bytes = this.#bytes.subarray(size);
      yield piece;
    }
  }
}

const METHODS: Readonly<Record<string, HostMethod>> = {
  echo: (params) => params,
  later: async (params) => {
    await new Promise((resolve) => setImmediate(resolve));
    return params;
  },
  refuse: () => {
    throw new RequestError({ code: -32602, message: 'refused' });
  },
};

const anyRequest = fc.record({
  method: fc.constantFrom('echo', 'later', 'refuse', 'unknown', 'constructor'),
  params: fc.oneof(fc.array(fc.jsonValue(), { maxLength: 4 }), fc.dictionary(fc.string(), fc.jsonValue())),
});
const anyCuts = fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 20 });

test('every request gets its own answer, however the bytes are cut, even while a large context is written', async () => {
  const property = fc.asyncProperty(
    fc.array(anyRequest, { maxLength: 30 }),
    anyCuts,
    anyCuts,
    fc.integer({ min: 0, max: 300_000 }),
    async (asked, down, up, contextChars) => {
      const [toRunner, toHost] = [new Pipe(down), new Pipe(up)];
      const requests = new Requests({
        send: (json) => toHost.write(Buffer.from(frameRecord(json))),
        onWaiting: () => {},
      });
      requests.open();
      const contexts = runRunner(toRunner, requests);
      const host = runHost(toHost, toRunner, contextChars);
      const answers = await Promise.all(
        asked.map(({ method, params }) =>
          requests.request(method, JSON.stringify(params)).catch(({ code }: RequestError) => ({ code })),
        ),
      );
      toHost.end();
      await host;
      toRunner.end();
      expect(answers).toEqual(asked.map(expected));
      expect(await contexts).toEqual([contextChars]);
    },
  );
  await fc.assert(property, { numRuns: 60 });
});

function expected({ method, params }: { method: string; params: unknown }): unknown {
  if (method === 'refuse') return { code: -32602 };
  return method === 'echo' || method === 'later' ? JSON.parse(JSON.stringify(params)) : { code: -32601 };
}

/** The half of the runner: answers how long the contexts are that came between the responses. */
async function runRunner(input: Pipe, requests: Requests): Promise<number[]> {
  const reader = new RecordReader({ maxRecordBytes: 32 * MiB, maxLineBytes: 0 });
  const contexts: number[] = [];
  for await (const chunk of input.read()) {
    for (const piece of reader.push(chunk)) {
      if (piece.kind !== 'record') throw new Error(`${piece.kind} beside the records`);
      const message = JSON.parse(String(piece.bytes));
      if (message.method === 'execute') contexts.push(message.params.context.inputData.length);
      else requests.take(message);
    }
  }
  return contexts;
}

/** The half of the host: writes a context in pieces, and answers what comes meanwhile. */
async function runHost(output: Pipe, input: Pipe, contextChars: number): Promise<void> {
  const stdin = new Writable({
    highWaterMark: 1024,
    write: (bytes, _encoding, done) => {
      input.write(bytes);
      setImmediate(done);
    },
  });
  const writer = new RecordWriter(toStdin(stdin));
  const server = new RequestServer({
    methods: new Map(Object.entries(METHODS)),
    send: (json) => writer.write(frameRecord(json)),
    onFailure: (_method, error) => {
      throw error;
    },
  });
  const { signal } = new AbortController();
  const context = {
    executionId: 'e1',
    userId: null,
    channelId: null,
    sessionId: null,
    inputData: 'x'.repeat(contextChars),
    parameters: {},
    environment: {},
    config: {},
  };
  const executed = writer.write(toExecuteRecord({ entryPoint: '/p', maxResultBytes: 1, context }));
  for await (const item of listen(toSlices(output), new OutputBudget(MiB))) {
    if (item.kind !== 'request') throw new Error(`${JSON.stringify(item)} is no request`);
    await server.take(item.request, item.bytes, signal);
  }
  await executed;
}

async function* toSlices(output: Pipe): AsyncGenerator<OutputSlice> {
  for await (const bytes of output.read()) yield { stream: 'stdout', bytes };
}
