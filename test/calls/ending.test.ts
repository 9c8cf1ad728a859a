import { describe, expect, test } from 'vitest';
import {
  endingOfError,
  endingOfExit,
  endingOfResponse,
  failed,
  tellsHeapIsFull,
} from '../../src/calls/ending.ts';
import { OUTCOMES } from '../../src/calls/outcome.ts';
import type { ContainerExit } from '../../src/engine/engine.ts';
import { LurkboxError } from '../../src/errors.ts';
import { MIB } from '../spec/sample.ts';

describe('an exit', () => {
  test.each<[string, Partial<ContainerExit>, boolean, string, RegExp]>([
    ['with code 0', {}, false, 'NO_RESULT', /exit code 0/],
    ['with code 1', { exitCode: 1 }, false, 'PLUGIN_CRASHED', /exit code 1\./],
    ['by SIGABRT', { exitCode: 134 }, false, 'PLUGIN_CRASHED', /134 \(SIGABRT\)/],
    ['by SIGKILL', { exitCode: 137 }, false, 'PLUGIN_CRASHED', /137 \(SIGKILL\)/],
    ['by SIGSEGV', { exitCode: 139 }, false, 'PLUGIN_CRASHED', /139 \(SIGSEGV\)/],
    ['by its CPU limit', { exitCode: 152 }, false, 'PLUGIN_CRASHED', /152 \(SIGXCPU\)/],
    ['by its file size limit', { exitCode: 153 }, false, 'PLUGIN_CRASHED', /153 \(SIGXFSZ\)/],
    [
      'with words of the engine',
      { exitCode: 127, error: 'no such file' },
      false,
      'PLUGIN_CRASHED',
      /127: no such file/,
    ],
    ['by the kernel', { exitCode: 137, outOfMemory: true }, false, 'OUT_OF_MEMORY', /limit of 96 MB/],
    [
      'with code 0 after the kernel ended a child',
      { outOfMemory: true },
      false,
      'OUT_OF_MEMORY',
      /limit of 96 MB/,
    ],
    [
      'by the engine',
      { exitCode: 137, endedByEngine: true },
      false,
      'ENGINE_LOST',
      /engine ended the container/,
    ],
    [
      'under an engine that was killed',
      { exitCode: 255, endedByEngine: true },
      false,
      'ENGINE_LOST',
      /restarted.*look at its log/,
    ],
    ['with a full heap', { exitCode: 134 }, true, 'OUT_OF_MEMORY', /heap of V8/],
    ['with code 0 and words about a full heap', {}, true, 'NO_RESULT', /exit code 0/],
    ['with code 255 of its own', { exitCode: 255 }, false, 'PLUGIN_CRASHED', /exit code 255/],
  ])('%s', (_title, exit, heapWasFull, outcome, message) => {
    const complete = { exitCode: 0, outOfMemory: false, endedByEngine: false, error: '', ...exit };
    expect(endingOfExit(complete, 96 * MIB, { heapWasFull, wasCut: false, hasRun: true })).toMatchObject({
      outcome,
      error: { code: outcome, message: expect.stringMatching(message), stack: null },
    });
  });
});

const EXIT = { exitCode: 0, outOfMemory: false, endedByEngine: false, error: '' };
const NOTHING = { heapWasFull: false, wasCut: false, hasRun: true };

test.each(Array.from({ length: 256 }, (_, exitCode) => exitCode))(
  'an exit of the plugin with code %i is never blamed on the engine',
  (exitCode) => {
    const { outcome } = endingOfExit({ ...EXIT, exitCode }, 96 * MIB, NOTHING);
    expect(outcome).toBe(exitCode === 0 ? 'NO_RESULT' : 'PLUGIN_CRASHED');
  },
);

test('a container that ends as if its input had been closed says so', () => {
  expect(endingOfExit({ ...EXIT, exitCode: 85 }, 96 * MIB, NOTHING)).toMatchObject({
    outcome: 'PLUGIN_CRASHED',
    error: { message: expect.stringContaining('exit code 85 (as if its input had been closed)') },
  });
});

test('a runner that exits before any code of the plugin ran counts as lost', () => {
  const evidence = { ...NOTHING, hasRun: false };
  expect(endingOfExit({ ...EXIT, exitCode: 85 }, 96 * MIB, evidence).outcome).toBe('ENGINE_LOST');
  expect(endingOfExit({ ...EXIT, exitCode: 1 }, 96 * MIB, evidence).outcome).toBe('PLUGIN_CRASHED');
});

test.each([0, 85, 255])(
  'a container that ends with code %i after its connection was cut counts as lost with the engine',
  (exitCode) => {
    expect(endingOfExit({ ...EXIT, exitCode }, 96 * MIB, { ...NOTHING, wasCut: true })).toMatchObject({
      outcome: 'ENGINE_LOST',
      error: { message: expect.stringContaining('The connection to the container broke') },
    });
  },
);

test.each([
  [true, 'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory'],
  [
    true,
    'FATAL ERROR: Ineffective mark-compacts near heap limit Allocation failed - JavaScript heap out of memory',
  ],
  [true, 'FATAL ERROR: invalid table size Allocation failed - JavaScript heap out of memory'],
  [false, 'RangeError: Invalid array length'],
  [false, ''],
])('a full heap is recognized (%s) by: %s', (full, line) => {
  expect(tellsHeapIsFull(line)).toBe(full);
});

describe('a response', () => {
  test.each<[string, object, object]>([
    [
      'of a plugin that threw',
      { code: -32001, message: 'm' },
      { code: 'PLUGIN_ERROR', message: 'm', stack: null },
    ],
    [
      'with name and stack',
      { code: -32001, message: 'm', data: { name: 'TypeError', stack: 's' } },
      { code: 'PLUGIN_ERROR', message: 'TypeError: m', stack: 's' },
    ],
    [
      'with an empty name and stack',
      { code: -32001, message: 'm', data: { name: '', stack: '' } },
      { code: 'PLUGIN_ERROR', message: 'm', stack: null },
    ],
    ['of a plugin that cannot be loaded', { code: -32002, message: 'm' }, { code: 'PLUGIN_ERROR' }],
    ['of a result that is no JSON', { code: -32004, message: 'm' }, { code: 'PLUGIN_ERROR' }],
    ['with a code that a plugin made up', { code: 0, message: 'ENGINE_LOST' }, { code: 'PLUGIN_ERROR' }],
    [
      'without a result',
      { code: -32003, message: 'm' },
      { code: 'NO_RESULT', message: `m. ${OUTCOMES.NO_RESULT}` },
    ],
  ])('%s', (_title, response, error) => {
    const ending = endingOfResponse({ kind: 'error', ...response } as Parameters<typeof endingOfResponse>[0]);
    expect(ending).toMatchObject({ outcome: (error as { code: string }).code, error });
  });
});

describe('details of an error of a plugin', () => {
  const detailsOf = (details: unknown): unknown => {
    const ending = endingOfResponse({
      kind: 'error',
      id: 1,
      code: -32001,
      message: 'm',
      data: { name: 'E', details },
    });
    return ending.outcome === 'OK' ? undefined : ending.error.details;
  };

  test('are passed on unchanged when they are small and harmless', () => {
    const details = { code: 'E', cause: { stack: 'one\n    at two' }, list: [1, null, true, 'ü'] };
    expect(detailsOf(details)).toEqual(details);
    expect(detailsOf(undefined)).toBeNull();
  });

  test('have their control characters escaped', () => {
    expect(detailsOf({ 'a\n\u202e': ['\u001b[2J'] })).toEqual({ 'a\\u000a\\u202e': ['\\u001b[2J'] });
  });

  test.each([
    ['a long text', '\u0001'.repeat(1_000_000)],
    ['many texts', Array(50_000).fill('\u{e0041}')],
    ['many members', Object.fromEntries(Array.from({ length: 50_000 }, (_, key) => [`key ${key}`, 0]))],
    ['a long key', { ['k'.repeat(1_000_000)]: 1 }],
  ])('are cut as text when they hold %s', (_title, details) => {
    const cut = detailsOf(details);
    expect(cut).toMatch(/^["[{].*… \(\d+ characters\)$/);
    expect((cut as string).length).toBeLessThan(40_100);
  });
});

describe('a failure', () => {
  test('with an error of lurkbox keeps its code and its problems, but no stack', () => {
    const problems = [{ path: 'HostConfig.Binds', message: 'expected [], got ["/:/host"]' }];
    expect(endingOfError(new LurkboxError('IMAGE_BUILD_FAILED', 'No disk.', { problems }))).toEqual({
      outcome: 'IMAGE_MISSING',
      error: {
        code: 'IMAGE_BUILD_FAILED',
        message: 'No disk.\n  - `HostConfig.Binds`: expected [], got ["/:/host"]',
        stack: null,
        details: null,
        hint: null,
      },
    });
  });

  test.each([
    [
      'an error of JavaScript',
      new TypeError('x is not a function'),
      'A fault in lurkbox itself. x is not a function',
    ],
    ['a thrown text', 'text', 'A fault in lurkbox itself. text'],
    ['nothing', undefined, 'A fault in lurkbox itself. undefined'],
  ])('with %s is INTERNAL', (_title, thrown, message) => {
    expect(endingOfError(thrown)).toMatchObject({
      outcome: 'INTERNAL',
      error: { code: 'INTERNAL', message },
    });
  });
});

test('the sentence of an outcome stands alone or after what happened', () => {
  expect(failed('BUSY', '')).toMatchObject({ error: { message: OUTCOMES.BUSY } });
  expect(failed('BUSY', '3 wait')).toMatchObject({ error: { message: `3 wait. ${OUTCOMES.BUSY}` } });
});
