import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { LurkboxError } from '../src/errors.ts';
import { type Logger, SILENT_LOGGER } from '../src/logger.ts';
import { type LurkboxConfig, type LurkboxOptions, normalizeOptions } from '../src/options.ts';

test('every option is optional, and the defaults are fixed', () => {
  expect(normalizeOptions()).toEqual({
    workspaceRoot: process.cwd(),
    persist: true,
    policy: undefined,
    logger: SILENT_LOGGER,
    concurrency: 16,
    maxQueue: 1000,
    maxMemoryMb: undefined,
    maxCpuCores: Number.POSITIVE_INFINITY,
    maxWarm: 32,
    maxWarmMemoryMb: 4096,
    maxWarmSeconds: 300,
    maxReused: 32,
    maxReusedPerPlugin: 16,
    onImageProgress: expect.any(Function),
    env: process.env,
  });
});

describe('an option is accepted:', () => {
  const onImageProgress = (): void => {};

  test.each<[string, LurkboxOptions, Partial<LurkboxConfig>]>([
    ['a folder, made absolute', { workspaceRoot: 'a/../b' }, { workspaceRoot: resolve('b') }],
    ['a policy by its path', { policy: 'p.json' }, { policy: 'p.json' }],
    ['a policy itself', { policy: { allow: {} } }, { policy: { allow: {} } }],
    ['the smallest concurrency', { concurrency: 1 }, { concurrency: 1 }],
    ['the largest concurrency', { concurrency: 1024 }, { concurrency: 1024 }],
    ['no queue at all', { maxQueue: 0 }, { maxQueue: 0 }],
    ['a listener', { onImageProgress }, { onImageProgress }],
    [
      'an environment in place of that of the process',
      { env: { DOCKER_HOST: 'x' } },
      { env: { DOCKER_HOST: 'x' } },
    ],
  ])('%s', (_title, options, expected) => {
    expect(normalizeOptions(options)).toMatchObject(expected);
  });
});

describe('a logger', () => {
  test('gets every line and its facts, and so do its children', () => {
    const told: unknown[] = [];
    const tell = (facts: object, message: string): void => void told.push([facts, message]);
    const recorder: Logger = { debug: tell, info: tell, warn: tell, error: tell, child: () => recorder };
    const { logger } = normalizeOptions({ logger: recorder });
    logger.warn({ a: 1 }, 'first');
    logger.child({ b: 2 }).error({ c: 3 }, 'second');
    expect(told).toEqual([
      [{ a: 1 }, 'first'],
      [{ c: 3 }, 'second'],
    ]);
  });

  test('that throws changes nothing', () => {
    const fail = (): never => {
      throw new Error('no disk');
    };
    const { logger } = normalizeOptions({
      logger: { debug: fail, info: fail, warn: fail, error: fail, child: fail },
    });
    for (const method of ['debug', 'info', 'warn', 'error'] as const)
      expect(() => logger.child({}).child({})[method]({}, 'm')).not.toThrow();
  });
});

describe('an option is refused:', () => {
  test.each<[string, unknown, string]>([
    ['concurrency', 0, 'expected a whole number from 1 to 1024, got 0'],
    ['concurrency', 1025, 'expected a whole number from 1 to 1024, got 1025'],
    ['concurrency', 1.5, 'expected a whole number from 1 to 1024, got 1.5'],
    ['concurrency', Number.NaN, 'expected a whole number from 1 to 1024, got NaN'],
    ['concurrency', '4', 'expected a whole number from 1 to 1024, got 4'],
    ['maxMemoryMb', 0, 'expected a whole number from 1 to 1073741824, got 0'],
    ['maxCpuCores', 0, 'expected a number above 0, got 0'],
    ['maxWarm', -1, 'expected a whole number from 0 to 1024, got -1'],
    ['maxWarmSeconds', 0, 'expected a whole number from 1 to 86400, got 0'],
    ['maxReused', 0, 'expected a whole number from 1 to 1024, got 0'],
    ['maxReusedPerPlugin', 33, 'expected a whole number from 1 to 32, got 33'],
    ['maxCpuCores', Number.NaN, 'expected a number above 0, got NaN'],
    ['maxQueue', -1, 'expected a whole number from 0 to 1000000, got -1'],
    ['maxQueue', Number.POSITIVE_INFINITY, 'expected a whole number from 0 to 1000000, got Infinity'],
    ['logger', {}, 'expected a pino-shaped logger; it has no debug, info, warn, error, child'],
    ['logger', console, 'expected a pino-shaped logger; it has no child'],
    [
      'workspace',
      '.',
      'unknown option; known are workspaceRoot, persist, policy, logger, concurrency, maxQueue, maxMemoryMb, maxCpuCores, maxWarm, maxWarmMemoryMb, maxWarmSeconds, maxReused, maxReusedPerPlugin, onImageProgress, env',
    ],
  ])('`%s` as %s', (field, value, message) => {
    expect(problemsOf({ [field]: value })).toEqual([{ path: field, message }]);
  });

  test('an option named like an inherited property, by that name', () => {
    expect(problemsOf({ toString: 1 })).toEqual([
      { path: 'toString', message: expect.stringContaining('unknown option') },
    ]);
  });

  test('all problems at once', () => {
    expect(problemsOf({ concurrency: 0, maxQueue: -1, logger: {} })).toHaveLength(3);
  });
});

test('the config cannot be changed', () => {
  expect(() => Object.assign(normalizeOptions(), { concurrency: 2 })).toThrow(TypeError);
});

describe('an option of an earlier version', () => {
  const warned: unknown[] = [];
  const logger: Logger = { ...SILENT_LOGGER, warn: (...facts: unknown[]) => warned.push(facts) };

  test('is accepted, with one warning that names the new one', () => {
    expect(normalizeOptions({ maxKept: 4, logger })).toMatchObject({ maxReused: 4, maxReusedPerPlugin: 4 });
    expect(warned.splice(0)).toEqual([
      [{ option: 'maxKept', now: 'maxReused' }, 'an option has another name now'],
    ]);
  });

  test('beside the new one is refused', () => {
    expect(problemsOf({ maxKept: 4, maxReused: 4 })).toEqual([
      { path: 'maxKept', message: 'is the earlier name of `maxReused`, which is given too; leave it out' },
    ]);
  });

  test('that is not defined is not given, and neither is such a new one', () => {
    const only = (options: object) => normalizeOptions({ logger, ...options });
    expect(only({ maxKept: undefined, maxReused: 4 })).toMatchObject({ maxReused: 4 });
    expect(only({ maxKept: 4, maxReused: undefined })).toMatchObject({ maxReused: 4 });
    warned.splice(0);
  });

  test('without effect is ignored, with one warning', () => {
    expect(normalizeOptions({ maxParked: 4, logger })).not.toHaveProperty('maxParked');
    expect(warned.splice(0)).toEqual([
      [expect.objectContaining({ option: 'maxParked' }), 'an option has no effect any more; leave it out'],
    ]);
  });
});

function problemsOf(options: object): readonly unknown[] {
  try {
    normalizeOptions(options);
    return [];
  } catch (error) {
    expect(error).toMatchObject({ code: 'OPTIONS_INVALID' });
    return (error as LurkboxError).problems;
  }
}
