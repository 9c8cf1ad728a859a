import { describe, expect, test } from 'vitest';
import { checkLockFile, MAX_PACKAGES } from '../../src/image/lock-file.ts';

const INTEGRITY = `sha512-${'A'.repeat(86)}==`;
const HONEST = { version: '1.0.0', integrity: INTEGRITY };

function lock(packages: Record<string, object>, lockfileVersion = 3): string {
  return JSON.stringify({ lockfileVersion, packages: { '': { name: 'plugin' }, ...packages } });
}

describe('checkLockFile', () => {
  test.each([
    ['no package', {}],
    ['a package from the registry', { 'node_modules/zod': HONEST }],
    ['a scoped package inside another one', { 'node_modules/@a/b/node_modules/c.js': HONEST }],
    [
      'a package that was packed inside another one',
      { 'node_modules/a': HONEST, 'node_modules/a/node_modules/b': { version: '1.0.0', inBundle: true } },
    ],
  ])('finds nothing wrong with %s', (_, packages) => {
    expect(checkLockFile(lock(packages))).toEqual([]);
  });

  test.each([
    [
      'a git address',
      { resolved: 'git+ssh://git@git.example.org/a.git#abc', integrity: INTEGRITY },
      'registry',
    ],
    ['a tarball address', { resolved: 'https://evil.example.org/a.tgz', integrity: INTEGRITY }, 'registry'],
    ['a tarball of this host', { resolved: 'file:../../a.tgz', integrity: INTEGRITY }, 'registry'],
    ['a linked folder', { resolved: '../../etc', link: true, integrity: INTEGRITY }, 'link'],
    ['no integrity', { version: '1.0.0' }, 'sha512'],
    ['an integrity too weak', { version: '1.0.0', integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' }, 'sha512'],
    ['a bundle in no package', { version: '1.0.0', inBundle: true }, 'sha512'],
    ['its own lock file', { ...HONEST, hasShrinkwrap: true }, 'npm-shrinkwrap.json'],
  ])('refuses a package with %s', (_, locked, reason) => {
    const faults = checkLockFile(lock({ 'node_modules/a': locked }));
    expect(faults.join()).toContain('`node_modules/a`');
    expect(faults.join()).toContain(reason);
  });

  test.each([
    '../a',
    'a',
    '/etc/a',
    'node_modules/../a',
    'node_modules/..',
    'node_modules/a/b/c',
    'node_modules/.bin',
  ])('refuses the place %s', (path) => {
    expect(checkLockFile(lock({ [path]: HONEST })).join()).toContain('not a package below `node_modules`');
  });

  test.each([
    ['text that is no JSON', 'oops'],
    ['a duplicate key', '{"lockfileVersion":3,"packages":{},"packages":{}}'],
    ['a list', '[]'],
    ['an older format', lock({}, 1)],
    [
      'a package that is no object',
      JSON.stringify({ lockfileVersion: 3, packages: { 'node_modules/a': 1 } }),
    ],
  ])('refuses %s', (_, text) => {
    expect(checkLockFile(text)).toHaveLength(1);
  });

  test('refuses more packages than any plugin needs', () => {
    const many = Array.from({ length: MAX_PACKAGES + 1 }, (_, index) => [`node_modules/a${index}`, HONEST]);
    expect(checkLockFile(lock(Object.fromEntries(many)))).toEqual([
      `${MAX_PACKAGES + 1} packages would be installed; at most ${MAX_PACKAGES} may be`,
    ]);
  });

  test('names every package that is wrong', () => {
    expect(checkLockFile(lock({ 'node_modules/a': {}, 'node_modules/b': {} }))).toHaveLength(2);
  });
});
