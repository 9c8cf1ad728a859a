import { expect, test } from 'vitest';
import { compareContents, describeDifferences } from '../../src/manifest/content-differences.ts';
import { toLockText } from '../../src/manifest/package-lock.ts';

const files = (contents: Record<string, string>) =>
  Object.entries(contents).map(([path, sha256]) => ({ path, sizeBytes: 1, sha256 }));
const content = (contents: Record<string, string>, lock: string | null = null) => ({
  files: files(contents),
  links: [],
  lock,
});
const lockOf = (versions: Record<string, string>, digit = 'A') =>
  toLockText({
    packages: Object.fromEntries(
      Object.entries(versions).map(([name, version]) => [
        `node_modules/${name}`,
        { version, integrity: `sha512-${digit.repeat(86)}==` },
      ]),
    ),
  });

test('the difference of two contents names the changed, added and removed files', () => {
  const before = content({ 'a.js': '1', 'b.js': '1', 'c.js': '1' });
  const after = content({ 'a.js': '1', 'b.js': '2', 'd.js': '1' });
  expect(describeDifferences(compareContents(before, after))).toBe(
    'changed `b.js`, added `d.js`, removed `c.js`',
  );
});

test('the difference of two contents names ten files and counts the others', () => {
  const many = Object.fromEntries(Array.from({ length: 25 }, (_, index) => [`f${index + 10}.js`, '1']));
  const text = describeDifferences(compareContents(content({}), content(many)));
  expect(text.match(/added/g)).toHaveLength(10);
  expect(text).toMatch(/added `f19\.js` and 15 more$/);
});

test('a file named like an inherited property is listed as a file', () => {
  const differences = compareContents(content({}), content({ constructor: '1', __proto__x: '1' }));
  expect(differences.added).toEqual(['constructor', '__proto__x']);
});

test('a long file name is cut, and control characters in it are escaped', () => {
  const text = describeDifferences(
    compareContents(content({}), content({ [`${'x'.repeat(5000)}`]: '1', '\u202eevil': '1' })),
  );
  expect(text.length).toBeLessThan(400);
  expect(text).not.toContain('\u202e');
});

test('the difference of two contents names packages when only the lock differs', () => {
  const before = content({ 'a.js': '1' }, lockOf({ left: '1.0.0', ms: '2.1.2', same: '1.0.0' }));
  const after = content({ 'a.js': '1' }, lockOf({ ms: '2.1.3', right: '3.0.0', same: '1.0.0' }));
  expect(describeDifferences(compareContents(before, after))).toBe(
    'npm package `left` 1.0.0 removed, npm package `ms` 2.1.2 → 2.1.3, npm package `right` 3.0.0 added',
  );
  const other = compareContents(
    after,
    content({ 'a.js': '1' }, lockOf({ ms: '2.1.3', right: '3.0.0', same: '1.0.0' }, 'Q')),
  );
  expect(describeDifferences(other)).toContain('`ms` 2.1.3 of other bytes');
});

test('equal contents have no difference', () => {
  expect(describeDifferences(compareContents(content({ a: '1' }), content({ a: '1' })))).toBe(
    'the files are the same',
  );
});
