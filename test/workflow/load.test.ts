import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LurkboxError } from '../../src/errors.ts';
import { loadWorkflow, parseWorkflow } from '../../src/workflow/load.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lurkbox-workflow-'));
});
afterAll(() => rm(folder, { recursive: true }));

const SMALL = { name: 'small', steps: { one: { plugin: 'echo' } } };

function problemsOf(document: object): { path: string; message: string }[] {
  try {
    parseWorkflow(document as never);
  } catch (error) {
    expect((error as LurkboxError).code).toBe('WORKFLOW_INVALID');
    return [...(error as LurkboxError).problems];
  }
  return expect.fail('the workflow was accepted');
}

const steps = (written: object, rest: object = {}) => ({ name: 'x', steps: written, ...rest });

test('the smallest workflow gets its defaults', () => {
  expect(parseWorkflow(SMALL)).toEqual({
    name: 'small',
    input: {},
    timeout_seconds: 300,
    steps: { one: { plugin: 'echo', input: {}, config: {}, after: [], on_failure: 'stop' } },
    output: null,
  });
});

test('a parsed workflow can be parsed again', () => {
  const workflow = parseWorkflow(SMALL);
  expect(parseWorkflow(workflow)).toEqual(workflow);
});

describe('a workflow is refused with', () => {
  test.each<[string, object, string, RegExp]>([
    ['no steps', steps({}), 'steps', /1 to 100/],
    [
      'more than 100 steps',
      steps(Object.fromEntries(Array.from({ length: 101 }, (_, at) => [`s${at}`, { plugin: 'echo' }]))),
      'steps',
      /1 to 100/,
    ],
    ['a step named input', steps({ input: { plugin: 'echo' } }), 'steps.input', /another name than "input"/],
    [
      'a step named like a prototype',
      steps({ constructor: { plugin: 'echo' } }),
      'steps.constructor',
      /wrong key/,
    ],
    ['a plugin that is a path', steps({ a: { plugin: './echo' } }), 'steps.a.plugin', /name of a plugin/],
    ['a range that is none', steps({ a: { plugin: 'echo@new' } }), 'steps.a.plugin', /range of versions/],
    ['retries', steps({ a: { plugin: 'echo', retries: 3 } }), 'steps.a.retries', /unknown key/],
    [
      'a typo',
      steps({ a: { plugin: 'echo', on_failur: 'stop' } }),
      'steps.a.on_failur',
      /did you mean `on_failure`/,
    ],
    ['no deadline', steps({ a: { plugin: 'echo' } }, { timeout_seconds: 0 }), 'timeout_seconds', /0.001/],
    [
      'a step with more time than all have',
      steps({ a: { plugin: 'echo', timeout_seconds: 20 } }, { timeout_seconds: 10 }),
      'steps.a.timeout_seconds',
      /at most the 10 s of the whole workflow, got 20 s/,
    ],
    [
      'a reference to a step that is not there',
      steps({ a: { plugin: 'echo', input: { deep: [{ $from: 'b.result' }] } } }),
      'steps.a.input.deep[0].$from',
      /expected "input" or a step \(a\), got "b"/,
    ],
    [
      'a reference to what a step does not have',
      steps({ a: { plugin: 'echo' }, b: { plugin: 'echo', input: { $from: 'a.logs' } } }),
      'steps.b.input.$from',
      /expected "a.result", something in it, or "a.outcome", got "a.logs"/,
    ],
    [
      'a reference into an outcome',
      steps({ a: { plugin: 'echo' } }, { output: { $from: 'a.outcome.length' } }),
      'output.$from',
      /got "a.outcome.length"/,
    ],
    [
      'a path that is none',
      steps({ a: { plugin: 'echo', input: { $from: 'input..x' } } }),
      'steps.a.input.$from',
      /expected a path/,
    ],
    [
      'a path to a prototype',
      steps({ a: { plugin: 'echo', input: { $from: 'input.__proto__.x' } } }),
      'steps.a.input.$from',
      /expected a path/,
    ],
    [
      'a reference that is none',
      steps({ a: { plugin: 'echo', input: { $from: 1 } } }),
      'steps.a.input.$from',
      /expected a path/,
    ],
    [
      'a reference with more in it',
      steps({ a: { plugin: 'echo', config: { x: { $from: 'input.a', defualt: 1 } } } }),
      'steps.a.config.x.defualt',
      /did you mean `default`/,
    ],
    [
      'a reference in a default',
      steps({ a: { plugin: 'echo', default: { $from: 'input.x' } } }),
      'steps.a.default',
      /plain value/,
    ],
    [
      'a reference in the default input',
      steps({ a: { plugin: 'echo' } }, { input: { x: { $from: 'input.y' } } }),
      'input.x',
      /plain value/,
    ],
    [
      'an order after nothing',
      steps({ a: { plugin: 'echo', after: ['z'] } }),
      'steps.a.after',
      /expected steps \(a\), got "z"/,
    ],
    ['a step after itself', steps({ a: { plugin: 'echo', after: ['a'] } }), 'steps', /a → a$/],
    [
      'a circle, by its path',
      steps({
        c: { plugin: 'echo', input: { $from: 'a.result' } },
        a: { plugin: 'echo', when: { $from: 'b.outcome', equals: 'OK' } },
        b: { plugin: 'echo', after: ['a'] },
      }),
      'steps',
      /wait for each other: a → b → a$/,
    ],
    [
      'a condition without a test',
      steps({ a: { plugin: 'echo', when: { $from: 'input.x' } } }),
      'steps.a.when',
      /one of `equals`/,
    ],
    [
      'a condition with two tests',
      steps({ a: { plugin: 'echo', when: { $from: 'input.x', equals: 1, in: [1] } } }),
      'steps.a.when',
      /one of `equals`/,
    ],
    [
      'a combination beside a test',
      steps({ a: { plugin: 'echo', when: { all: [], equals: 1 } } }),
      'steps.a.when',
      /one of `equals`/,
    ],
    [
      'a comparison with an object',
      steps({ a: { plugin: 'echo', when: { $from: 'input.x', equals: {} } } }),
      'steps.a.when.equals.$from',
      /is missing: expected a path/,
    ],
    [
      'a wrong reference deep in a condition',
      steps({ a: { plugin: 'echo', when: { any: [{ not: { $from: 'z.outcome', exists: true } }] } } }),
      'steps.a.when.any[0].not.$from',
      /expected "input" or a step/,
    ],
    [
      'an output that may not be there',
      steps(
        { a: { plugin: 'echo', when: { $from: 'input.x', exists: true } } },
        { output: { b: { $from: 'a.result' } } },
      ),
      'output.b',
      /expected a `default`: the workflow may go on without `a`/,
    ],
    [
      'an output that may not be there because of what a step depends on',
      steps(
        {
          a: { plugin: 'echo', on_failure: 'skip_dependents' },
          b: { plugin: 'echo', after: ['a'] },
          c: { plugin: 'echo', input: { $from: 'b.result' } },
        },
        { output: { $from: 'c.result' } },
      ),
      'output',
      /without `c`/,
    ],
  ])('%s', (_, document, path, message) => {
    const problems = problemsOf(document);
    expect(problems).toContainEqual({ path, message: expect.stringMatching(message) });
  });

  test('every problem at once', () => {
    expect(
      problemsOf(steps({ a: { plugin: 'echo', input: { $from: 'y.result' }, after: ['z'] } })).map(
        ({ path }) => path,
      ),
    ).toEqual(['steps.a.input.$from', 'steps.a.after']);
  });

  test('more than 1000 references', () => {
    const input = Array.from({ length: 1001 }, () => ({ $from: 'input.x' }));
    expect(problemsOf(steps({ a: { plugin: 'echo', input } }))).toEqual([
      { path: '', message: 'expected at most 1000 references, got 1001' },
    ]);
  });

  test('a value nested too deeply, a prototype key, and a value that is not JSON', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 100; level++) deep = [deep];
    const circular: Record<string, unknown> = { name: 'x' };
    circular['steps'] = circular;
    for (const document of [
      steps({ a: { plugin: 'echo', input: deep } }),
      JSON.parse('{ "name": "x", "steps": { "a": { "plugin": "echo", "input": { "__proto__": 1 } } } }'),
      circular,
      undefined,
      { ...SMALL, description: 'x'.repeat(300 * 1024) },
    ]) {
      expect(() => parseWorkflow(document)).toThrow(expect.objectContaining({ code: 'WORKFLOW_INVALID' }));
    }
  });
});

test.each<[string, object]>([
  ['a default of the reference', { output: { $from: 'a.result.x', default: null } }],
  ['the outcome with a default', { output: { $from: 'a.outcome', default: 'none' } }],
])('an output that may be missing is accepted with %s', (_, rest) => {
  expect(() =>
    parseWorkflow(steps({ a: { plugin: 'echo', on_failure: 'continue' } }, rest) as never),
  ).not.toThrow();
});

test('an output that may be missing is accepted with a default of the step', () => {
  const a = { plugin: 'echo', on_failure: 'continue' as const, default: null };
  expect(() => parseWorkflow({ name: 'x', steps: { a }, output: { $from: 'a.result' } })).not.toThrow();
});

describe('a workflow file', () => {
  const write = async (content: string) => {
    const file = join(folder, 'workflow.json');
    await writeFile(file, content);
    return file;
  };

  test('is read, even through a link', async () => {
    const file = await write(JSON.stringify(SMALL));
    await symlink(file, join(folder, 'link.json'));
    expect(await loadWorkflow(join(folder, 'link.json'))).toEqual(parseWorkflow(SMALL));
  });

  test.each<[string, string, RegExp]>([
    ['no JSON', '{', /not valid JSON/],
    ['a key twice', '{ "name": "a", "name": "b" }', /stands here twice/],
    ['a prototype key', '{ "name": "a", "steps": { "__proto__": {} } }', /__proto__/],
  ])('with %s is refused', async (_, content, message) => {
    await expect(loadWorkflow(await write(content))).rejects.toMatchObject({
      code: 'WORKFLOW_INVALID',
      problems: expect.arrayContaining([
        expect.objectContaining({ message: expect.stringMatching(message) }),
      ]),
    });
  });

  test.each([
    ['that is not there', 'none.json'],
    ['that is a folder', '.'],
  ])('%s is refused', async (_, path) => {
    await expect(loadWorkflow(join(folder, path))).rejects.toThrow(/cannot be read/);
  });

  test('larger than 256 KiB is refused', async () => {
    await expect(loadWorkflow(await write(' '.repeat(257 * 1024)))).rejects.toThrow(/larger than 256 KiB/);
  });
});
