import { describe, expect, test } from 'vitest';
import { RunnerProcess, runPlugin } from './run.ts';

/** The log records of a plugin with this body. */
async function logsOf(body: string): Promise<unknown[]> {
  const { messages, response } = await runPlugin({
    code: `export const execute = (context, host) => { ${body} };`,
  });
  expect(response).toMatchObject({ result: null });
  return messages.flatMap(({ method, params }) => (method === 'log' ? [params] : []));
}

describe.concurrent('the console', () => {
  test.each([
    ['log', 'info'],
    ['info', 'info'],
    ['dir', 'info'],
    ['debug', 'debug'],
    ['warn', 'warn'],
    ['error', 'error'],
  ])('`%s` is a log record of level %s', async (method, level) => {
    expect(await logsOf(`console.${method}('m')`)).toEqual([
      { level, message: method === 'dir' ? "'m'" : 'm' },
    ]);
  });

  test('`trace` is a log record of level debug, with a stack', async () => {
    expect(await logsOf("console.trace('m')")).toEqual([
      { level: 'debug', message: expect.stringMatching(/^Trace: m\n {4}at /) },
    ]);
  });

  test('`assert` is a log record of level error, only if it fails', async () => {
    expect(await logsOf("console.assert(true, 'a'); console.assert(false, 'b')")).toEqual([
      { level: 'error', message: 'Assertion failed: b' },
    ]);
  });

  test('formats as Node does, without colours', async () => {
    expect(await logsOf("console.log('%s is %d', 'x', 1, { a: [null] }); console.table([{ a: 1 }])")).toEqual(
      [
        { level: 'info', message: 'x is 1 { a: [ null ] }' },
        { level: 'info', message: expect.stringMatching(/│ 0 +│ 1 │/) },
      ],
    );
  });

  test('keeps several lines in one record', async () => {
    expect(await logsOf("console.log('a\\nb\\u001ec')")).toEqual([{ level: 'info', message: 'a\nb\u001ec' }]);
  });

  test('cuts an endless line, and says how long it was', async () => {
    const [line] = (await logsOf("console.log('x'.repeat(1_000_000))")) as { message: string }[];
    expect(line?.message).toBe(`${'x'.repeat(8_000)}… (1000000 characters)`);
  });
});

describe.concurrent('`host.log`', () => {
  test.each([
    ["'warn', 'm'", 'warn', 'm'],
    ["'debug', 42", 'debug', '42'],
    ["'WARN', 'm'", 'warn', 'm'],
    ["'warning', 'm'", 'warn', 'm'],
    ["'fatal', 'm'", 'error', 'm'],
    ["'fetched %d rows', 7", 'info', 'fetched 7 rows'],
    ["'fetched'", 'info', 'fetched'],
    ['{ a: 1 }', 'info', '{ a: 1 }'],
    ["'constructor', 'm'", 'info', 'constructor m'],
    ['undefined, { a: [1] }', 'info', '{ a: [ 1 ] }'],
    ["'info', 'got %d of', 3, new Map([['a', 1]])", 'info', "got 3 of Map(1) { 'a' => 1 }"],
  ])('with %s is a record of level %s', async (args, level, message) => {
    expect(await logsOf(`host.log(${args})`)).toEqual([{ level, message }]);
  });
});

test('output past the console is not a log record', async () => {
  const { lines, messages, response } = await runPlugin({
    code: `
      import { writeSync } from 'node:fs';
      export const execute = () => {
        process.stdout.write('by the stream\\n');
        writeSync(1, 'by the descriptor\\n');
        return 1;
      };`,
  });
  expect(lines).toEqual(['by the stream', 'by the descriptor']);
  expect(messages.map(({ method }) => method)).toEqual(['ready', undefined, 'settled']);
  expect(response).toMatchObject({ result: 1 });
});

test('what a logger is writing when the plugin answers arrives before the answer', async () => {
  await using runner = new RunnerProcess({
    code: `
      import { write } from 'node:fs';
      const lines = [];
      // As loggers do it that never block: what comes meanwhile goes out when the write before has ended.
      const writeNext = () => {
        if (lines.length > 0) write(1, lines.shift(), writeNext);
      };
      export const execute = async () => {
        for (let line = 1; line <= 50; line++) lines.push(\`line \${line}\\n\`);
        writeNext();
        return 1;
      };`,
  });
  await runner.execute();
  expect(await runner.heard(({ id }) => id !== undefined)).toMatchObject({ result: 1 });
  expect(runner.lines).toHaveLength(50);
});

test('a logger beside a slowly read stream gets no error to retry', async () => {
  await using runner = new RunnerProcess({
    code: `
      import { writeSync } from 'node:fs';
      export const execute = () => {
        const { fd } = process.stdout;
        let refused = 0;
        for (let line = 0; line < 3000; line++) {
          try {
            writeSync(fd, 'x'.repeat(999) + '\\n');
          } catch {
            refused++;
          }
        }
        return { refused };
      };`,
  });
  await runner.execute();
  expect(await runner.heard(({ id }) => id !== undefined)).toMatchObject({ result: { refused: 0 } });
});

test('a read that never ends delays the answer only briefly', async () => {
  await using runner = new RunnerProcess({
    code: `
      import { execFileSync } from 'node:child_process';
      import { readFile } from 'node:fs';
      export const execute = () => {
        const pipe = new URL('pipe', import.meta.url).pathname;
        execFileSync('/usr/bin/mkfifo', [pipe]);
        readFile(pipe, () => {});
        return 1;
      };`,
  });
  await runner.execute();
  expect(await runner.heard(({ id }) => id !== undefined)).toMatchObject({ result: 1 });
});
