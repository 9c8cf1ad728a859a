import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { CallRunner } from '../../src/calls/call-runner.ts';
import type { CallRun, RunningCall } from '../../src/calls/call-target.ts';
import { parseContext } from '../../src/calls/context.ts';
import type { Ending } from '../../src/calls/ending.ts';
import { LogBook } from '../../src/calls/logs.ts';
import { UNKNOWN_USAGE } from '../../src/calls/result.ts';
import { LurkboxError } from '../../src/errors.ts';
import { PluginManifestSchema } from '../../src/manifest/schema.ts';
import { MINIMAL } from '../manifest/sample.ts';
import { SCHEMA_CHECKER } from '../schemas/sample.ts';
import { GRANT } from '../spec/sample.ts';
import { admissionOf } from './admission/sample.ts';

const CONTEXT = parseContext({ inputData: { city: 'Rome' } });
const OK: Ending = { outcome: 'OK', result: 7 };

interface Stage {
  readonly runner: CallRunner;
  readonly admission: ReturnType<typeof admissionOf>;
  /** The steps that were asked for, in their order. */
  readonly steps: string[];
  /** Nothing of the call is left from now on. */
  readonly remove: () => void;
}

/** Something that runs calls and is no container. */
function stageOf({
  run: changes = {},
  manifest,
  concurrency = 1,
}: {
  readonly run?: Partial<CallRun>;
  readonly manifest?: object;
  readonly concurrency?: number;
} = {}): Stage {
  const steps: string[] = [];
  const removed = Promise.withResolvers<void>();
  const running: RunningCall = {
    logs: new LogBook(),
    ending: Promise.resolve(OK),
    usage: Promise.resolve(UNKNOWN_USAGE),
    removed: removed.promise,
    metadata: { sandbox: 'a fake' },
  };
  const run: CallRun = {
    prepare: () => null,
    acquire: () => null,
    isPrepared: () => true,
    giveBack: async () => {},
    start: () => running,
    ...changes,
  };
  const told = new Proxy(run, {
    get: (target, step: keyof CallRun) => {
      steps.push(step);
      return target[step];
    },
  });
  const admission = admissionOf({ concurrency });
  const runner = new CallRunner(
    {
      plugin: {
        manifest: PluginManifestSchema.parse({ ...MINIMAL, ...manifest }),
        digest: `sha256:${'d'.repeat(64)}`,
      },
      grant: GRANT,
      admission,
      schemaChecker: SCHEMA_CHECKER,
      notes: async () => [],
      takeWarnings: () => ['built just now'],
    },
    { open: () => told },
  );
  return { runner, admission, steps, remove: removed.resolve };
}

const untilAborted = (): Promise<never> => new Promise(() => {});

describe('a call through any sandbox', () => {
  test('goes through its steps in order, and its result reports them', async () => {
    const { runner, steps, remove } = stageOf();
    remove();
    expect(await runner.run(CONTEXT)).toMatchObject({
      plugin: MINIMAL.name,
      outcome: 'OK',
      result: 7,
      warnings: ['built just now'],
      metadata: { sandbox: 'a fake' },
    });
    expect(steps).toEqual(['prepare', 'acquire', 'isPrepared', 'start']);
  });

  test('holds its slot until nothing of it is left, and returns its result before that', async () => {
    const { runner, admission, remove } = stageOf();
    expect(await runner.run(CONTEXT)).toMatchObject({ outcome: 'OK' });
    expect(admission.held.running).toBe(1);
    let isSettled = false;
    const settled = runner.settled().then(() => {
      isSettled = true;
    });
    await delay(10);
    expect(isSettled).toBe(false);
    remove();
    await settled;
    expect(admission.held.running).toBe(0);
  });

  test('is prepared again, without a slot, when the preparation was lost', async () => {
    const looks = [false, true];
    const { runner, admission, steps, remove } = stageOf({
      run: {
        prepare: async () => expect(admission.held.running).toBe(0),
        isPrepared: async () => looks.shift() ?? true,
      },
    });
    remove();
    expect(await runner.run(CONTEXT)).toMatchObject({ outcome: 'OK' });
    expect(steps.filter((step) => step === 'prepare')).toHaveLength(2);
    expect(steps.filter((step) => step === 'start')).toHaveLength(1);
  });

  test('with invalid input gives back what it acquired, and starts nothing', async () => {
    const { runner, admission, steps } = stageOf({
      manifest: { input_schema: { type: 'object', required: ['town'] } },
    });
    expect(await runner.run(CONTEXT)).toMatchObject({ outcome: 'INPUT_INVALID' });
    expect(steps).toEqual(['prepare', 'acquire', 'isPrepared', 'giveBack']);
    expect(admission.held.running).toBe(0);
  });

  test('reports its result only after the check', async () => {
    let isJudged: boolean | null = null;
    const running = {
      logs: new LogBook(),
      ending: Promise.resolve(OK),
      usage: Promise.resolve(UNKNOWN_USAGE),
      removed: Promise.resolve(),
      metadata: {},
    };
    const { runner } = stageOf({
      manifest: { output_schema: { type: 'string' } },
      run: {
        start: (_slot, judged) => {
          isJudged = false;
          void judged?.then(() => {
            isJudged = true;
          });
          return running;
        },
      },
    });
    expect(await runner.run(CONTEXT)).toMatchObject({ outcome: 'OUTPUT_INVALID' });
    expect(isJudged).toBe(true);
  });

  test.each<[step: string, run: Partial<CallRun>]>([
    ['prepared', { prepare: () => Promise.reject(new LurkboxError('IMAGE_BUILD_FAILED', 'No image.')) }],
    ['looked at', { isPrepared: () => Promise.reject(new LurkboxError('IMAGE_BUILD_FAILED', 'No image.')) }],
    ['started', { start: () => Promise.reject(new LurkboxError('IMAGE_BUILD_FAILED', 'No image.')) }],
  ])('that fails while it is %s has that outcome and frees its slot', async (_step, run) => {
    const { runner, admission } = stageOf({ run });
    expect(await runner.run(CONTEXT)).toMatchObject({
      outcome: 'IMAGE_MISSING',
      error: { message: expect.stringContaining('No image.') },
    });
    await runner.settled();
    expect(admission.held).toMatchObject({ running: 0, waiting: 0 });
  });

  test.each<[step: string, run: Partial<CallRun>]>([
    ['prepared', { prepare: untilAborted }],
    ['looked at', { isPrepared: untilAborted }],
  ])('whose caller leaves while it is %s settles at once and frees its slot', async (_step, run) => {
    const { runner, admission } = stageOf({ run });
    const caller = new AbortController();
    const result = runner.run(CONTEXT, { signal: caller.signal });
    await delay(10);
    caller.abort();
    expect(await result).toMatchObject({ outcome: 'CANCELLED' });
    await runner.settled();
    expect(admission.held).toMatchObject({ running: 0, waiting: 0 });
  });
});
