import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Citation, findCitations, promiseList } from '../scripts/promises.ts';
import { PROMISES } from '../src/promises.ts';

const citations = findCitations();
const inContainers = ({ file }: Citation): boolean => /^test\/(container|long)\//.test(file);

describe('a promise', () => {
  test.each(Object.keys(PROMISES))('%s is proven by tests in real containers', (id) => {
    expect(citations.filter(({ promise }) => promise === id).some(inContainers)).toBe(true);
  });

  test('that a test cites exists', () => {
    const unknown = citations.filter(({ promise }) => !Object.hasOwn(PROMISES, promise));
    expect(unknown).toEqual([]);
  });

  test('without a test is shown as one', () => {
    const without = citations.filter(({ promise }) => promise !== 'P4');
    expect(promiseList(without)).toMatch(/### P4\n\n.+\s+### P5/);
  });

  test('is listed with its tests in the threat model', () => {
    const page = readFileSync(join(import.meta.dirname, '../docs/threat-model.md'), 'utf8');
    expect(page).toContain(promiseList());
  });
});
