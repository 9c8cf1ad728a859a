/** A package of npm, what it is asked to do in a container, and what comes of it; docs/guide/author/npm-packages.md has the table of them. */
export interface TriedPackage {
  /** With the version that was tried. */
  readonly packages: readonly string[];
  readonly job: string;
  /** The plugin below `packages/`. @default named as the package */
  readonly plugin?: string;
  /** What it answers. */
  readonly result?: unknown;
  /** Of what it logs: the messages. */
  readonly logs?: readonly unknown[];
  /** Where it cannot work: what the hint says, and in words why not. */
  readonly fails?: { readonly hint: string; readonly why: string };
  readonly exec?: true;
  /** Whether it asks another host first, for the error that says that there is no network. */
  readonly asksFar?: true;
  readonly note?: string;
}

const PNG = 'PNG';

export const TRIED: readonly TriedPackage[] = [
  {
    packages: ['sharp@0.34.5'],
    job: 'makes a picture, scales it, and reads it again',
    result: { width: 16, height: 8, format: 'webp', colour: '336699' },
    note: 'native, in packages for platforms',
  },
  {
    packages: ['@napi-rs/canvas@0.1.80'],
    plugin: 'napi-rs-canvas',
    job: 'draws, encodes and decodes a PNG',
    result: { signature: PNG, inside: [255, 128, 0, 255], outside: [0, 0, 0, 0] },
    note: 'native, in packages for platforms; the image has no fonts, so bring the ones that you draw with',
  },
  {
    packages: ['pdf-lib@1.17.1'],
    job: 'writes a PDF and reads it again',
    result: { title: 'Minutes', pages: 2, size: { width: 200, height: 100 } },
  },
  {
    packages: ['pdfkit@0.17.2'],
    job: 'writes a PDF with the fonts of the package',
    result: { begins: '%PDF-', pages: 2, font: true },
  },
  {
    packages: ['exceljs@4.4.0'],
    job: 'writes a spreadsheet with a formula and reads it again',
    result: { first: 'apples', formula: 'SUM(B1:B2)', result: 7 },
  },
  {
    packages: ['xlsx@0.18.5'],
    job: 'turns records into a spreadsheet and that into CSV',
    result: { sheets: ['People'], csv: 'name,born\nAda,1815' },
  },
  {
    packages: ['handlebars@4.7.8'],
    job: 'compiles and fills a template',
    result: 'Dear Ada &amp; Co, 0: tea; 1: cake;',
  },
  {
    packages: ['luxon@3.7.2'],
    job: 'converts between time zones and writes a date in German',
    result: {
      utc: '2026-07-01T07:30:00.000Z',
      tokyo: '2026-07-01 16:30',
      german: 'Mittwoch, 1. Juli',
    },
  },
  {
    packages: ['date-fns@4.1.0'],
    job: 'adds months and counts days',
    result: { due: '2026-02-28', days: 328 },
  },
  {
    packages: ['marked@16.4.1'],
    job: 'turns Markdown into HTML',
    result: '<h1>Title</h1>\n<ul>\n<li><em>one</em></li>\n<li><code>two</code></li>\n</ul>\n',
  },
  {
    packages: ['cheerio@1.1.2'],
    job: 'reads numbers out of HTML',
    result: { numbers: [1, 2], names: 'ab' },
  },
  {
    packages: ['jsdom@27.0.1'],
    job: 'changes a document',
    result: '<ul><li>one</li><li>two</li></ul>',
  },
  {
    packages: ['turndown@7.2.2'],
    job: 'turns HTML into Markdown',
    result: 'Title\n=====\n\nSee [this](/a).',
  },
  {
    packages: ['zod@4.1.12'],
    job: 'checks and converts values',
    result: { amount: 2.5, problems: ['id', 'amount'] },
  },
  {
    packages: ['ajv@8.17.1'],
    job: 'compiles a JSON Schema and checks values',
    result: { good: true, bad: false, problems: 2 },
  },
  {
    packages: ['mathjs@15.0.0'],
    job: 'determinant, derivative, units',
    result: { det: 5, derivative: '2 * x + 3', length: 5 },
  },
  {
    packages: ['fflate@0.8.2'],
    job: 'zips and unzips',
    result: { small: true, text: 6000 },
  },
  {
    packages: ['pako@2.1.0'],
    job: 'compresses what zlib of Node unpacks',
    result: 'from pako to zlib',
  },
  {
    packages: ['papaparse@5.5.3'],
    job: 'reads and writes CSV',
    result: {
      data: [
        { name: 'Ada', note: 'a, "b"' },
        { name: 'Bob', note: '' },
      ],
      again: 'name,note\nAda,"a, ""b"""\nBob,',
    },
  },
  {
    packages: ['csv-parse@6.1.0'],
    job: 'reads CSV with numbers',
    result: [{ a: 1, b: 'x;y' }],
  },
  {
    packages: ['sql.js@1.13.0'],
    plugin: 'sql-js',
    job: 'a database: tables, sums, export',
    result: { values: [[7, 'Bonn,Ulm']], again: 2 },
    note: 'WebAssembly',
  },
  {
    packages: ['better-sqlite3@13.2.0'],
    job: 'a database in memory',
    result: { total: 6 },
    note: 'native, in its own tarball',
  },
  {
    packages: ['better-sqlite3@12.4.1'],
    plugin: 'better-sqlite3-12',
    job: 'the same',
    fails: {
      hint: '`better-sqlite3@12.4.1` has a native part',
      why: 'its install script would fetch the native part; 13 brings it along',
    },
  },
  {
    packages: ['@node-rs/crc32@1.10.6'],
    plugin: 'node-rs-crc32',
    job: 'the checksum of a text',
    result: { same: true, value: 2_841_913_987 },
    note: 'native, in packages for platforms',
  },
  {
    packages: ['bcrypt@6.0.0'],
    job: 'hashes and compares',
    result: { right: true, wrong: false },
    note: 'native, in its own tarball',
  },
  {
    packages: ['argon2@0.44.0'],
    job: 'hashes and compares',
    result: { kind: '$argon2id$', right: true, wrong: false },
    note: 'native, in its own tarball',
  },
  {
    packages: ['lightningcss@1.30.2'],
    job: 'makes CSS smaller',
    result: '.a{color:red;& .b{margin:0}}',
    note: 'native, in packages for platforms',
  },
  {
    packages: ['msgpackr@1.11.5'],
    job: 'packs and unpacks',
    result: { native: true, back: { list: [1, 'two'], big: 2 ** 40 } },
    note: 'native where it can, in packages for platforms',
  },
  {
    packages: ['esbuild@0.25.11'],
    job: 'compiles TypeScript by its own program',
    exec: true,
    result: 'const twice=e=>e*2;\n',
    note: 'a program in packages for platforms: needs `"exec": true`',
  },
  {
    packages: ['pino@10.1.0'],
    job: 'logs to the standard output',
    result: 'logged',
    logs: ['{"level":30,"user":7,"msg":"first"}', '{"level":40,"part":"b","msg":"second"}'],
  },
  {
    packages: ['pino@10.1.0'],
    plugin: 'pino-transport',
    job: 'logs by a transport, which is a worker thread',
    result: 'logged',
    logs: [1, 2, 3].map((line) => `{"level":30,"msg":"line ${line}"}`),
  },
  ...['got@14.6.1', 'axios@1.13.1', 'undici@7.16.0'].map((client) => ({
    packages: [client],
    job: 'asks a server on its own loopback, and one elsewhere',
    asksFar: true as const,
    result: { path: '/a?b=1' },
    note: 'other hosts need `"network": true`; without it the error says so',
  })),
  {
    packages: ['yaml@2.8.1'],
    job: 'reads and writes YAML with anchors',
    result: {
      settings: { name: 'a', list: [1, 2], base: { x: 1 }, other: { x: 1 } },
      again: 'list:\n  - 1\n  - 2\n',
    },
  },
  {
    packages: ['lodash@4.17.21'],
    job: 'groups, merges, fills a template',
    result: { groups: { 1: [1.2, 1.8], 2: [2.1] }, template: 'Hi Ada', merged: { a: { b: 1, c: 2 } } },
  },
  {
    packages: ['compromise@14.14.4'],
    job: 'tenses and names in English',
    result: { past: 'She sold seashells', people: ['Ada Lovelace', 'Charles Babbage.'] },
  },
  {
    packages: ['diff@8.0.2'],
    job: 'makes and applies a patch',
    result: { hunk: true, applied: 'one\n2\n' },
  },
  {
    packages: ['qrcode@1.5.4'],
    job: 'a QR code as a picture and as text',
    result: { size: 25, signature: PNG, text: true },
  },
  {
    packages: ['chalk@5.6.2'],
    job: 'colours',
    result: '\u001b[31m\u001b[1mstop\u001b[22m\u001b[39m',
  },
  {
    packages: ['chalk@2.4.2'],
    plugin: 'chalk-2',
    job: 'colours, by `__proto__` as it was written then',
    result: '\u001b[31m\u001b[1mstop\u001b[22m\u001b[39m',
  },
  {
    packages: ['uuid@13.0.0'],
    job: 'random and named ids',
    result: { valid: true, named: '05149b90-bca9-5cf7-9708-f45959ecfde6' },
  },
  {
    packages: ['fast-xml-parser@5.3.0'],
    job: 'reads and writes XML with attributes',
    result: {
      read: {
        a: {
          b: [
            { '#text': 'x', '@_n': '1' },
            { '#text': 'y', '@_n': '2' },
          ],
        },
      },
      again: '<a><b n="1">x</b><b n="2">y</b></a>',
    },
  },
  {
    packages: ['iconv-lite@0.7.0'],
    job: 'Shift_JIS and Windows-1252',
    result: { japanese: '日本', western: '312080' },
  },
  {
    packages: ['js-tiktoken@1.0.21'],
    job: 'counts tokens of a model',
    result: { tokens: [15_339, 1917], text: 'hello world' },
  },
  {
    packages: ['fuse.js@7.1.0'],
    plugin: 'fuse',
    job: 'finds a word in spite of a slip',
    result: 'apple',
  },
  {
    packages: ['nanoid@5.1.6'],
    job: 'ids of an alphabet',
    result: true,
  },
];

/** The file below `packages/`. */
export function pluginOf({ packages, plugin }: TriedPackage): string {
  const [first = ''] = packages;
  return plugin ?? first.slice(0, first.lastIndexOf('@'));
}
