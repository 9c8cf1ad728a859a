import { describe, expect, test } from 'vitest';
import { OWN_LOCK_LIMITS, readOwnLock } from '../../src/manifest/own-lock.ts';
import { LOCK_LIMITS, lockSourceOf, parseLock, toLockText } from '../../src/manifest/package-lock.ts';

const INTEGRITY = `sha512-${'A'.repeat(86)}==`;

/** As npm writes it for a package of a registry. */
function fromRegistry(name: string, version = '1.0.0', more: object = {}) {
  const file = `${name.split('/').at(-1)}-${version}.tgz`;
  return { version, resolved: `https://npm.example.org/${name}/-/${file}`, integrity: INTEGRITY, ...more };
}

function lockFile(packages: Record<string, object>, lockfileVersion = 3): string {
  const root = {
    name: 'plugin',
    version: '1.0.0',
    dependencies: { a: '^1.0.0' },
    devDependencies: { tool: '1' },
  };
  return JSON.stringify({
    name: 'plugin',
    lockfileVersion,
    requires: true,
    packages: { '': root, ...packages },
  });
}

function placesOf(packages: Record<string, object>, dependencies = ['a@^1.0.0']): string[] {
  const reading = readOwnLock(lockFile(packages), dependencies);
  if (!reading.ok) throw new Error(reading.faults.join('\n'));
  return Object.keys(reading.lock?.packages ?? {});
}

function faultsOf(packages: Record<string, object>, dependencies = ['a@^1.0.0']): string {
  const reading = readOwnLock(lockFile(packages), dependencies);
  return reading.ok ? '' : reading.faults.join('\n');
}

describe('a lock file of the author', () => {
  test('is used with its versions, hashes and platforms', () => {
    const reading = readOwnLock(
      lockFile({
        'node_modules/a': fromRegistry('a', '1.2.3', {
          dependencies: { '@s/b': '^2.0.0' },
          optionalDependencies: { 'a-linux': '1.2.3', 'a-darwin': '1.2.3' },
          license: 'MIT',
          bin: { a: 'cli.js' },
          engines: { node: '>=18' },
        }),
        'node_modules/@s/b': fromRegistry('@s/b', '2.1.0'),
        'node_modules/a-linux': fromRegistry('a-linux', '1.2.3', {
          optional: true,
          os: ['linux'],
          cpu: ['x64'],
          libc: ['glibc'],
        }),
        'node_modules/a-darwin': fromRegistry('a-darwin', '1.2.3', { optional: true, os: ['darwin'] }),
      }),
      ['a@^1.0.0'],
    );
    expect(reading).toEqual({
      ok: true,
      lock: {
        packages: {
          'node_modules/@s/b': { version: '2.1.0', integrity: INTEGRITY },
          'node_modules/a': {
            version: '1.2.3',
            integrity: INTEGRITY,
            requires: ['@s/b'],
            optional: ['a-darwin', 'a-linux'],
          },
          'node_modules/a-darwin': { version: '1.2.3', integrity: INTEGRITY, os: ['darwin'] },
          'node_modules/a-linux': {
            version: '1.2.3',
            integrity: INTEGRITY,
            os: ['linux'],
            cpu: ['x64'],
            libc: ['glibc'],
          },
        },
      },
    });
  });

  test('keeps its name in the text of the lock', () => {
    const reading = readOwnLock(lockFile({ 'node_modules/a': fromRegistry('a') }), ['a@1']);
    if (!reading.ok || reading.lock === null) throw new Error('expected a lock');
    const text = toLockText({ source: 'package-lock.json', ...reading.lock });
    expect(lockSourceOf(text)).toBe('package-lock.json');
    expect(toLockText(parseLock(text))).toBe(text);
    expect(lockSourceOf(toLockText(reading.lock))).toBeNull();
  });

  test.each([
    ['packages for developing', { 'node_modules/tool': { ...fromRegistry('tool'), dev: true } }],
    ['what package.json alone names', { 'node_modules/other': fromRegistry('other') }],
    [
      'a linked workspace',
      { 'packages/w': { version: '1.0.0' }, 'node_modules/w': { resolved: 'packages/w', link: true } },
    ],
    [
      'a tool from git',
      {
        'node_modules/tool': {
          version: '1.0.0',
          resolved: 'git+ssh://git@git.example.org/t.git#abc',
          dev: true,
        },
      },
    ],
    ['packages of a workspace', { 'packages/w/node_modules/b': fromRegistry('b') }],
    ['packages called as what every object has', { 'node_modules/constructor': fromRegistry('constructor') }],
  ])('leaves out %s', (_, others) => {
    expect(placesOf({ 'node_modules/a': fromRegistry('a'), ...others })).toEqual(['node_modules/a']);
  });

  test('includes required development packages, peers and aliases', () => {
    const packages = {
      'node_modules/a': fromRegistry('a', '1.0.0', {
        dependencies: { 'b-cjs': 'npm:b@^4.0.0', shared: '1' },
        peerDependencies: { peer: '>=1' },
        peerDependenciesMeta: { gone: { optional: true } },
      }),
      'node_modules/a/node_modules/shared': fromRegistry('shared', '1.0.0'),
      'node_modules/b-cjs': fromRegistry('b', '4.1.0', { name: 'b' }),
      'node_modules/peer': fromRegistry('peer', '2.0.0', { devOptional: true }),
      'node_modules/shared': fromRegistry('shared', '2.0.0', { dev: true }),
    };
    expect(placesOf(packages)).toEqual([
      'node_modules/a',
      'node_modules/a/node_modules/shared',
      'node_modules/b-cjs',
      'node_modules/peer',
    ]);
  });

  test('distinguishes packages bundled in a package from those bundled in the plugin', () => {
    const packages = {
      'node_modules/a': fromRegistry('a', '1.0.0', { bundleDependencies: ['b'], dependencies: { b: '1' } }),
      'node_modules/a/node_modules/b': { version: '1.0.0', inBundle: true, dependencies: { c: '1' } },
      'node_modules/c': fromRegistry('c', '1.0.0', { inBundle: true }),
    };
    expect(placesOf(packages)).toEqual(['node_modules/a', 'node_modules/c']);
  });

  test('can be of version 2, without addresses, and from any registry', () => {
    const plain = { version: '1.0.0', integrity: INTEGRITY };
    const text = lockFile({ 'node_modules/a': plain }, 2).replace(
      /}$/,
      ',"dependencies":{"a":{"version":"1.0.0"}}}',
    );
    expect(readOwnLock(text, ['a@^1.0.0']).ok).toBe(true);
    for (const resolved of [
      'http://127.0.0.1:4873/a/-/a-1.0.0.tgz',
      'https://mirror.example.org/artifactory/api/npm/all/a/-/a-1.0.0.tgz',
      'https://npm.pkg.example.org/download/@s/a/1.0.0/abc',
    ])
      expect(placesOf({ 'node_modules/a': { ...plain, resolved } })).toEqual(['node_modules/a']);
  });

  test('is used with the strongest of several hashes', () => {
    const integrity = `sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk= ${INTEGRITY}`;
    expect(placesOf({ 'node_modules/a': { ...fromRegistry('a'), integrity } })).toEqual(['node_modules/a']);
  });

  test.each([
    ['is not in it', {}, 'which is not in the lock file; run `npm install a@^1.0.0`'],
    ['has another version in it', { 'node_modules/a': fromRegistry('a', '2.0.0') }, 'has 2.0.0 of it'],
    ['has no version in it', { 'node_modules/a': { integrity: INTEGRITY } }, 'has no version of it'],
    ['is an alias in it', { 'node_modules/a': fromRegistry('b', '1.0.0', { name: 'b' }) }, '(an alias)'],
    [
      'is there for developing only inside of another one',
      { 'node_modules/x': fromRegistry('x'), 'node_modules/x/node_modules/a': fromRegistry('a') },
      'which is not in the lock file',
    ],
  ])('is refused when what plugin.json asks for %s', (_, packages, reason) => {
    expect(faultsOf(packages)).toContain('`dependencies` of plugin.json');
    expect(faultsOf(packages)).toContain(reason);
  });

  test.each([
    ['a linked folder', { resolved: '../../etc', link: true }, 'is a link to a folder'],
    ['a git address', { resolved: 'git+ssh://git@git.example.org/b.git#abc' }, 'comes from a git address'],
    ['a tarball of the author', { resolved: 'file:../b.tgz' }, 'comes from a file'],
    ['a tarball from anywhere', { resolved: 'https://evil.example.org/b.tgz' }, 'comes from an address'],
    ['an address that is none', { resolved: 'javascript:/-/' }, 'no address of a registry'],
    ['no hash', { integrity: undefined }, 'run `npm install`, which writes one'],
    ['a weak hash', { integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' }, 'no sha512 hash'],
    ['two strong hashes', { integrity: `${INTEGRITY} ${INTEGRITY}` }, 'no sha512 hash'],
    ['options after its hash', { integrity: `${INTEGRITY}?x` }, 'no sha512 hash'],
    ['its own lock file', { hasShrinkwrap: true }, 'npm-shrinkwrap.json'],
    ['a name that is an address', { name: 'http://127.0.0.1/x.tgz' }, 'unusable `name`'],
    ['a range for a version', { version: '^1.0.0' }, 'unusable `version`'],
    ['a need that is not there', { dependencies: { gone: '1' } }, 'needs `gone`'],
    ['a platform without end', { os: ['x'.repeat(1000)] }, 'platform'],
  ])('is refused when a required package has %s', (_, change, reason) => {
    const packages = {
      'node_modules/a': fromRegistry('a', '1.0.0', { dependencies: { b: '1' } }),
      'node_modules/b': { ...fromRegistry('b'), ...change },
    };
    expect(faultsOf(packages)).toContain('`node_modules/b`');
    expect(faultsOf(packages)).toContain(reason);
  });

  test.each([
    'node_modules/../a',
    'node_modules/a/../../../b',
    'node_modules/.bin/x',
    `node_modules/${'a'.repeat(2000)}`,
    `node_modules/x${'/node_modules/x'.repeat(16)}`,
    'node_modules/a\u202e',
  ])('is refused with the place %s in it', (path) => {
    expect(faultsOf({ 'node_modules/a': fromRegistry('a'), [path]: fromRegistry('a') })).toContain(
      'not a place',
    );
  });

  test.each([
    ['text that is no JSON', 'oops', 'npm install --package-lock-only'],
    ['the oldest format', lockFile({}, 1), 'in version 1; run `npm install --package-lock-only`'],
    ['a newer format', lockFile({}, 4), 'version 2 or 3'],
    ['two equal keys', '{"lockfileVersion":3,"packages":{},"packages":{}}', 'twice'],
    ['a key that changes objects', '{"lockfileVersion":3,"packages":{"__proto__":{}}}', '__proto__'],
    ['an end that never comes', '['.repeat(100_000), 'deep'],
  ])('is refused as %s', (_, text, reason) => {
    const reading = readOwnLock(text, ['a@1']);
    expect(reading.ok ? '' : reading.faults.join('\n')).toContain(reason);
  });

  test('with only tools does not lock the plugin, but one without any package does', () => {
    const file = (root: object, packages: object) =>
      JSON.stringify({ lockfileVersion: 3, packages: { '': root, ...packages } });
    const tool = { 'node_modules/tool': { ...fromRegistry('tool'), dev: true } };
    const tools = { devDependencies: { tool: '1' } };
    expect(readOwnLock(file(tools, tool), ['a@1'])).toEqual({ ok: true, lock: null });
    expect(readOwnLock(file({}, {}), ['a@1']).ok).toBe(false);
    expect(readOwnLock(file({ ...tools, dependencies: { b: '1' } }, tool), ['a@1']).ok).toBe(false);
    expect(
      readOwnLock(file(tools, { ...tool, 'node_modules/a': fromRegistry('a', '2.0.0') }), ['a@1']).ok,
    ).toBe(false);
  });

  test('is limited in size, packages and installed packages', () => {
    const named = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, '1'] as const));
    const packages = (count: number) =>
      Object.fromEntries(
        Object.keys(named(count)).map((name) => [
          `node_modules/${name}`,
          { version: '1.0.0', integrity: INTEGRITY },
        ]),
      );
    const root = (count: number) => ({
      'node_modules/a': fromRegistry('a', '1.0.0', { dependencies: named(count) }),
    });
    expect(faultsOf({ ...root(LOCK_LIMITS.packages), ...packages(LOCK_LIMITS.packages) })).toContain(
      'at most 2000',
    );
    expect(placesOf({ ...root(1), ...packages(LOCK_LIMITS.packages * 2) })).toHaveLength(2);
    expect(faultsOf({ ...root(1), ...packages(OWN_LOCK_LIMITS.packages) })).toContain('10001 packages');
    expect(readOwnLock(lockFile({}).padEnd(OWN_LOCK_LIMITS.bytes + 1), ['a@1']).ok).toBe(false);
  });

  test('is checked in bounded time, whatever the depth and the names of its packages (P10)', () => {
    const packages: Record<string, object> = {};
    let deep = '';
    for (let level = 0; level < 15; level++) {
      deep += `${deep && '/'}node_modules/p${level}`;
      packages[deep] = fromRegistry('p', '1.0.0', { dependencies: { [`p${level + 1}`]: '1' } });
    }
    const names = (count: number, letter: string) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`${letter}${index}`, '1']));
    packages[deep] = fromRegistry('p', '1.0.0', { dependencies: names(950, 'q') });
    for (let index = 0; index < 950; index++)
      packages[`${deep}/node_modules/q${index}`] = fromRegistry('q', '1.0.0', {
        optionalDependencies: names(180, 'z'),
      });
    const beganAt = performance.now();

    expect(placesOf(packages, ['p0@1'])).toHaveLength(965);
    expect(performance.now() - beganAt).toBeLessThan(3_000);
  });

  test('does not confuse packages whose names begin alike', () => {
    const packages = {
      'node_modules/a': fromRegistry('a'),
      'node_modules/ab': { version: '1.0.0', inBundle: true },
    };
    expect(faultsOf(packages, ['ab@1'])).toContain('is in none');
  });
});
