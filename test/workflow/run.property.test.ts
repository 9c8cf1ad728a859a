import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runWorkflow } from '../../src/workflow/run.ts';
import type { WorkflowDocument } from '../../src/workflow/schema.ts';
import { FakePlugins, fail, stay } from './fake-plugins.ts';

const EACH_STATUS = ['done', 'failed', 'skipped', 'cancelled', 'not_reached'];

/** A step depends on some of those before it, in any of the three ways. */
const anyStep = (index: number) => {
  const before = fc.subarray(
    Array.from({ length: index }, (_, other) => `s${other}`),
    { maxLength: Math.min(3, index) },
  );
  return fc.record(
    {
      plugin: fc.constantFrom('fine', 'fine', 'fine', 'slow', 'failing', 'staying'),
      after: before,
      input: before.map((names) => names.map((name) => ({ $from: `${name}.result` }))),
      when: before.map((names) => ({
        any: [
          { $from: 'input.x', equals: 1 },
          ...names.map((name) => ({ $from: `${name}.outcome`, equals: 'OK' })),
        ],
      })),
      on_failure: fc.constantFrom('stop' as const, 'continue' as const, 'skip_dependents' as const),
      default: fc.constantFrom(null, 1),
    },
    { requiredKeys: ['plugin'] },
  );
};

const anySteps = fc
  .integer({ min: 1, max: 12 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => anyStep(index))))
  .map((steps) => Object.fromEntries(steps.map((step, index) => [`s${index}`, step] as const)))
  // The order in the document is not the order of execution.
  .chain((steps) => fc.shuffledSubarray(Object.entries(steps), { minLength: Object.keys(steps).length }))
  .map((entries) => Object.fromEntries(entries));

function namesIn(value: unknown): string[] {
  return [...JSON.stringify(value ?? null).matchAll(/"(s\d+)(?:\.|")/g)].map(([, name]) => name as string);
}

const anyEnd = fc.constantFrom('none', 'deadline', 'abort');

test('any workflow settles, and executes every step at most once and after those that it waits for', async () => {
  const property = fc.asyncProperty(anySteps, fc.constantFrom(1, 2), anyEnd, async (steps, x, end) => {
    const hangs = Object.values(steps).some(({ plugin }) => plugin === 'staying');
    const over = new Set<string>();
    const begun: string[] = [];
    const tooEarly: string[] = [];
    const plugins = new FakePlugins({
      fine: () => 1,
      slow: () => new Promise((resolve) => setImmediate(resolve, 2)),
      failing: fail,
      staying: stay,
    });
    const document: WorkflowDocument = {
      name: 'any',
      steps,
      timeout_seconds: end === 'deadline' || hangs ? 0.02 : 60,
    };
    const result = await runWorkflow(document, {
      plugins,
      context: { inputData: { x } },
      ...(end === 'abort' ? { signal: AbortSignal.timeout(5) } : {}),
      onProgress: ({ step, status }) => {
        const { after, input, when } = steps[step] as (typeof steps)[string];
        if (status === 'running') {
          begun.push(step);
          tooEarly.push(...namesIn([after, input, when]).filter((needed) => !over.has(needed)));
        } else over.add(step);
      },
    });
    expect(tooEarly).toEqual([]);
    expect(new Set(begun).size).toBe(begun.length);
    expect(plugins.calls).toHaveLength(begun.length);
    expect(Object.keys(result.steps)).toEqual(Object.keys(steps));
    for (const [name, { status, reason, startedMs }] of Object.entries(result.steps)) {
      expect(EACH_STATUS).toContain(status);
      expect(reason === null).toBe(status === 'done');
      expect(startedMs !== null).toBe(begun.includes(name));
      expect(over).toContain(name);
    }
    const statuses = Object.values(result.steps).map(({ status }) => status);
    if (result.success)
      expect(statuses.filter((each) => each === 'cancelled' || each === 'not_reached')).toEqual([]);
    // Whatever was asked to wait is taken back.
    const asked = new Map(plugins.prewarmed);
    for (const [plugin, size] of asked) expect({ plugin, size }).toEqual({ plugin, size: 0 });
  });
  await fc.assert(property, { numRuns: 200 });
});
