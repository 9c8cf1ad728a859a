import { describe, expect, test } from 'vitest';
import { lockedPackages } from '../../src/image/locked-packages.ts';

const PLATFORM = { os: 'linux', cpu: 'x64', libc: 'glibc' };
const integrity = `sha512-${'A'.repeat(86)}==`;
const locked = (packages: Record<string, object>, roots = ['a@1']) =>
  lockedPackages(
    {
      packages: Object.fromEntries(
        Object.entries(packages).map(([path, entry]) => [path, { version: '1.0.0', integrity, ...entry }]),
      ),
    },
    roots,
    PLATFORM,
  );

describe('the packages of a lock', () => {
  test('are sorted by path, with the names that the registry knows', () => {
    expect(
      locked(
        {
          'node_modules/@s/a': {},
          'node_modules/b': { name: '@s/real', requires: ['c'] },
          'node_modules/b/node_modules/c': {},
          'node_modules/nobody-needs-it': {},
        },
        ['b@1', '@s/a@1'],
      ),
    ).toEqual([
      { path: 'node_modules/@s/a', name: '@s/a', version: '1.0.0', integrity },
      { path: 'node_modules/b', name: '@s/real', version: '1.0.0', integrity },
      { path: 'node_modules/b/node_modules/c', name: 'c', version: '1.0.0', integrity },
    ]);
  });

  test.each([
    ['another system', { os: ['darwin'] }],
    ['all but this system', { os: ['!linux'] }],
    ['another processor', { cpu: ['arm64', 'ia32'] }],
    ['another libc', { libc: ['musl'] }],
    ['another system in what they need', { requires: ['c'] }],
  ])('are without optional ones that are for %s', (_, entry) => {
    const paths = locked({
      'node_modules/a': { optional: ['b'] },
      'node_modules/b': entry,
      'node_modules/c': { os: ['darwin'] },
    }).map(({ path }) => path);
    expect(paths).toEqual(['node_modules/a']);
  });

  test.each([
    ['for this system', { os: ['darwin', 'linux'] }],
    ['for all but another', { os: ['!win32'] }],
    ['for any', { cpu: ['any'] }],
    ['for this libc', { libc: ['glibc'] }],
  ])('are with those that are %s', (_, entry) => {
    expect(locked({ 'node_modules/a': entry })).toHaveLength(1);
  });

  test.each([
    ['itself', { os: ['darwin'] }],
    ['through what it needs', { requires: ['b'] }],
    ['through what is missing', { requires: ['gone'] }],
  ])('may not be needed and for another system, %s', (_, entry) => {
    expect(() => locked({ 'node_modules/a': entry, 'node_modules/b': { os: ['darwin'] } })).toThrow(
      /`node_modules\/a`, or what it needs, is not for linux on x64/,
    );
  });

  test('may not be missing', () => {
    expect(() => locked({})).toThrow(/`node_modules\/a` is not locked/);
  });

  test('may need each other', () => {
    const packages = { 'node_modules/a': { requires: ['b'] }, 'node_modules/b': { requires: ['a'] } };
    expect(locked(packages)).toHaveLength(2);
  });
});
