import { describe, expect, test } from 'vitest';
import { MAX_LOCK_FILE_BYTES, readLockFile } from '../../src/manifest/npm-lock-file.ts';
import { LOCK_LIMITS, parseLock, toLockText } from '../../src/manifest/package-lock.ts';

const INTEGRITY = `sha512-${'A'.repeat(86)}==`;
const HONEST = { version: '1.0.0', integrity: INTEGRITY };

function lockFile(packages: Record<string, object>, lockfileVersion = 3): string {
  return JSON.stringify({ lockfileVersion, packages: { '': { name: 'plugin' }, ...packages } });
}

function faultsOf(text: string): readonly string[] {
  const reading = readLockFile(text);
  return reading.ok ? [] : reading.faults;
}

function packagesOf(packages: Record<string, object>) {
  const reading = readLockFile(lockFile(packages));
  if (!reading.ok) throw new Error(reading.faults.join());
  return reading.lock.packages;
}

describe('the reader of lock files', () => {
  test.each([
    ['no package', {}],
    ['a package from the registry', { 'node_modules/zod': HONEST }],
    ['a scoped package inside another one', { 'node_modules/@a/b/node_modules/c.js': HONEST }],
    ['a package called as what every object has', { 'node_modules/constructor': HONEST }],
  ])('accepts %s', (_, packages) => {
    expect(Object.keys(packagesOf(packages))).toEqual(Object.keys(packages));
  });

  test('returns only what decides what is installed, sorted', () => {
    const packages = packagesOf({
      'node_modules/z': {
        ...HONEST,
        license: 'MIT',
        engines: { node: '>=18' },
        bin: { z: 'z.js' },
        peer: true,
      },
      'node_modules/a': {
        ...HONEST,
        optional: true,
        os: ['linux', 'darwin'],
        cpu: 'x64',
        dependencies: { z: '^1.0.0', b: '*' },
        optionalDependencies: { b: '*', gone: '1' },
        peerDependencies: { 'other-gone': '1' },
        funding: { url: 'https://example.org' },
      },
      'node_modules/b': { ...HONEST, name: 'real-b' },
    });
    expect(packages).toEqual({
      'node_modules/a': {
        ...HONEST,
        os: ['darwin', 'linux'],
        cpu: ['x64'],
        requires: ['z'],
        optional: ['b'],
      },
      'node_modules/b': { name: 'real-b', ...HONEST },
      'node_modules/z': HONEST,
    });
    expect(parseLock(toLockText({ packages })).packages).toEqual(packages);
  });

  test('leaves out what is packed inside another package, but not its needs from outside', () => {
    const packages = packagesOf({
      'node_modules/a': { ...HONEST, dependencies: { b: '1' } },
      'node_modules/a/node_modules/b': { version: '1.0.0', inBundle: true, dependencies: { c: '1', d: '1' } },
      'node_modules/a/node_modules/b/node_modules/c': { version: '1.0.0', inBundle: true },
      'node_modules/d': HONEST,
    });
    expect(packages).toEqual({ 'node_modules/a': { ...HONEST, requires: ['d'] }, 'node_modules/d': HONEST });
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
    ['no integrity', { version: '1.0.0' }, 'integrity'],
    ['an integrity too weak', { version: '1.0.0', integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' }, 'sha512'],
    [
      'a choice of hashes',
      { version: '1.0.0', integrity: `${INTEGRITY} sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=` },
      'sha512',
    ],
    ['two strong hashes', { version: '1.0.0', integrity: `${INTEGRITY} ${INTEGRITY}` }, 'sha512'],
    ['options after its hash', { version: '1.0.0', integrity: `${INTEGRITY}?x` }, 'sha512'],
    ['a hash in another spelling', { version: '1.0.0', integrity: `sha512-${'A'.repeat(85)}B==` }, 'sha512'],
    ['no version', { integrity: INTEGRITY }, 'version'],
    ['a range for a version', { version: '^1.0.0', integrity: INTEGRITY }, 'version'],
    ['an address for a version', { version: 'file:../a', integrity: INTEGRITY }, 'version'],
    ['a bundle in no package', { version: '1.0.0', inBundle: true }, 'packed in no other package'],
    ['its own lock file', { ...HONEST, hasShrinkwrap: true }, 'npm-shrinkwrap.json'],
    ['another name that is an address', { ...HONEST, name: 'http://127.0.0.1/x.tgz' }, 'name'],
    ['a need of a path', { ...HONEST, dependencies: { '../b': '1' } }, 'not in the lock file'],
    ['a need of nothing that is there', { ...HONEST, dependencies: { b: '1' } }, 'not in the lock file'],
    ['a platform that is a text without end', { ...HONEST, os: ['x'.repeat(1000)] }, 'platform'],
  ])('refuses a package with %s', (_, locked, reason) => {
    const faults = faultsOf(lockFile({ 'node_modules/a': locked }));
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
    'node_modules/a/node_modules/../../../b',
    'node_modules/a\nnode_modules/b',
    `node_modules/${'a'.repeat(2000)}`,
    `node_modules/a${'/node_modules/a'.repeat(16)}`,
  ])('refuses the place %s', (path) => {
    expect(faultsOf(lockFile({ [path]: HONEST })).join()).toContain('not a package below `node_modules`');
  });

  test.each([
    ['text that is no JSON', 'oops'],
    ['a duplicate key', '{"lockfileVersion":3,"packages":{},"packages":{}}'],
    ['a key that changes objects', '{"lockfileVersion":3,"packages":{"__proto__":{}}}'],
    [
      'such a key deep inside',
      '{"lockfileVersion":3,"packages":{"node_modules/a":{"dependencies":{"__proto__":{}}}}}',
    ],
    ['a list', '[]'],
    ['an older format', lockFile({}, 1)],
    [
      'a package that is no object',
      JSON.stringify({ lockfileVersion: 3, packages: { 'node_modules/a': 1 } }),
    ],
    ['nesting without end', `{"lockfileVersion":3,"packages":{},"x":${'['.repeat(100)}${']'.repeat(100)}}`],
  ])('refuses %s', (_, text) => {
    expect(faultsOf(text)).toHaveLength(1);
  });

  test('refuses more packages than any plugin needs', () => {
    const many = Array.from({ length: LOCK_LIMITS.packages + 1 }, (_, index) => [
      `node_modules/a${index}`,
      HONEST,
    ]);
    expect(faultsOf(lockFile(Object.fromEntries(many)))).toEqual([
      `${LOCK_LIMITS.packages + 1} packages would be installed; at most ${LOCK_LIMITS.packages} may be`,
    ]);
  });

  test('refuses a hundred thousand packages before it looks at them', () => {
    const many = Array.from({ length: 100_000 }, (_, index) => [`node_modules/a${index}`, {}]);
    const text = lockFile(Object.fromEntries(many));
    expect(text.length).toBeLessThan(MAX_LOCK_FILE_BYTES);
    const startedAt = performance.now();
    expect(faultsOf(text)).toHaveLength(1);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(faultsOf(text.padEnd(MAX_LOCK_FILE_BYTES + 1))).toEqual(['the lock file is larger than 4 MB']);
  });

  test('is fast for every lock file that it accepts', () => {
    const deep = 'node_modules/a'.concat('/node_modules/a'.repeat(14));
    const needs = Object.fromEntries(Array.from({ length: 25 }, (_, index) => [`b${index}`, '1']));
    const many = Array.from({ length: 1900 }, (_, index) => [
      `${deep}/node_modules/c${index}`,
      { ...HONEST, optionalDependencies: needs },
    ]);
    const above = Array.from({ length: 15 }, (_, index) => [
      'node_modules/a'.concat('/node_modules/a'.repeat(index)),
      HONEST,
    ]);
    const startedAt = performance.now();
    expect(readLockFile(lockFile(Object.fromEntries([...above, ...many]))).ok).toBe(true);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test('names the problems of every package, up to a limit', () => {
    expect(
      faultsOf(lockFile({ 'node_modules/a': { link: true }, 'node_modules/b': { link: true } })),
    ).toHaveLength(2);
    const many = Array.from({ length: 50 }, (_, index) => [`node_modules/a${index}`, { link: true }]);
    expect(faultsOf(lockFile(Object.fromEntries(many))).at(-1)).toBe('and 30 more');
  });
});
