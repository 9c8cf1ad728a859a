import { describe, expect, test } from 'vitest';
import { lastLines, runCommand } from '../../src/image/command.ts';

const node = (code: string, options: { timeoutMs?: number; signal?: AbortSignal } = {}) =>
  runCommand(process.execPath, ['-e', code], { timeoutMs: 20_000, ...options });

describe('runCommand', () => {
  test('returns how the program ended and what it wrote', async () => {
    const result = await node('console.log("out"); console.error("err"); process.exitCode = 3');
    expect(result).toEqual({
      exitCode: 3,
      timedOut: false,
      overBudget: null,
      stdout: 'out\n',
      stderr: 'err\n',
    });
  });

  test('returns null when the program does not exist', async () => {
    expect(await runCommand('/usr/bin/lurkbox-no-such-program', [], { timeoutMs: 1000 })).toBeNull();
  });

  test('returns only the end of a flood', async () => {
    const result = await node('process.stdout.write("x".repeat(5_000_000) + "end")');
    expect(result?.stdout).toHaveLength(64 * 1024);
    expect(result?.stdout.endsWith('end')).toBe(true);
  });

  // The child holds stdout open: were it still alive, this would not end.
  test('kills the program and its children at the deadline', async () => {
    const result = await node(
      'require("child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], ' +
        '{ stdio: "inherit" }); setInterval(() => {}, 1000)',
      { timeoutMs: 1500 },
    );
    expect(result).toMatchObject({ exitCode: null, timedOut: true });
  });

  test('kills the program when the signal aborts', async () => {
    const reason = new Error('no longer wanted');
    const running = node('setInterval(() => {}, 1000)', { signal: abortAfter(200, reason) });
    await expect(running).rejects.toBe(reason);
  });

  test('starts nothing when the signal has aborted', async () => {
    const reason = new Error('no longer wanted');
    await expect(node('', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

test('`lastLines` cuts long text', () => {
  expect(lastLines(`${'x'.repeat(60_000)}\nend`)).toBe(`${'x'.repeat(500)} | end`);
});

test('`lastLines` returns the end of a text on one line, without control characters', () => {
  expect(lastLines('a\nb\r\n\u001b[31mred\u001b[0m\u0007\n\n', 2)).toBe('b | [31mred[0m');
});

function abortAfter(ms: number, reason: Error): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), ms);
  return controller.signal;
}
