import { describe, expect, test } from 'vitest';
import { lockedPackages } from '../../src/image/locked-packages.ts';

const PLATFORM = { os: 'linux', cpu: 'x64', libc: 'glibc' };
const integrity = `sha512-${'A'.repeat(86)}==`;
const locked = (packages: Record<string, object>) =>
  lockedPackages(
    {
      packages: {
        '': {},
        ...Object.fromEntries(
          Object.entries(packages).map(([path, entry]) => [path, { version: '1.0.0', integrity, ...entry }]),
        ),
      },
    },
    PLATFORM,
  );

describe('the packages of a lock', () => {
  test('are sorted by path, with the names that the registry knows', () => {
    expect(
      locked({
        'node_modules/b': { name: '@s/real' },
        'node_modules/@s/a': {},
        'node_modules/b/node_modules/c': {},
      }),
    ).toEqual([
      { path: 'node_modules/@s/a', name: '@s/a', version: '1.0.0', integrity },
      { path: 'node_modules/b', name: '@s/real', version: '1.0.0', integrity },
      { path: 'node_modules/b/node_modules/c', name: 'c', version: '1.0.0', integrity },
    ]);
  });

  test.each([
    ['bundled in another', { inBundle: true, integrity: undefined }],
    ['only for development', { dev: true }],
    ['optional, for another system', { optional: true, os: ['darwin'] }],
    ['optional, not for this system', { optional: true, os: ['!linux'] }],
    ['optional, for another processor', { optional: true, cpu: ['arm64', 'ia32'] }],
    ['optional, for another libc', { optional: true, libc: ['musl'] }],
  ])('are without those that are %s', (_, entry) => {
    expect(locked({ 'node_modules/a': entry })).toEqual([]);
  });

  test.each([
    ['for this system', { os: ['linux', 'darwin'] }],
    ['for all but another', { os: '!win32' }],
    ['for any', { cpu: ['any'] }],
    ['for this libc', { libc: 'glibc' }],
  ])('are with those that are %s', (_, entry) => {
    expect(locked({ 'node_modules/a': entry })).toHaveLength(1);
  });

  test('may not be needed and for another system', () => {
    expect(() => locked({ 'node_modules/a': { os: ['darwin'] } })).toThrow(
      /`node_modules\/a` is not for linux on x64/,
    );
  });

  // All of it becomes arguments of npm.
  test.each([
    ['a name that is an address', { name: 'http://127.0.0.1/x.tgz' }],
    ['a name that is a file', { name: '../x' }],
    ['a name that is a git address', { name: 'git+ssh://x' }],
    ['a version that is a range', { version: '^1.0.0' }],
    ['a version that is an address', { version: 'file:../x' }],
    ['a version that is an alias', { version: 'npm:x@1.0.0' }],
    ['no version', { version: undefined }],
    ['no hash', { integrity: undefined }],
    ['a weak hash', { integrity: 'sha1-AAAA' }],
  ])('may not have %s', (_, entry) => {
    expect(() => locked({ 'node_modules/a': entry })).toThrow(/not usable at `node_modules\/a`/);
  });
});
