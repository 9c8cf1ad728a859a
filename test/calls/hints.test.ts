import { describe, expect, test } from 'vitest';
import { hintFor, withHint } from '../../src/calls/hints.ts';
import { LogBook } from '../../src/calls/logs.ts';
import type { Grant } from '../../src/policy/grant.ts';
import { GRANT } from '../spec/sample.ts';

const hint = (text: string, over: Partial<Grant> = {}): string | null => hintFor(text, { ...GRANT, ...over });

describe('the sandbox explains a failure from', () => {
  test.each<[string, string, Partial<Grant>, string]>([
    [
      'a name that is not found',
      'TypeError: fetch failed (caused by Error: getaddrinfo EAI_AGAIN a.example)',
      {},
      '"network": true',
    ],
    ['a port that nobody listens to', 'connect ECONNREFUSED 10.0.0.1:5432', {}, 'has no network'],
    ['a process', 'Error: spawn git EPERM', {}, '"exec": true'],
    ...[
      'SELF_SIGNED_CERT_IN_CHAIN',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    ].map((code): [string, string, Partial<Grant>, string] => [
      `a certificate, ${code}`,
      `TypeError: fetch failed (caused by Error: ${code})`,
      { network: 'bridge' },
      '`ca_file` in the policy',
    ]),
    [
      'a certificate that none of the named authorities signed',
      'Error: self-signed certificate in certificate chain',
      { network: 'bridge', certificates: ['pem'] },
      'nor by one in the `ca_file`',
    ],
    [
      'a host that is not reached where a proxy may be the way out',
      'getaddrinfo EAI_AGAIN api.example.org',
      { network: 'bridge' },
      '`proxy` in the policy names it',
    ],
    [
      'a proxy that is not reached',
      'connect ECONNREFUSED 10.0.0.7:3128',
      { network: 'bridge', proxy: { url: 'http://10.0.0.7:3128', exceptions: [] } },
      'through the proxy http://10.0.0.7:3128',
    ],
    [
      'a proxy that asks for a password',
      'RequestAbortedError: Proxy response (407) !== 200 when HTTP Tunneling',
      { network: 'bridge', proxy: { url: 'http://10.0.0.7:3128', exceptions: [] } },
      'no password to give',
    ],
    [
      'a folder that is imported',
      "Error: Directory import '/plugin/lib' is not supported resolving ES modules imported from /plugin/index.ts",
      {},
      'such as `./helper.ts` or `./lib/index.js`',
    ],
    [
      'a decorator',
      'SyntaxError: Invalid or unexpected token (/plugin/index.ts:3)\n/plugin/index.ts:3\n  @log\n  ^\n\nSyntaxError: Invalid or unexpected token\n    at compileSourceTextModule (node:internal/modules/esm/utils:319:16)',
      {},
      'Node has no decorators',
    ],
    [
      'a decorator of a parameter',
      '/plugin/index.ts:3\n  constructor(private http, @Inject("KEY") key) {\n                            ^\n\nSyntaxError: Invalid or unexpected token',
      {},
      'Node has no decorators',
    ],
    [
      'an accessor of a class',
      "SyntaxError: Unexpected identifier 'y' (/plugin/index.ts:1)\n/plugin/index.ts:1\nclass A { accessor y = 1; }\n                   ^\n\nSyntaxError: Unexpected identifier 'y'\n    at compileSourceTextModule",
      {},
      'no `accessor`',
    ],
    ['JSX', "SyntaxError: Unexpected token '<' (/plugin/index.js:1)", {}, 'no JSX'],
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
      'an alias of a compiler',
      "Cannot find package '@/lib' imported from /plugin/index.ts",
      {},
      'no `paths` of tsconfig.json',
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
    [
      'a native file for a newer glibc',
      "Error: /lib/x86_64-linux-gnu/libm.so.6: version `GLIBC_2.38' not found (required by /plugin/a.node)",
      {},
      'built for a newer glibc',
    ],
    [
      'a native file for another processor',
      'Error: /plugin/a.node: wrong ELF class: ELFCLASS32',
      {},
      'another system or processor',
    ],
    [
      'a native file for another Node',
      'was compiled against a different Node.js version using\nNODE_MODULE_VERSION 115.',
      {},
      'Node-API',
    ],
    [
      'a native part that was not built',
      'No native build was found for platform=linux',
      {},
      'install script',
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

  test('nothing where the permission is granted', () => {
    expect(hint('fetch failed: ECONNREFUSED', { network: 'bridge' })).toBeNull();
  });

  test('nothing where the cause is unknown', () => {
    expect(hint('TypeError: x is not a function')).toBeNull();
    expect(hint(`SyntaxError: Unexpected token '<', "<html>" is not valid JSON`)).toBeNull();
  });
});

test('no text of a plugin makes the search for a hint slow', () => {
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

test('the cause of a crash is found in the last lines of the output', () => {
  const logs = new LogBook();
  logs.addLine('stderr', "Error: Cannot find module 'left-pad'");
  const error = { code: 'PLUGIN_CRASHED', message: 'exit code 1', stack: null, details: null, hint: null };
  const ending = withHint({ outcome: 'PLUGIN_CRASHED', error }, GRANT, logs);
  expect(ending).toMatchObject({ error: { hint: expect.stringContaining('`dependencies`') } });
});

test('a failure of the engine has no hint about the plugin', () => {
  const error = { code: 'ENGINE_LOST', message: 'ECONNREFUSED', stack: null, details: null, hint: null };
  const ending = withHint({ outcome: 'ENGINE_LOST', error }, GRANT, new LogBook());
  expect(ending).toMatchObject({ error: { hint: null } });
});

describe('a hint about native code includes the findings of the image build', () => {
  const NOTES = ['`b@1.0.0` has a native part', '`@a/b@2.0.0`: "b.node" needs libgone.so.1', '`c@1.0.0` too'];
  const told = (message: string, stack: string | null = null) => {
    const error = { code: 'PLUGIN_ERROR', message, stack, details: null, hint: null };
    const ending = withHint({ outcome: 'PLUGIN_ERROR', error }, GRANT, new LogBook(), NOTES);
    return ending.outcome === 'OK' ? null : ending.error.hint;
  };

  test('for the packages that the failure names', () => {
    const hinted = told(
      'Error: libgone.so.1: cannot open shared object file: No such file or directory',
      'at Object.<anonymous> (/plugin/node_modules/@a/b/index.js:1:1)',
    );
    expect(hinted).toBe(NOTES[1]);
  });

  test('for some packages, when the failure names none', () => {
    const hinted = told("Error: Cannot find module '../build/Release/c'");
    expect(hinted).toMatch(/^A package has a native part.*`b@1\.0\.0` has a native part$/);
  });

  test('but not when something else failed', () => {
    expect(told("Cannot find package 'ms' imported from /plugin/index.mjs")).not.toContain('native');
    expect(told('TypeError: x is not a function')).toBeNull();
  });
});
