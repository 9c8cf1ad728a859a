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

  test('that a test cites is one that is made', () => {
    const unknown = citations.filter(({ promise }) => !Object.hasOwn(PROMISES, promise));
    expect(unknown).toEqual([]);
  });

  test('without a test is seen to be without one', () => {
    const without = citations.filter(({ promise }) => promise !== 'P4');
    expect(promiseList(without)).toMatch(/### P4\n\n.+\s+### P5/);
  });

  test('stands with its tests on the page on threats', () => {
    const page = readFileSync(join(import.meta.dirname, '../docs/threat-model.md'), 'utf8');
    expect(page).toContain(promiseList());
  });
});
