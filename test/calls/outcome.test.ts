import { describe, expect, test } from 'vitest';
import { FAULT_OF, OUTCOMES, type Outcome, toOutcome } from '../../src/calls/outcome.ts';
import { type LurkboxErrorCode, SYSTEM_ERROR_CODES, USER_ERROR_CODES } from '../../src/errors.ts';

/** P1: a closed set. A red pin asks: is this deliberate? */
test('the list of outcomes is fixed', () => {
  expect(Object.keys(OUTCOMES)).toEqual([
    'OK',
    'PLUGIN_ERROR',
    'PLUGIN_CRASHED',
    'NO_RESULT',
    'TIMEOUT',
    'CANCELLED',
    'OUT_OF_MEMORY',
    'OUTPUT_LIMIT',
    'PROTOCOL_ERROR',
    'INPUT_INVALID',
    'OUTPUT_INVALID',
    'PERMISSION_DENIED',
    'PLUGIN_NOT_FOUND',
    'PLUGIN_DISABLED',
    'BUSY',
    'IMAGE_MISSING',
    'RUNTIME_UNAVAILABLE',
    'ENGINE_UNAVAILABLE',
    'ENGINE_TIMEOUT',
    'ENGINE_LOST',
    'ENGINE_INSECURE',
    'CONTAINER_VANISHED',
    'HOST_RESOURCES',
    'INTERNAL',
  ]);
});

/** What counts against a version, and how long is waited after it, follows from this. */
test('the blame for each outcome is fixed', () => {
  const outcomesOf = (who: string): string[] =>
    Object.entries(FAULT_OF).flatMap(([outcome, fault]) => (fault === who ? [outcome] : []));
  expect({
    nobody: outcomesOf('nobody'),
    plugin: outcomesOf('plugin'),
    caller: outcomesOf('caller'),
    engine: outcomesOf('engine'),
    lurkbox: outcomesOf('lurkbox'),
  }).toEqual({
    nobody: ['OK'],
    plugin: [
      'PLUGIN_ERROR',
      'PLUGIN_CRASHED',
      'NO_RESULT',
      'TIMEOUT',
      'OUT_OF_MEMORY',
      'OUTPUT_LIMIT',
      'PROTOCOL_ERROR',
      'OUTPUT_INVALID',
    ],
    caller: [
      'CANCELLED',
      'INPUT_INVALID',
      'PERMISSION_DENIED',
      'PLUGIN_NOT_FOUND',
      'PLUGIN_DISABLED',
      'BUSY',
    ],
    engine: [
      'IMAGE_MISSING',
      'RUNTIME_UNAVAILABLE',
      'ENGINE_UNAVAILABLE',
      'ENGINE_TIMEOUT',
      'ENGINE_LOST',
      'ENGINE_INSECURE',
      'CONTAINER_VANISHED',
      'HOST_RESOURCES',
    ],
    lurkbox: ['INTERNAL'],
  });
});

test.each(Object.entries(OUTCOMES))('%s has a meaning in whole sentences', (_outcome, meaning) => {
  expect(meaning).toMatch(/^[A-Z].*\.$/);
});

describe('the outcome of an execution that was ended by', () => {
  const expected: Record<LurkboxErrorCode, Outcome> = {
    MANIFEST_INVALID: 'IMAGE_MISSING',
    POLICY_INVALID: 'PERMISSION_DENIED',
    POLICY_DENIED: 'PERMISSION_DENIED',
    WORKFLOW_INVALID: 'INTERNAL',
    CONTEXT_INVALID: 'INPUT_INVALID',
    OPTIONS_INVALID: 'INTERNAL',
    PLUGIN_NOT_FOUND: 'PLUGIN_NOT_FOUND',
    REGISTRY_INVALID: 'INTERNAL',
    STATE_INVALID: 'INTERNAL',
    PLUGIN_BROKEN: 'PLUGIN_ERROR',
    REQUIREMENT_UNMET: 'PLUGIN_DISABLED',
    CONSENT_NEEDED: 'PERMISSION_DENIED',
    DEPENDENCY_FAILED: 'IMAGE_MISSING',
    ENGINE_UNAVAILABLE: 'ENGINE_UNAVAILABLE',
    ENGINE_TIMEOUT: 'ENGINE_TIMEOUT',
    ENGINE_LOST: 'ENGINE_LOST',
    ENGINE_INSECURE: 'ENGINE_INSECURE',
    ENGINE_ERROR: 'INTERNAL',
    RUNTIME_UNAVAILABLE: 'RUNTIME_UNAVAILABLE',
    IMAGE_MISSING: 'IMAGE_MISSING',
    IMAGE_BUILD_FAILED: 'IMAGE_MISSING',
    CONTAINER_VANISHED: 'CONTAINER_VANISHED',
    HOST_RESOURCES: 'HOST_RESOURCES',
    CANCELLED: 'CANCELLED',
    INTERNAL: 'INTERNAL',
  };

  test.each(Object.keys({ ...USER_ERROR_CODES, ...SYSTEM_ERROR_CODES }) as LurkboxErrorCode[])(
    '%s',
    (code) => {
      expect(toOutcome(code)).toBe(expected[code]);
    },
  );
});
