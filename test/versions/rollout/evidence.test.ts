import { describe, expect, test } from 'vitest';
import { parseContext } from '../../../src/calls/context.ts';
import { OUTCOMES, type Outcome } from '../../../src/calls/outcome.ts';
import { PluginManifestSchema } from '../../../src/manifest/schema.ts';
import type { InstalledVersion } from '../../../src/versions/registry/record.ts';
import { type CallOutcome, judgeCall, type Probe } from '../../../src/versions/rollout/evidence.ts';
import { MINIMAL } from '../../manifest/sample.ts';

const versionOf = (id: number): InstalledVersion => ({
  id,
  name: 'one',
  version: `${id}.0.0`,
  digest: `sha256:${'0'.repeat(64)}`,
  content: `sha256:${'0'.repeat(64)}`,
  lock: null,
  folder: 'plugins/one',
  origin: { kind: 'folder', path: '/one' },
  manifest: PluginManifestSchema.parse(MINIMAL),
  state: 'LOADED',
  reason: null,
  installedAt: '2026-01-01T00:00:00.000Z',
  statistics: { calls: 10, failures: 0, totalMs: 5_000, lastCallAt: null },
});
const [BEFORE, NEW] = [versionOf(1), versionOf(2)];

/** A new version that refuses every call, and cannot be built; the one before takes them all. */
const TAKES_ALL: Probe = { refuses: async ({ id }) => id === NEW.id, hasImage: async () => true };
/** The one before would be no better. */
const TAKES_NONE: Probe = { refuses: async () => true, hasImage: async () => false };
/** What was refused was not refused by the version. */
const REFUSES_NONE: Probe = { refuses: async () => false, hasImage: async () => true };

function callOf(
  outcome: Outcome,
  { code = outcome as string, runMs = 0, isShort = false } = {},
): CallOutcome {
  const phases = { queueMs: 0, createMs: 0, startMs: 0, bootMs: 0, runMs, teardownMs: null };
  return {
    context: parseContext({}),
    result: { outcome, error: { code, message: '', stack: null, details: null, hint: null }, phases },
    isShort,
  };
}

const ALL = Object.keys(OUTCOMES) as Outcome[];
const OF_THE_PLUGIN: readonly Outcome[] = [
  'PLUGIN_ERROR',
  'PLUGIN_CRASHED',
  'NO_RESULT',
  'TIMEOUT',
  'OUT_OF_MEMORY',
  'OUTPUT_LIMIT',
  'PROTOCOL_ERROR',
  'OUTPUT_INVALID',
];

test.each(ALL)('%s counts against a version by itself only if the plugin failed', async (outcome) => {
  const expected = outcome === 'OK' ? false : OF_THE_PLUGIN.includes(outcome) ? true : null;
  expect(await judgeCall(NEW, callOf(outcome), [], TAKES_ALL)).toBe(expected);
  expect(await judgeCall(NEW, callOf(outcome), [BEFORE], TAKES_NONE)).toBe(expected);
});

describe('a failure from what a version asks for', () => {
  test.each<Outcome>(['INPUT_INVALID', 'PERMISSION_DENIED', 'HOST_RESOURCES'])(
    'by %s counts when the earlier version would have taken the call',
    async (outcome) => {
      expect(await judgeCall(NEW, callOf(outcome), [BEFORE], TAKES_ALL)).toBe(true);
      expect(await judgeCall(NEW, callOf(outcome), [BEFORE], REFUSES_NONE)).toBeNull();
    },
  );

  test.each([
    ['DEPENDENCY_FAILED', true],
    ['IMAGE_BUILD_FAILED', true],
    ['MANIFEST_INVALID', true],
    ['IMAGE_MISSING', null],
  ])(
    'by an image that is missing because of %s counts (%s) when the earlier version has its image',
    async (code, expected) => {
      expect(await judgeCall(NEW, callOf('IMAGE_MISSING', { code }), [BEFORE], TAKES_ALL)).toBe(expected);
      expect(await judgeCall(NEW, callOf('IMAGE_MISSING', { code }), [BEFORE], TAKES_NONE)).toBeNull();
    },
  );
});

test('faults of the engine and its host count against no version', async () => {
  const outcomes = ALL.filter((outcome) => /^(ENGINE|RUNTIME|CONTAINER)|BUSY|INTERNAL/.test(outcome));
  expect(outcomes).toHaveLength(8);
  for (const outcome of outcomes)
    expect(await judgeCall(NEW, callOf(outcome), [BEFORE], TAKES_ALL)).toBeNull();
});

describe('a caller that aborts', () => {
  test.each<[string, CallOutcome, InstalledVersion[], true | null]>([
    ['at once', callOf('CANCELLED', { runMs: 1_500 }), [BEFORE], null],
    [
      'after four times of what the version before takes',
      callOf('CANCELLED', { runMs: 2_000 }),
      [BEFORE],
      true,
    ],
    ['by a short deadline', callOf('TIMEOUT', { runMs: 5, isShort: true }), [BEFORE], null],
    ['by a deadline that was enough', callOf('TIMEOUT', { runMs: 2_000, isShort: true }), [BEFORE], true],
    ['where there is nothing to compare with', callOf('CANCELLED', { runMs: 60_000 }), [], null],
  ])('%s', async (_title, call, before, expected) => {
    expect(await judgeCall(NEW, call, before, REFUSES_NONE)).toBe(expected);
  });
});

test('two versions that both refuse every call do not excuse each other', async () => {
  const probe: Probe = { refuses: async ({ id }) => id !== BEFORE.id, hasImage: async () => true };
  const bad = [3, 4, 5, 6, 7, 8].map(versionOf);
  expect(await judgeCall(NEW, callOf('INPUT_INVALID'), [...bad, BEFORE], probe)).toBe(true);
  expect(await judgeCall(NEW, callOf('INPUT_INVALID'), bad, probe)).toBeNull();
});
