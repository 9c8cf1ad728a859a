import { describe, expect, test } from 'vitest';
import { check } from '../../src/documents/problems.ts';
import { PluginManifestSchema } from '../../src/manifest/schema.ts';
import { MINIMAL } from './sample.ts';

test('the smallest manifest gets its defaults', () => {
  expect(PluginManifestSchema.parse(MINIMAL)).toEqual({
    name: 'word-count',
    version: '1.0.0',
    author: { name: 'Ada' },
    description: 'Counts the words of a text',
    plugin_type: 'tool',
    entry_point: 'index.js',
    enabled: true,
    preload: true,
    tags: [],
    permissions: { filesystem: false, network: false, exec: false, secrets: [] },
    resources: {},
    dependencies: [],
    requires: [],
    engines: { lurkbox: '*' },
    input_schema: {},
    output_schema: {},
    config_schema: {},
  });
});

test.each(Object.keys(MINIMAL))('a manifest without `%s` is refused', (key) => {
  const { [key]: _, ...rest } = MINIMAL as Record<string, unknown>;
  expect(problemsOf(rest)).toEqual([{ path: key, message: expect.stringContaining('is missing: expected') }]);
});

describe('a manifest is accepted with', () => {
  test.each<[string, Record<string, unknown>]>([
    ['a name of one letter', { name: 'a' }],
    ['digits and hyphens in a name', { name: 'a1-b2-3' }],
    ['a name of 64 characters', { name: 'a'.repeat(64) }],
    ['a name that begins like a device', { name: 'console' }],
    ['a prerelease', { version: '1.0.0-beta.1' }],
    ['a version with build metadata', { version: '1.0.0+build.5' }],
    ['an e-mail address', { author: { name: 'Ada', email: 'ada@example.org' } }],
    ['a description in any language', { description: '数える 👩‍👩‍👧 ‌فارسی' }],
    ['every plugin type', { plugin_type: 'integration' }],
    ['an entry point in a folder', { entry_point: 'src/deep/index.mts' }],
    ['filesystem true', { permissions: { filesystem: true } }],
    ['mounts', { permissions: { filesystem: { scratch: true, mounts: { data: 'ro', out: 'rw' } } } }],
    ['a bridge network', { permissions: { network: true } }],
    ['the host network', { permissions: { network: 'host' } }],
    ['no channel at all', { permissions: { channels: [] } }],
    ['secrets', { permissions: { secrets: ['API_KEY', 'A1'] } }],
    ['every number', { resources: { memory_mb: 1, cpu_percent: 150, timeout_seconds: 0.5, pids: 1 } }],
    ['the other numbers', { resources: { output_kb: 1, tmp_mb: 1, scratch_mb: 1 } }],
    ['a scoped dependency', { dependencies: ['@scope/name@>=1.2 <3 || ^4.0.0-rc.1'] }],
    ['any version of a dependency', { dependencies: ['zod@*'] }],
    ['an engine range', { engines: { lurkbox: '>=0.1.0' } }],
    ['schemas', { input_schema: { type: 'object', properties: { constructor: { type: 'string' } } } }],
    ['a schema address', { $schema: './manifest.schema.json' }],
  ])('%s', (_what, change) => {
    expect(problemsOf({ ...MINIMAL, ...change })).toEqual([]);
  });
});

describe('a manifest is refused for', () => {
  // biome-ignore format: one value beside the other.
  test.each([
    '__proto__', 'constructor', 'prototype', 'CON', 'con', 'nul', 'com1', 'lpt9', '', '.', '..', '@a/b/c', 'a'.repeat(65),
    'a'.repeat(215), 'Upper', 'a--b', 'a-', '-rf', '--privileged', '1a', 'a_b', 'a.b', 'a b', 'a.', 'a ', ' a', 'a\n',
    '🙂', '\u202eabc', 'p\u0430ypal', 'ａｂｃ', 'a\u200bb', null, 1, [], {},
  ])('the name %j', (name) => {
    expect(pathsOf({ ...MINIMAL, name })).toEqual(['name']);
  });

  // biome-ignore format: one value beside the other.
  test.each([
    '1', '1.0', 'v1.0.0', 'v1.0', '=1.0.0', '01.0.0', '1.0.0-', '1.0.0+', ' 1.0.0', '1.0.0 ', '1.0.0\n', '1.0.0-01', '*',
    '^1.0.0', 'latest', '99999999999999999999.0.0', `1.0.0-${'a'.repeat(300)}`, '', 1.0, null,
  ])('the version %j', (version) => {
    expect(pathsOf({ ...MINIMAL, version })).toEqual(['version']);
  });

  // biome-ignore format: one value beside the other.
  test.each([
    'index', 'index.json', 'index.wasm', 'index.node', '/index.js', '../index.js', 'a/../index.js', './index.js',
    'a//index.js', 'a\\index.js', 'C:\\index.js', 'a\0.js', 'a\n.js', 'index.js\n', 'index.js/', '.', '', `${'a'.repeat(260)}.js`,
    'a\u202e.js',
  ])('the entry point %j', (entry_point) => {
    expect(pathsOf({ ...MINIMAL, entry_point })).toEqual(['entry_point']);
  });

  // biome-ignore format: one value beside the other.
  test.each([
    'zod', 'zod@', 'zod@latest', 'zod@next', 'zod@ ^4', 'zod@^4 ', 'zod@^4\n', '@^4.0.0', '', 'zod@file:../x', 'zod@git+ssh://git@h/x',
    'zod@github:a/b', 'zod@https://h/x.tgz', 'zod@npm:other@1.0.0', 'file:../x', '../x@1.0.0', '/x@1.0.0', 'git@h:x@1.0.0',
    '-g@1.0.0', '--registry@1.0.0', 'Zod@^4.0.0', 'a b@1.0.0', '@/x@1.0.0', '@a/@1.0.0', '@a/b/c@1.0.0', '.bin@1.0.0',
    '__proto__@1.0.0', `${'a'.repeat(215)}@1.0.0`, `zod@${'*||'.repeat(5000)}*`, 1,
  ])('the dependency %j', (dependency) => {
    expect(pathsOf({ ...MINIMAL, dependencies: [dependency] })).toEqual(['dependencies[0]']);
  });

  // biome-ignore format: one value beside the other.
  test.each([
    'example.org', ':443', 'example.org:', 'example.org:0', 'example.org:65536', 'example.org:080', 'example.org:x', '*:443',
    '*.example.org:443', 'https://example.org:443', 'example.org:443/path', 'user@example.org:443', 'example.org.:443',
    'a..b:443', 'exämple.org:443', '0x7f.1:80', '2130706433:80', '127.1:80', '0177.0.0.1:80', '[::1:80', '::1:80',
    '[fe80::1%25eth0]:80', 'a b:80', 'a:80\n', '', 'example.org:443,evil.org:443', `${'a'.repeat(300)}:80`,
  ])('the host %j', (host) => {
    expect(pathsOf({ ...MINIMAL, permissions: { network: { hosts: [host] } } })).toEqual([
      'permissions.network.hosts[0]',
    ]);
  });

  test.each<[string, unknown[]]>([
    ['memory_mb', [0, -1, 1e18, '1g', Number.NaN, Number.POSITIVE_INFINITY, 1.5, null, '512', true]],
    ['cpu_percent', [0, -1, 6401, 0.5, '80']],
    ['timeout_seconds', [0, -1, 1e12, '30', Number.NaN]],
    ['pids', [0, -1, 32_769, 1.5]],
    ['output_kb', [0, 1e9]],
    ['tmp_mb', [0, 1e9]],
    ['scratch_mb', [0, 1e9]],
  ])('a bad number in `resources.%s`', (key, values) => {
    for (const value of values) {
      expect(pathsOf({ ...MINIMAL, resources: { [key]: value } })).toEqual([`resources.${key}`]);
    }
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['an unknown key', { colour: 'red' }, 'colour'],
    ['a key in another case', { Permissions: {} }, 'Permissions'],
    ['a key in camel case', { entryPoint: 'a.js' }, 'entryPoint'],
    ['an unknown permission', { permissions: { gpu: true } }, 'permissions.gpu'],
    ['an unknown number', { resources: { gpus: 1 } }, 'resources.gpus'],
    ['an unknown engine', { engines: { node: '>=24' } }, 'engines.node'],
    ['an author as text', { author: 'Ada' }, 'author'],
    ['an author without a name', { author: {} }, 'author.name'],
    ['a wrong e-mail address', { author: { name: 'Ada', email: 'ada' } }, 'author.email'],
    ['an e-mail header', { author: { name: 'Ada', email: 'a@b.org\nBcc: c@d.org' } }, 'author.email'],
    ['an empty description', { description: '' }, 'description'],
    ['a long description', { description: 'a'.repeat(1001) }, 'description'],
    ['a terminal escape', { description: '\x1b]52;c;AAAA\x07' }, 'description'],
    ['a line break', { description: 'a\nb' }, 'description'],
    ['a one-character control', { description: 'a\x9bb' }, 'description'],
    ['a bidirectional override', { author: { name: '\u202eevil' } }, 'author.name'],
    ['invisible tag characters', { description: 'a\u{e0041}' }, 'description'],
    ['a lone surrogate', { description: '\ud800' }, 'description'],
    ['an unknown plugin type', { plugin_type: 'Tool' }, 'plugin_type'],
    ['enabled as text', { enabled: 'false' }, 'enabled'],
    ['33 tags', { tags: Array.from({ length: 33 }, (_, index) => `t${index}`) }, 'tags'],
    ['a tag twice', { tags: ['a', 'a'] }, 'tags'],
    ['a long tag', { tags: ['a'.repeat(33)] }, 'tags[0]'],
    ['a control character in a tag', { tags: ['a\x00'] }, 'tags[0]'],
    ['filesystem as text', { permissions: { filesystem: 'ro' } }, 'permissions.filesystem'],
    ['filesystem null', { permissions: { filesystem: null } }, 'permissions.filesystem'],
    [
      'a host path as a mount',
      { permissions: { filesystem: { mounts: { '/etc': 'ro' } } } },
      'permissions.filesystem.mounts./etc',
    ],
    [
      'a mount called constructor',
      { permissions: { filesystem: { mounts: { constructor: 'ro' } } } },
      'permissions.filesystem.mounts.constructor',
    ],
    [
      'an unknown mount mode',
      { permissions: { filesystem: { mounts: { data: 'rwx' } } } },
      'permissions.filesystem.mounts.data',
    ],
    [
      '17 mounts',
      { permissions: { filesystem: { mounts: manyMounts(17) } } },
      'permissions.filesystem.mounts',
    ],
    ['a network mode', { permissions: { network: 'bridge' } }, 'permissions.network'],
    ['a container network', { permissions: { network: 'container:x' } }, 'permissions.network'],
    ['an empty list of hosts', { permissions: { network: { hosts: [] } } }, 'permissions.network.hosts'],
    ['65 hosts', { permissions: { network: { hosts: manyHosts(65) } } }, 'permissions.network.hosts'],
    [
      'a host twice',
      { permissions: { network: { hosts: ['a.org:1', 'A.org:1'] } } },
      'permissions.network.hosts',
    ],
    ['exec as a number', { permissions: { exec: 1 } }, 'permissions.exec'],
    ['channels as true', { permissions: { channels: true } }, 'permissions.channels'],
    ['a control character in a channel', { permissions: { channels: ['a\n'] } }, 'permissions.channels[0]'],
    ['a secret in lower case', { permissions: { secrets: ['key'] } }, 'permissions.secrets[0]'],
    ['a secret that begins with a digit', { permissions: { secrets: ['1A'] } }, 'permissions.secrets[0]'],
    ['permissions as a list', { permissions: ['network'] }, 'permissions'],
    ['a package twice', { dependencies: ['zod@^4.0.0', 'zod@^3.0.0'] }, 'dependencies'],
    ['65 dependencies', { dependencies: manyDependencies(65) }, 'dependencies'],
    ['an engine tag', { engines: { lurkbox: 'latest' } }, 'engines.lurkbox'],
    ['a slow engine range', { engines: { lurkbox: '*||'.repeat(50_000) } }, 'engines.lurkbox'],
    ['a schema as true', { input_schema: true }, 'input_schema'],
    ['a schema as a list', { output_schema: [] }, 'output_schema'],
    ['a deep schema', { config_schema: deepSchema(33) }, 'config_schema'],
    ['a large schema', { input_schema: { const: 'é'.repeat(40_000) } }, 'input_schema'],
  ])('%s', (_what, change, path) => {
    expect(pathsOf({ ...MINIMAL, ...change })).toEqual([path]);
  });
});

test('a manifest can have a schema as long as a whole list of real tools', () => {
  const input_schema = { description: 'x'.repeat(34_000), const: 'y'.repeat(42_000) };
  expect(problemsOf({ ...MINIMAL, input_schema })).toEqual([]);
});

test('a manifest can have a schema of exactly 32 levels', () => {
  expect(problemsOf({ ...MINIMAL, input_schema: deepSchema(32) })).toEqual([]);
});

test.each([
  ['API.Example.org:443', 'api.example.org:443'],
  ['[::0001]:80', '[::1]:80'],
  ['127.0.0.1:80', '127.0.0.1:80'],
  ['xn--exmple-cua.org:8443', 'xn--exmple-cua.org:8443'],
  ['localhost:65535', 'localhost:65535'],
])('a manifest has the host %s normalized to %s', (written, normal) => {
  const manifest = PluginManifestSchema.parse({ ...MINIMAL, permissions: { network: { hosts: [written] } } });
  expect(manifest.permissions.network).toEqual({ hosts: [normal] });
});

test('ten thousand bad dependencies give a bounded number of problems', () => {
  expect(
    problemsOf({ ...MINIMAL, dependencies: Array.from({ length: 10_000 }, () => 'x') }).length,
  ).toBeLessThan(60);
});

function problemsOf(value: unknown) {
  const checked = check(PluginManifestSchema, value);
  return checked.ok ? [] : checked.problems;
}

function pathsOf(value: unknown): string[] {
  return problemsOf(value).map(({ path }) => path);
}

function manyMounts(count: number) {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`m${index}`, 'ro']));
}

function manyHosts(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `h${index}.org:443`);
}

function manyDependencies(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `p${index}@1.0.0`);
}

function deepSchema(levels: number): object {
  return Array.from({ length: levels - 1 }).reduce<object>((inner) => ({ not: inner }), {});
}
