import { describe, expect, test } from 'vitest';
import {
  type BaseInputs,
  baseImageKey,
  execImageKey,
  imageTag,
  pluginImageKey,
} from '../../src/image/keys.ts';

const BASE: BaseInputs = {
  architecture: 'amd64',
  nodeIntegrity: 'sha512-a',
  stripped: true,
  libraries: [
    { path: '/lib/libc.so.6', sha256: 'c' },
    { path: '/lib/libm.so.6', sha256: 'm' },
  ],
  runnerSha256: 'r',
};

const PLUGIN = { baseKey: 'b', digest: 'sha256:d', stripper: '1.0.0' };

describe('image keys', () => {
  test('are 64 hex digits', () => {
    expect(baseImageKey(BASE)).toMatch(/^[0-9a-f]{64}$/);
  });

  test.each<[string, Partial<BaseInputs>]>([
    ['architecture', { architecture: 'arm64' }],
    ['Node', { nodeIntegrity: 'sha512-b' }],
    ['stripping', { stripped: false }],
    ['content of a library', { libraries: [{ path: '/lib/libc.so.6', sha256: 'x' }, BASE.libraries[1]!] }],
    ['place of a library', { libraries: [{ path: '/lib64/libc.so.6', sha256: 'c' }, BASE.libraries[1]!] }],
    ['runner', { runnerSha256: 's' }],
  ])('of a base change with its %s', (_, change) => {
    expect(baseImageKey({ ...BASE, ...change })).not.toBe(baseImageKey(BASE));
  });

  test.each([
    ['base', { baseKey: 'c' }],
    ['content', { digest: 'sha256:e' }],
    ['stripper of types', { stripper: '1.0.1' }],
  ])('of a plugin change with its %s', (_, change) => {
    expect(pluginImageKey({ ...PLUGIN, ...change })).not.toBe(pluginImageKey(PLUGIN));
  });

  test('do not depend on the order in which libraries are written', () => {
    expect(baseImageKey({ ...BASE, libraries: BASE.libraries.toReversed() })).toBe(baseImageKey(BASE));
  });

  test('of an exec variant change with base and busybox', () => {
    const keys = [
      execImageKey({ baseKey: 'a', busyboxSha256: 'b' }),
      execImageKey({ baseKey: 'x', busyboxSha256: 'b' }),
      execImageKey({ baseKey: 'a', busyboxSha256: 'x' }),
    ];
    expect(new Set(keys).size).toBe(3);
  });

  test('name the image by all of their digits', () => {
    expect(imageTag('plugin-weather', `${'0123456789abcdef'.repeat(4)}`)).toBe(
      `lurkbox/plugin-weather:${'0123456789abcdef'.repeat(4)}`,
    );
  });
});
