import { describe, expect, test } from 'vitest';
import { hintFor, withHint } from '../../src/execution/hints.ts';
import { LogBook } from '../../src/execution/logs.ts';
import type { Grant } from '../../src/policy/grant.ts';
import { GRANT } from '../spec/sample.ts';

const hint = (text: string, over: Partial<Grant> = {}): string | null => hintFor(text, { ...GRANT, ...over });

describe('what failed is explained by the sandbox:', () => {
  test.each<[string, string, Partial<Grant>, string]>([
    [
      'a name that is not found',
      'TypeError: fetch failed (caused by Error: getaddrinfo EAI_AGAIN a.example)',
      {},
      '"network": true',
    ],
    ['a port that nobody listens to', 'connect ECONNREFUSED 10.0.0.1:5432', {}, 'has no network'],
    ['a process', 'Error: spawn git EPERM', {}, '"exec": true'],
    ['a process by its synchronous form', 'spawnSync /bin/sh EPERM', {}, '"exec": true'],
    ['a program that is not there', 'spawn git ENOENT', { exec: true }, 'not in the image'],
    [
      'a file that cannot be written',
      "EROFS: read-only file system, open './out.csv'",
      {},
      'read-only but for `/tmp`',
    ],
    [
      'a mount that the host keeps closed',
      "EACCES: permission denied, open '/mnt/notes/count'",
      {
        uid: 42_726,
        mounts: [{ name: 'notes', hostPath: '/srv/notes', containerPath: '/mnt/notes', mode: 'rw' }],
      },
      '`chown -R 42726:42726`',
    ],
    [
      'what Node cannot leave out of TypeScript',
      'SyntaxError: TypeScript enum is not supported in strip-only mode',
      {},
      'write `enum` as an object',
    ],
    [
      'a type that is imported from a file of types',
      "SyntaxError: Named export 'City' not found. The requested module './types.ts' is a CommonJS module",
      {},
      '`import type`',
    ],
    [
      'a type that is imported by the name of what is compiled',
      "SyntaxError: Named export 'City' not found. The requested module './types.js' is a CommonJS module",
      {},
      '`import type`',
    ],
    [
      'a file that is named without its ending',
      "Cannot find module '/plugin/helper' imported from /plugin/index.ts",
      {},
      'with its ending',
    ],
    ['a heap that is full', 'The heap of V8 was full; the container has 128 MB in all', {}, '`memory_mb`'],
    ['a full temporary folder', 'ENOSPC: no space left on device, write', {}, '`tmp_mb`'],
    [
      'a package of its own package.json',
      "Cannot find package 'ms' imported from /plugin/index.mjs",
      {},
      '`dependencies` of plugin.json',
    ],
    ['a package that is required', "Cannot find module 'left-pad'", {}, '`dependencies` of plugin.json'],
    [
      'a file of another ending',
      "Cannot find module '/plugin/helper.js' imported from /plugin/index.ts",
      {},
      './helper.ts',
    ],
    [
      'a native part that was never built',
      'Error: Could not locate the bindings file. Tried: …',
      {},
      'no script of a package is run',
    ],
    [
      'a library that is missing',
      'librt.so.1: cannot open shared object file: No such file or directory',
      {},
      'shared library',
    ],
    [
      'a type that is imported as a value',
      "The requested module './types.ts' does not provide an export named 'City'",
      {},
      '`import type`',
    ],
    [
      'a full heap',
      'The heap of V8 was full: JavaScript heap out of memory',
      { memoryBytes: 96 * 1024 * 1024 },
      'has 96 MB in all',
    ],
    ['too many files', 'EMFILE: too many open files', {}, '256 files'],
  ])('%s', (_title, text, over, says) => {
    expect(hint(text, over)).toContain(says);
  });

  test('not where the permission is there', () => {
    expect(hint('fetch failed: ECONNREFUSED', { network: 'bridge' })).toBeNull();
  });

  test('not where nothing is known', () => {
    expect(hint('TypeError: x is not a function')).toBeNull();
  });
});

test('no text of a plugin makes it long to look for one', () => {
  const pieces = [
    'lib.so',
    'lib',
    '.so.',
    'spawn ',
    'EPERM ',
    'unable to get ',
    "Cannot find module './",
    '.js',
    '1',
    'a',
  ];
  const texts = pieces.flatMap((piece) => [
    piece.repeat(8_000),
    `spawn ${piece.repeat(8_000)}`,
    `lib${piece.repeat(8_000)}`,
    `Cannot find module './${piece.repeat(8_000)}`,
    `limit of ${piece.repeat(8_000)}`,
  ]);
  const beganAt = performance.now();
  for (const text of texts)
    for (const network of ['none', 'bridge'] as const)
      for (const exec of [true, false]) hint(text, { network, exec });
  // One alone took some seconds where a pattern repeated within itself.
  expect(performance.now() - beganAt).toBeLessThan(4_000);
});

test('what a process died of stands in its last lines', () => {
  const logs = new LogBook();
  logs.addLine('stderr', "Error: Cannot find module 'left-pad'");
  const error = { code: 'PLUGIN_CRASHED', message: 'exit code 1', stack: null, details: null, hint: null };
  const ending = withHint({ outcome: 'PLUGIN_CRASHED', error }, GRANT, logs);
  expect(ending).toMatchObject({ error: { hint: expect.stringContaining('`dependencies`') } });
});

test('a failure of the engine has no hint at the plugin', () => {
  const error = { code: 'ENGINE_LOST', message: 'ECONNREFUSED', stack: null, details: null, hint: null };
  expect(withHint({ outcome: 'ENGINE_LOST', error }, GRANT, new LogBook())).toMatchObject({
    error: { hint: null },
  });
});
