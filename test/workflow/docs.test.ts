import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseWorkflow } from '../../src/workflow/load.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const shown = [...read('docs/guide/agent/workflow.md').matchAll(/```json\n([\s\S]*?)```/g)].map(
  ([, block = '']) => JSON.parse(block),
);

test('every workflow in the documentation is valid', () => {
  expect(shown.length).toBeGreaterThan(0);
  for (const document of shown) expect(() => parseWorkflow(document)).not.toThrow();
});

test('the documentation shows the steps of the example', () => {
  const example = JSON.parse(read('examples/inbox.workflow.json'));
  expect(shown[0]).toMatchObject({ name: example.name, input: example.input, steps: example.steps });
  expect(example.output).toMatchObject(shown[0].output);
});
