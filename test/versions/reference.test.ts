import { expect, test } from 'vitest';
import { parseReference, pickVersion } from '../../src/versions/reference.ts';

test.each([
  ['weather', 'weather', null],
  ['weather@1.2.0', 'weather', '1.2.0'],
  ['weather@^1', 'weather', '^1'],
  ['weather@>=1.2 <3', 'weather', '>=1.2 <3'],
])('%s names a plugin and a range', (written, name, range) => {
  expect(parseReference(written)).toEqual({ name, range });
});

test.each([['weather@'], ['weather@latest'], ['weather@^1@2'], [`weather@${'*||'.repeat(10_000)}*`]])(
  '%.30s is refused',
  (written) => {
    expect(() => parseReference(written)).toThrow(expect.objectContaining({ code: 'OPTIONS_INVALID' }));
  },
);

const INSTALLED = ['1.0.0', '2.0.0-beta.1', '1.10.0', '1.9.0', '1.2.0+build.5'].map((version) => ({
  version,
}));

test.each([
  ['^1', '1.10.0'],
  ['~1.9', '1.9.0'],
  ['*', '1.10.0'],
  ['2.0.0-beta.1', '2.0.0-beta.1'],
  ['>=2.0.0-beta.0', '2.0.0-beta.1'],
  ['1.2.0+build.5', '1.2.0+build.5'],
  ['^3', undefined],
])('%s picks %s', (range, version) => {
  expect(pickVersion(INSTALLED, range)?.version).toBe(version);
});

test('a reference to a version with two contents picks the first', () => {
  const [first, second] = [
    { version: '1.0.0', id: 2 },
    { version: '1.0.0', id: 1 },
  ];
  expect(pickVersion([first, second], '^1')).toBe(first);
});
