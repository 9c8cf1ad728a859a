import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createLurkbox,
  type Lurkbox,
  loadWorkflow,
  runWorkflow,
  type WorkflowDocument,
  type WorkflowOptions,
  type WorkflowPlugins,
} from '../../src/index.ts';
import { LABELS } from '../../src/labels.ts';
import { STEERING, startCli } from '../cli/run-cli.ts';
import { until } from '../helpers/until.ts';
import {
  createWorkspace,
  findByLabel,
  type Program,
  removeImagesOf,
  toContext,
  type Workspace,
} from '../helpers/workspace.ts';

const ROOT = join(import.meta.dirname, '../..');
const PROBE = 'workflow-probe';
const OTHER = 'workflow-other';
const CODE = `export const execute = ({ inputData: { program, args } }, host) => (0, eval)(program)(args, host);`;

let workspace: Workspace;
let lurkbox: Lurkbox;

beforeAll(async () => {
  workspace = await createWorkspace();
  await workspace.addPlugin(PROBE, { code: CODE });
  await workspace.addPlugin(OTHER, { code: CODE });
  // What waits beside a workflow is what it asks for itself.
  lurkbox = await createLurkbox({ workspaceRoot: workspace.root, policy: { warm: 0 } });
  await lurkbox.plugins.discoverAndLoadAll(workspace.root);
});
afterAll(async () => {
  await lurkbox.close();
  for (const name of [PROBE, OTHER]) await removeImagesOf(lurkbox, name);
  await workspace[Symbol.asyncDispose]();
});

/** A step that has a probe run a program. */
function step<Args>(program: Program<Args>, rest: object = {}, plugin = PROBE) {
  const { inputData } = toContext(program);
  return { plugin, input: { ...(inputData as object), args: null as unknown }, ...rest };
}

function run(document: Omit<WorkflowDocument, 'name'>, options: Partial<WorkflowOptions> = {}) {
  return runWorkflow({ name: 'test', ...document }, { plugins: lurkbox.plugins, ...options });
}

const untilNothingIsLeft = () =>
  until('no container is left', async () => {
    const left = [PROBE, OTHER].map(
      async (name) => (await findByLabel(`${LABELS.plugin}=${name}`)).containers,
    );
    return (await Promise.all(left)).flat().length === 0;
  });

const stay: Program = (_, host) => {
  host.progress(0.5, 'here');
  return new Promise(() => setInterval(() => {}, 1_000));
};

test('the example workflow runs on the example plugins, and steps after the mask see only masked text', async () => {
  await using examples = await createLurkbox({ workspaceRoot: workspace.root, maxWarm: 4 });
  await examples.plugins.discoverAndLoadAll(ROOT);
  const read = (file: string) => readFile(join(ROOT, 'examples', file), 'utf8');
  const workflow = await loadWorkflow(join(ROOT, 'examples/inbox.workflow.json'));
  const inputData = { message: await read('message.txt'), csv: await read('sales.csv') };
  const result = await runWorkflow(workflow, { plugins: examples.plugins, context: { inputData } });
  expect({ outcome: result.outcome, reason: result.reason }).toEqual({ outcome: 'OK', reason: null });
  expect(Object.values(result.steps).map(({ status }) => status)).toEqual(Array(5).fill('done'));
  expect(result.output).toMatchObject({
    text: expect.stringContaining('[EMAIL_1]'),
    masked: 5,
    tasks: expect.arrayContaining([
      expect.objectContaining({
        text: expect.stringContaining('Ada will send the corrected file to [EMAIL_1]'),
      }),
    ]),
    minutes: 1,
    table: expect.stringMatching(/^60 rows of 11 columns/),
  });
  expect(JSON.stringify(result.output)).not.toContain('lena.hoffmann@example.com');
});

test('branches run at the same time, and a cancel ends both and leaves nothing (P2)', async () => {
  const caller = new AbortController();
  const here = new Set<string>();
  const over: string[] = [];
  const result = await run(
    { steps: { left: step(stay), right: step(stay), joined: step(stay, { after: ['left', 'right'] }) } },
    {
      signal: caller.signal,
      onProgress: ({ step: name, status, said }) => {
        if (said !== null) here.add(name);
        else if (status !== 'running') over.push(name);
        // Each stays until it is cancelled: both are there now.
        if (here.size === 2 && over.length === 0) caller.abort();
      },
    },
  );
  expect([...here].sort()).toEqual(['left', 'right']);
  expect(result).toMatchObject({
    outcome: 'CANCELLED',
    steps: {
      left: { status: 'cancelled', result: { outcome: 'CANCELLED' } },
      right: { status: 'cancelled', result: { outcome: 'CANCELLED' } },
      joined: { status: 'not_reached', result: null },
    },
  });
  await untilNothingIsLeft();
});

test('a failure with the rule stop ends the parallel branch', async () => {
  const { outcome, reason, steps } = await run({
    steps: {
      long: step(stay),
      bad: step(() => {
        throw new Error('broken');
      }),
    },
  });
  expect({ outcome, reason }).toEqual({
    outcome: 'FAILED',
    reason: 'The step `bad` failed: PLUGIN_ERROR: Error: broken',
  });
  expect(steps['long']?.status).toBe('cancelled');
  await untilNothingIsLeft();
});

test('a failure with the rule continue affects only steps that need it', async () => {
  const give: Program<unknown> = (args) => ({ given: args });
  const { outcome, output, steps, warnings } = await run({
    steps: {
      bad: step(() => process.exit(3), { on_failure: 'continue' }),
      fine: step(() => ({ list: [1, 2, 3] })),
      needs: { ...step(give), input: { ...step(give).input, args: { $from: 'bad.result' } } },
      takes: {
        ...step(give),
        input: {
          ...step(give).input,
          args: [
            { $from: 'fine.result.list[2]' },
            { $from: 'bad.result', default: 'nothing' },
            { $from: 'bad.outcome', default: null },
          ],
        },
      },
    },
    output: { $from: 'takes.result.given' },
  });
  expect({ outcome, output }).toEqual({ outcome: 'OK', output: [3, 'nothing', 'PLUGIN_CRASHED'] });
  expect(steps['needs']).toMatchObject({ status: 'skipped', result: null });
  expect(warnings).toEqual([expect.stringContaining('`bad` failed')]);
});

test('the deadline of a step ends its plugin, and that of the workflow ends all of them (P4)', async () => {
  const burn: Program = () => {
    while (true);
  };
  const { outcome, steps } = await run({
    timeout_seconds: 3,
    steps: {
      short: step(burn, { timeout_seconds: 0.3, on_failure: 'continue' }),
      long: step(burn, { after: ['short'] }),
    },
  });
  expect(outcome).toBe('TIMEOUT');
  expect(steps).toMatchObject({
    short: { status: 'failed', result: { outcome: 'TIMEOUT' } },
    long: { status: 'cancelled' },
  });
  await untilNothingIsLeft();
});

test('a container for the next step is ready when the earlier one ends', async () => {
  let ready: Promise<unknown> = Promise.resolve();
  const plugins: WorkflowPlugins = {
    executePlugin: async (name, context, options) => {
      const result = await lurkbox.plugins.executePlugin(name, context, options);
      // A step that takes as long as the prewarming.
      if (name === PROBE) await ready;
      return result;
    },
    prewarm: (name, size) => {
      const answer = lurkbox.plugins.prewarm(name, size);
      if (size > 0) ready = answer;
      return answer;
    },
  };
  const { steps } = await run(
    { steps: { first: step(() => 1), next: step(() => 2, { after: ['first'] }, OTHER) } },
    { plugins },
  );
  expect(steps['first']?.result?.metadata).toMatchObject({ sandbox: 'cold' });
  expect(steps['next']?.result?.metadata).toMatchObject({ sandbox: 'warm' });
  await untilNothingIsLeft();
});

test('a container that waits for a skipped step is ended', async () => {
  const { statuses } = await run({
    steps: {
      first: step(() => 1),
      next: step(() => 2, { when: { $from: 'first.result', equals: 2 } }, OTHER),
    },
  }).then(({ steps }) => ({ statuses: Object.values(steps).map(({ status }) => status) }));
  expect(statuses).toEqual(['done', 'skipped']);
  await untilNothingIsLeft();
});

describe('workflow run', () => {
  const file = async (steps: object, rest: object = {}) => {
    await writeFile(join(workspace.root, 'flow.json'), JSON.stringify({ name: 'flow', steps, ...rest }));
    return 'flow.json';
  };
  const start = (args: readonly string[]) => startCli(['workflow', 'run', ...args], { cwd: workspace.root });

  test('--json prints the result and nothing else on stdout, and each change on stderr', async () => {
    const document = await file(
      { one: step(() => 1), two: step(() => 2, { after: ['one'] }, OTHER) },
      { output: { sum: [{ $from: 'one.result' }, { $from: 'two.result' }, { $from: 'input.x' }] } },
    );
    const { exitCode, stdout, stderr } = await start([document, '--json', '--input', '{"x":3}']).end;
    expect(exitCode).toBe(0);
    expect(stdout.match(/\n/g)).toHaveLength(1);
    expect(JSON.parse(stdout)).toMatchObject({
      workflow: 'flow',
      outcome: 'OK',
      output: { sum: [1, 2, 3] },
      steps: { one: { status: 'done', result: { outcome: 'OK' } }, two: { status: 'done' } },
    });
    // Before that the images are built, or are there.
    expect(stderr.replaceAll(/\([\d.]+ m?s\)/g, '(t)')).toMatch(
      /one: running\none: done \(t\)\ntwo: running\ntwo: done \(t\)\n$/,
    );
    await untilNothingIsLeft();
  });

  test('shows the output and a table of the steps, exits with 1 if it is not OK, and escapes control characters', async () => {
    const document = await file({
      spit: step(() => {
        throw new Error('\u001b[31mred\r\u202e');
      }),
      later: step(() => 1, { after: ['spit'] }),
    });
    const { exitCode, stdout, stderr } = await start([document]).end;
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /^✖ flow FAILED in .*\n {2}The step `spit` failed: PLUGIN_ERROR: Error: \\u001b\[31mred/,
    );
    expect(stdout).toMatch(/^step +plugin +status +from +to +why$/m);
    expect(stdout).toMatch(/^later +workflow-probe +not_reached +– /m);
    for (const text of [stdout, stderr]) expect(text).not.toMatch(STEERING);
  });

  test('is cancelled by SIGINT, prints the result, and leaves nothing (P2)', async () => {
    const document = await file({ long: step(stay), later: step(() => 1, { after: ['long'] }, OTHER) });
    const running = start([document, '--json']);
    const { promise: begun, resolve } = Promise.withResolvers<void>();
    running.process.stderr?.on('data', (chunk) => String(chunk).includes('long: running') && resolve());
    await Promise.race([begun, running.end]);
    running.process.kill('SIGINT');
    const { exitCode, stdout } = await running.end;
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      outcome: 'CANCELLED',
      steps: { long: { status: 'cancelled' }, later: { status: 'not_reached' } },
    });
    for (const name of [PROBE, OTHER])
      expect(await findByLabel(`${LABELS.plugin}=${name}`)).toEqual({ containers: [], networks: [] });
  });
});
