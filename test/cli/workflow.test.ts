import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { describeStep, WorkflowView } from '../../src/cli/workflow-view.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';
import { NO_ENGINE, runCli, SOURCE, STEERING } from './run-cli.ts';

let workspace: Workspace;

beforeAll(async () => {
  workspace = await createWorkspace();
  await workspace.addPlugin('echo');
  await workspace.addPlugin('wrong', { manifest: { version: 'new' } });
});
afterAll(() => workspace[Symbol.asyncDispose]());

const FINE = {
  name: 'fine',
  steps: { one: { plugin: 'echo' }, two: { plugin: 'echo', input: { $from: 'one.result' } } },
};

async function lurkbox(command: 'run' | 'check', document: object | string, ...args: string[]) {
  const file = join(workspace.root, 'flow.json');
  await writeFile(file, typeof document === 'string' ? document : JSON.stringify(document));
  return runCli(['workflow', command, file, '--workspace', workspace.root, ...args], {
    program: SOURCE,
    env: NO_ENGINE,
  });
}

describe('workflow check', () => {
  test('shows the steps and their dependencies, without an engine', async () => {
    const { exitCode, stdout, stderr } = await lurkbox('check', FINE);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toBe('step  plugin  waits for\none   echo    nothing\ntwo   echo    one\n');
  });

  test('--json prints the same as one document', async () => {
    const { stdout } = await lurkbox('check', FINE, '--json');
    expect(JSON.parse(stdout)).toEqual({
      workflow: 'fine',
      steps: [
        { step: 'one', plugin: 'echo', waitsFor: [] },
        { step: 'two', plugin: 'echo', waitsFor: ['one'] },
      ],
    });
  });
});

describe('workflow run and check refuse, exit with 2 and create nothing', () => {
  const of = (step: object, rest: object = {}) => ({
    name: 'x',
    steps: { one: { plugin: 'echo', ...step } },
    ...rest,
  });

  test.each<[string, object | string, string[]]>([
    ['no JSON', '{', ['flow.json', 'not valid JSON']],
    [
      'every problem at once',
      of({ after: ['z'], input: { $from: 'y.result' } }),
      ['steps.one.after', 'steps.one.input'],
    ],
    ['a circle', of({ after: ['one'] }), ['one → one']],
    ['a key that steers a terminal', of({ input: { '\u001b[31m': { $from: 'y.result' } } }), ['[31m', '"y"']],
    ['a plugin that is not there', of({ plugin: 'echoo' }), ['"echoo"', 'echo']],
    ['a plugin that cannot be loaded', of({ plugin: 'wrong' }), ['`version`']],
    ['more time than the plugin is granted', of({ timeout_seconds: 20 }), ['10 s', '20 s']],
  ])('%s', async (_, document, words) => {
    for (const command of ['run', 'check'] as const) {
      const { exitCode, stdout, stderr } = await lurkbox(command, document);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      for (const word of words) expect(stderr).toContain(word);
      expect(stderr).not.toMatch(STEERING);
      expect(await readdir(join(workspace.root, '.lurkbox/tmp')).catch(() => [])).toEqual([]);
    }
  });

  test('a missing file', async () => {
    const { exitCode, stderr } = await runCli(['workflow', 'run', '/nowhere.json'], {
      program: SOURCE,
      env: NO_ENGINE,
    });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('"/nowhere.json" cannot be read (ENOENT)');
  });

  test('an input that is no JSON', async () => {
    const { exitCode, stderr } = await lurkbox('run', FINE, '--input', '{a:1}');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('--input');
  });
});

test('workflow run exits with 3 when only the engine is missing', async () => {
  const { exitCode, stdout, stderr } = await lurkbox('run', FINE, '--json');
  expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
  expect(stderr).toContain('No container engine answers');
});

describe('a step is described', () => {
  const shown = { status: 'running' as const, reason: null, said: null, beganMs: 1000, atMs: 1000 };

  test.each([
    [{ ...shown, status: 'waiting' as const, beganMs: null }, 2000, 'waiting'],
    [shown, 3999, 'running 2 s'],
    [shown, null, 'running'],
    [
      { ...shown, said: { fraction: 0.256, message: 'rows\r\u001b[2J' } },
      1000,
      'running 0 s, 26 % rows\\u000d\\u001b[2J',
    ],
    [{ ...shown, status: 'done' as const, atMs: 1234 }, 9000, 'done (234 ms)'],
    [
      { ...shown, status: 'failed' as const, atMs: 1234, reason: 'TIMEOUT: \u202e' },
      9000,
      'failed (234 ms): TIMEOUT: \\u202e',
    ],
    [{ ...shown, status: 'not_reached' as const, beganMs: null, reason: 'over' }, 0, 'not reached: over'],
  ])('%j after %s ms as %s', (step, now, text) => expect(describeStep(step, now)).toBe(text));
});

describe('workflow progress on a terminal', () => {
  const { isTTY, rows } = process.stderr;
  afterEach(() => {
    vi.restoreAllMocks();
    Object.assign(process.stderr, { isTTY, rows });
  });

  function written(height: number): string {
    Object.assign(process.stderr, { isTTY: true, rows: height });
    let text = '';
    vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
      text += chunk;
      return true;
    });
    const view = new WorkflowView(['first', 'b']);
    view.show({ step: 'first', status: 'running', reason: null, said: null, atMs: 0 });
    view.show({ step: 'first', status: 'done', reason: null, said: null, atMs: 5 });
    view[Symbol.dispose]();
    return text;
  }

  test('is one block with one line per step, none of which wraps', () => {
    expect(written(24).replaceAll(/\u001b\[\d+m/g, '')).toBe(
      '\u001b[?7l\r\u001b[K✔ first  done (5 ms)\n\r\u001b[K· b      waiting\n\u001b[?7h',
    );
  });

  test('is one line per change if the block is taller than the terminal', () => {
    expect(written(2)).toBe('first: running\nfirst: done (5 ms)\n');
  });
});
