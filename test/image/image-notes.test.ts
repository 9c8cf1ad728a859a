import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ContentSurvey } from '../../src/image/content-survey.ts';
import { imageNotes, readImageNotes, toNoteLabels } from '../../src/image/image-notes.ts';
import type { LayerEntry } from '../../src/image/layer.ts';
import { findLibraries } from '../../src/image/libraries.ts';
import { type OfferedLibraries, offeredLibraries } from '../../src/image/offered-libraries.ts';
import { elfFile } from '../helpers/elf-file.ts';

const AMD64 = { machine: 62 };
const ARM64 = { machine: 183 };

/** Of an image with glibc 2.36. */
const LIBRARIES: OfferedLibraries = {
  has: (library) => ['libc.so.6', 'libm.so.6', 'libresolv.so.2', 'librt.so.1'].includes(library),
  lacks: (_, version) => version === 'GLIBC_2.38',
  newest: () => 'GLIBC_2.36',
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'image-notes-'));
});
afterAll(() => rm(folder, { recursive: true }));

type Files = Readonly<Record<string, object | string | Buffer>>;

async function survey(files: Files, chunkBytes = 10): Promise<ContentSurvey> {
  const looked = new ContentSurvey(folder);
  async function* entries(): AsyncGenerator<LayerEntry> {
    for (const [path, written] of Object.entries(files)) {
      if (typeof written === 'string' && written.startsWith('-> ')) {
        yield { path: `plugin/${path}`, type: 'link', target: written.slice('-> '.length) };
        continue;
      }
      const isText = typeof written === 'string' || Buffer.isBuffer(written);
      const bytes = Buffer.from(isText ? written : JSON.stringify(written));
      const stream = (async function* () {
        for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
      })();
      yield { path: `plugin/${path}`, type: 'file', content: { stream, sizeBytes: bytes.length } };
    }
  }
  for await (const { content, path } of looked.watch(entries()) as AsyncIterable<
    LayerEntry & { content: { stream: AsyncIterable<Buffer> } }
  >) {
    if (content === undefined) continue;
    const passed: Buffer[] = [];
    for await (const chunk of content.stream) passed.push(chunk);
    const written = files[path.slice('plugin/'.length)];
    if (Buffer.isBuffer(written)) expect(Buffer.concat(passed).equals(written)).toBe(true);
  }
  expect(await readdir(folder)).toEqual([]);
  return looked;
}

async function notesOn(files: Files, dependencies: readonly string[] = []): Promise<string[]> {
  return imageNotes(await survey(files), { architecture: 'amd64', libraries: LIBRARIES }, dependencies);
}

const at = (name: string, files: Files, more: object = {}): Files => ({
  [`node_modules/${name}/package.json`]: { name, version: '1.2.3', ...more },
  ...Object.fromEntries(
    Object.entries(files).map(([path, content]) => [`node_modules/${name}/${path}`, content]),
  ),
});

describe('the needs of native files', () => {
  const addon = (parts = {}) => elfFile({ ...AMD64, needed: ['libc.so.6'], ...parts });

  test.each<[string, Files]>([
    [
      'is in the image',
      at('a', { 'a.node': addon({ needed: ['libc.so.6', 'libresolv.so.2', 'librt.so.1'] }) }),
    ],
    [
      'lies beside the file, which says so',
      at('a', {
        'lib/a.node': addon({ needed: ['libb.so.42', 'libc.so.6'], runpath: '$ORIGIN' }),
        'lib/libb.so.42': elfFile(AMD64),
      }),
    ],
    [
      'lies in another package, as that of sharp does',
      {
        ...at('@img/sharp-linux-x64', {
          'lib/sharp.node': addon({
            needed: ['libvips-cpp.so.8.17.3'],
            // biome-ignore lint/suspicious/noTemplateCurlyInString: that is how linkers write it
            runpath: '/usr/lib/none:${ORIGIN}/../../sharp-libvips-linux-x64/lib',
          }),
        }),
        ...at('@img/sharp-libvips-linux-x64', { 'lib/libvips-cpp.so.8.17.3': addon() }),
      },
    ],
    [
      'is found where the file above looks, in the older way',
      at('a', {
        'a.node': addon({ needed: ['libb.so'], rpath: '$ORIGIN/deps' }),
        'deps/libb.so': addon({ needed: ['libc2.so'] }),
        'deps/libc2.so': addon(),
      }),
    ],
    [
      'is met by one of many builds for platforms',
      at('a', {
        'prebuilds/linux-x64/a.glibc.node': addon(),
        'prebuilds/linux-x64/a.musl.node': addon({ needed: ['libc.musl-x86_64.so.1'] }),
        'prebuilds/linux-arm64/a.node': elfFile({ ...ARM64, needed: ['libgone.so'] }),
        'prebuilds/freebsd-x64/a.node': addon({ abi: 9, needed: ['libthr.so.3'] }),
        'prebuilds/openbsd-x64/a.node': addon({ needed: ['libc.so.96.0'] }),
        'prebuilds/darwin-x64/a.node': Buffer.alloc(200, 0xcf),
      }),
    ],
    [
      'is met by one of many builds, of which some are for a newer glibc or do not say for which system they are',
      at('a', {
        'linux/glibc-115/a.node': addon({ versions: { 'libc.so.6': ['GLIBC_2.38'] } }),
        'linux/glibc-137/a.node': addon(),
        'openbsd_x64/a.node': addon({ needed: ['libc++.so.9.0', 'libpthread.so.26.1'] }),
      }),
    ],
    [
      'does not matter for a library that no addon needs',
      at('a', {
        'a.node': addon({ needed: ['libb.so'], runpath: '$ORIGIN' }),
        'libb.so': addon(),
        'libb_cuda.so': addon({ needed: ['libcudart.so.12'] }),
      }),
    ],
  ])('%s', async (_, files) => {
    expect(await notesOn(files)).toEqual([]);
  });

  test.each<[string, Files, RegExp[]]>([
    [
      'a library that nobody has',
      at('a', { 'build/a.node': addon({ needed: ['libGL.so.1', 'libX11.so.6', 'libc.so.6'] }) }),
      [
        /^`a@1\.2\.3`: "build\/a\.node" needs libGL\.so\.1, libX11\.so\.6, which neither .* have, and cannot be loaded/,
      ],
    ],
    [
      'a library that a library of the package needs',
      at('a', {
        'a.node': addon({ needed: ['libb.so'], runpath: '$ORIGIN' }),
        'libb.so': addon({ needed: ['libgone.so'] }),
      }),
      [/"libb\.so" needs libgone\.so, which neither/],
    ],
    [
      'a library that lies where the loader does not look',
      at('a', { 'a.node': addon({ needed: ['libb.so'] }), 'deps/libb.so': addon() }),
      [/needs libb\.so, which lies at "node_modules\/a\/deps\/libb\.so", where the loader does not look/],
    ],
    [
      'a library of another architecture beside the file',
      at('a', { 'a.node': addon({ needed: ['libb.so'], runpath: '$ORIGIN' }), 'libb.so': elfFile(ARM64) }),
      [/needs libb\.so, which lies at/],
    ],
    [
      'a newer glibc',
      at('a', { 'a.node': addon({ versions: { 'libc.so.6': ['GLIBC_2.4', 'GLIBC_2.38'] } }) }),
      [/needs GLIBC_2\.38 of libc\.so\.6 \(the image has GLIBC_2\.36 at most\).*newer host/],
    ],
    [
      'builds for others alone',
      at('a', {
        'a.win.node': Buffer.from('MZ'.repeat(100)),
        'a.arm.node': elfFile(ARM64),
        'a.musl.node': addon({ needed: ['libc.so'] }),
      }),
      [
        /^`a@1\.2\.3` has native parts for other platforms only \(another system, another architecture, musl\)/,
      ],
    ],
    [
      'a file of the plugin itself',
      { 'lib/own.node': addon({ needed: ['libz.so.1'] }) },
      [/^The plugin: "lib\/own\.node" needs libz/],
    ],
    [
      'a package inside of another one',
      {
        ...at('a', {}),
        ...at('a/node_modules/b', { 'b.node': addon({ needed: ['libgone.so'] }) }, { name: 'b' }),
      },
      [/^`b@1\.2\.3`: "b\.node"/],
    ],
  ])('are reported when they are missing: %s', async (_, files, expected) => {
    const notes = await notesOn(files);
    expect(notes).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
  });

  test('are compared with the libraries of this host if the base image has those', async () => {
    const found = await findLibraries(process.arch === 'arm64' ? 'arm64' : 'amd64');
    const plan = { method: 'assemble', libraries: found } as unknown as Parameters<
      typeof offeredLibraries
    >[0];
    const offered = offeredLibraries(plan);
    expect(['libresolv.so.2', 'librt.so.1', 'libstdc++.so.6'].map(offered.has)).toEqual([true, true, true]);
    expect(offered.has('libssl.so.3')).toBe(false);
    expect(offered.lacks('libc.so.6', 'GLIBC_2.34')).toBe(false);
    expect(offered.lacks('libc.so.6', 'GLIBC_9.1')).toBe(true);
    expect(offered.newest('libc.so.6', 'GLIBC_9.1')).toMatch(/^GLIBC_2\.\d\d$/);
  });

  test('are compared with bookworm if the base image is built from the Dockerfile', () => {
    const plan = { method: 'dockerfile' } as unknown as Parameters<typeof offeredLibraries>[0];
    const offered = offeredLibraries(plan);
    expect(offered.has('libresolv.so.2')).toBe(true);
    expect(offered.lacks('libc.so.6', 'GLIBC_2.9')).toBe(false);
    expect(offered.lacks('libc.so.6', 'GLIBC_2.38')).toBe(true);
    expect(offered.lacks('libc.so.6', 'GLIBC_PRIVATE')).toBe(false);
    expect(offered.lacks('libstdc++.so.6', 'GLIBCXX_3.4.31')).toBe(true);
  });
});

describe('a package with an install script', () => {
  const scripts = (install: string, kind = 'install') => ({ scripts: { [kind]: install } });
  const works = elfFile({ ...AMD64, needed: ['libc.so.6'] });

  test.each<[string, Files]>([
    ['whose build came along', at('a', { 'prebuilds/linux-x64/a.node': works }, scripts('node-gyp-build'))],
    [
      'whose build comes in packages for platforms',
      {
        ...at(
          'a',
          {},
          {
            ...scripts('node install/check.js || npm run build'),
            optionalDependencies: { 'a-linux-x64': '1' },
          },
        ),
        ...at('a-linux-x64', { 'a.node': works }),
      },
    ],
    [
      'whose program comes in packages for platforms',
      {
        ...at(
          'esbuild',
          {},
          {
            ...scripts('node install.js', 'postinstall'),
            optionalDependencies: { '@esbuild/linux-x64': '1' },
          },
        ),
        ...at('@esbuild/linux-x64', { 'bin/esbuild': works }),
      },
    ],
    [
      'that asks for money',
      at('a', {}, scripts(`node -e "try{require('./postinstall')}catch(e){}"`, 'postinstall')),
    ],
    ['that may fail', at('a', {}, scripts('node-gyp rebuild || exit 0'))],
    ['that is known to do without', at('protobufjs', {}, scripts('node scripts/postinstall', 'postinstall'))],
    [
      'that others do without',
      {
        ...at('b', {}, { optionalDependencies: { a: '1' }, dependencies: { a: '1' } }),
        ...at('a', { 'binding.gyp': '{}' }),
      },
    ],
    ['of its development only', at('a', {}, scripts('husky', 'prepare'))],
    ['that says not to compile it', at('a', { 'binding.gyp': '{}' }, { gypfile: false })],
  ])('is not reported: %s', async (_, files) => {
    expect(await notesOn(files)).toEqual([]);
  });

  test.each<[string, Files, string]>([
    [
      'that builds it',
      at('better-sqlite3', {}, scripts('prebuild-install || node-gyp rebuild')),
      'has a native part.*Instead: `node:sqlite`',
    ],
    [
      'that npm makes up for it',
      at('a', { 'binding.gyp': '{}' }),
      'has a native part that its install script \\("node-gyp rebuild"\\)',
    ],
    [
      'that fetches something',
      at('a', {}, scripts('node install.js', 'postinstall')),
      'has an install script \\("node install.js"\\)',
    ],
    [
      'whose build came for another platform',
      {
        ...at('a', {}, { ...scripts('napi-build'), optionalDependencies: { b: '1' } }),
        ...at('b', { 'b.node': elfFile(ARM64) }),
      },
      'has a native part',
    ],
  ])('is reported: %s', async (_, files, expected) => {
    const told = await notesOn(files);
    expect(
      told.some((note) => new RegExp(`^\`[\\w-]+@1\\.2\\.3\` ${expected}`).test(note)),
      told.join('\n'),
    ).toBe(true);
  });

  test('is reported if the plugin itself requires it, although another package can do without', async () => {
    const files = {
      ...at('b', {}, { optionalDependencies: { a: '1' } }),
      ...at('a', { 'binding.gyp': '{}' }),
    };
    expect(await notesOn(files, ['b', 'a'])).toHaveLength(1);
  });
});

describe('packages that pnpm laid out', () => {
  const pnpm = (folder: string, name: string) => `node_modules/.pnpm/${folder}/node_modules/${name}`;
  const sharp = (library: string): Files => ({
    'node_modules/sharp': '-> .pnpm/sharp@1.0.0/node_modules/sharp',
    [`${pnpm('sharp@1.0.0', 'sharp')}/package.json`]: {
      name: 'sharp',
      version: '1.0.0',
      scripts: { install: 'node-gyp rebuild' },
      optionalDependencies: { '@img/sharp-linux-x64': '1' },
    },
    [pnpm('sharp@1.0.0', '@img/sharp-linux-x64')]: '-> ../../../@img+x@1/node_modules/@img/sharp-linux-x64',
    [`${pnpm('@img+x@1', '@img/sharp-linux-x64')}/package.json`]: { name: '@img/sharp-linux-x64' },
    [`${pnpm('@img+x@1', '@img/sharp-linux-x64')}/lib/sharp.node`]: elfFile({
      ...AMD64,
      needed: ['libvips.so.8'],
      runpath: '$ORIGIN/../../sharp-libvips-linux-x64/lib',
    }),
    [pnpm('@img+x@1', '@img/sharp-libvips-linux-x64')]:
      '-> ../../../@img+v@1/node_modules/@img/sharp-libvips-linux-x64',
    [`${pnpm('@img+v@1', '@img/sharp-libvips-linux-x64')}/lib/${library}`]: elfFile(AMD64),
  });

  test('are found behind their links', async () => {
    expect(await notesOn(sharp('libvips.so.8'))).toEqual([]);
  });

  test('are reported by their names', async () => {
    expect(await notesOn(sharp('libvips.so.9'))).toEqual([
      expect.stringMatching(/^`@img\/sharp-linux-x64`: "lib\/sharp\.node" needs libvips\.so\.8/),
      expect.stringMatching(/^`sharp@1\.0\.0` has a native part/),
    ]);
  });

  test('cause no endless walk', async () => {
    const circle = { 'node_modules/a': '-> b', 'node_modules/b': '-> a', 'node_modules/c': '-> c/c' };
    expect(
      await notesOn({ ...circle, ...at('d', {}, { dependencies: { a: '1', b: '1', c: '1' } }) }),
    ).toEqual([]);
  });
});

describe('untrusted packages', () => {
  test('have their names escaped and cut (P10)', async () => {
    const many = Object.assign(
      {},
      ...Array.from({ length: 50 }, (_, index) =>
        at(
          `a${index}`,
          {},
          { name: `a\u001b[2J\n${'x'.repeat(5_000)}`, scripts: { install: '\u202e'.repeat(900) } },
        ),
      ),
    );
    const notes = await notesOn(many);
    expect(notes).toHaveLength(11);
    expect(notes.at(-1)).toBe('40 more notes of this kind are left out.');
    expect(notes.join('')).not.toMatch(/[\u0000-\u001f\u202e]/);
    expect(Buffer.byteLength(JSON.stringify(notes))).toBeLessThan(10_000);
  });

  test.each<[string, Files]>([
    ['no JSON', { 'node_modules/a/package.json': '{' }],
    ['a list', { 'node_modules/a/package.json': '[]' }],
    [
      'values of other types',
      { 'node_modules/a/package.json': { name: 7, scripts: 'x', dependencies: [1] } },
    ],
    ['no end', { 'node_modules/a/package.json': `{"name":"${'x'.repeat(200_000)}"}` }],
    [
      'names that objects have',
      at('constructor', {}, { dependencies: { ['__proto__']: '1', toString: '1' } }),
    ],
  ])('do no harm with a package.json with %s', async (_, files) => {
    expect(await notesOn(files)).toEqual([]);
  });

  test('cannot make the check of native files slow (P10)', async () => {
    const needed = Array.from({ length: 128 }, (_, index) => `lib${index}.so`);
    const runpath = Array.from({ length: 64 }, (_, index) => `$ORIGIN/${index}`).join(':');
    const files = Object.fromEntries(
      Array.from({ length: 600 }, (_, index) => [`${index}.node`, elfFile({ ...AMD64, needed, runpath })]),
    );
    const looked = await survey(files, 100_000);
    expect(looked.leftOut).toBe(100);
    const beganAt = performance.now();
    const notes = imageNotes(looked, { architecture: 'amd64', libraries: LIBRARIES }, []);

    expect(performance.now() - beganAt).toBeLessThan(3_000);
    expect(notes.at(-1)).toBe('100 more native files were not looked at.');
  });

  test('take little memory, however large their metadata (P10)', async () => {
    const long = 'x'.repeat(10_000);
    const versions = {
      'libc.so.6': Array.from({ length: 300 }, (_, index) => `GLIBC_${index}`),
      [long]: [long],
    };
    const looked = await survey({
      ...at('a', {}, { version: long, scripts: { install: long }, dependencies: { [long]: '1', b: '1' } }),
      'a.node': elfFile({ ...AMD64, needed: [long, 'libc.so.6'], versions }),
    });
    const { version, scripts, requires } = looked.packages.get('node_modules/a') ?? {};
    expect([version?.length, scripts?.install?.length, requires]).toEqual([256, 1_000, ['b']]);
    const needs = looked.natives.get('a.node');
    expect(needs?.libraries).toEqual(['libc.so.6']);
    expect([...(needs?.versions.keys() ?? [])]).toEqual(['libc.so.6']);
    expect(needs?.versions.get('libc.so.6')).toHaveLength(256);
  });

  test('cannot make the search for dependencies slow, behind links (P10)', async () => {
    const deep = Array.from({ length: 14 }, () => `node_modules/${'p'.repeat(18)}`).join('/');
    const files: Record<string, object | string> = { 'node_modules/link': '-> a' };
    for (let index = 0; index < 50; index++)
      files[`${deep}/node_modules/q${index}/package.json`] = {
        scripts: { install: 'node-gyp rebuild' },
        dependencies: Object.fromEntries(Array.from({ length: 390 }, (_, at) => [`x${index}-${at}`, '1'])),
      };
    const looked = await survey(files, 100_000);
    const beganAt = performance.now();
    const notes = imageNotes(looked, { architecture: 'amd64', libraries: LIBRARIES }, []);

    expect(performance.now() - beganAt).toBeLessThan(5_000);
    expect(notes).toHaveLength(11);
  });

  test('cannot make the search in the folders of a native file slow, behind links (P10)', async () => {
    const deep = `node_modules/${'d/'.repeat(50)}`;
    const runpath = Array.from({ length: 8 }, (_, index) => `${'$ORIGIN'.repeat(12)}/${index}`).join(':');
    const needed = Array.from({ length: 128 }, (_, index) => `lib${index}.so`);
    const files: Record<string, string | Buffer> = { 'node_modules/link': '-> a' };
    for (let index = 0; index < 20; index++)
      files[`${deep}${index}.node`] = elfFile({ ...AMD64, needed, runpath });
    const looked = await survey(files, 100_000);
    const beganAt = performance.now();
    imageNotes(looked, { architecture: 'amd64', libraries: LIBRARIES }, []);

    expect(performance.now() - beganAt).toBeLessThan(1_000);
  });
});

test('notes in the labels of a foreign image are few, short and escaped (P10)', () => {
  const notes = readImageNotes(toNoteLabels(['\u001b[2J', ...Array<string>(50).fill('x'.repeat(1_000))]));
  expect(notes).toEqual(['\\u001b[2J', ...Array<string>(11).fill('x'.repeat(800))]);
  expect(readImageNotes(toNoteLabels(['x'.repeat(100_000)]))).toEqual([]);
});

test('notes are read back from the labels of an image, and other labels are ignored', () => {
  expect(readImageNotes(toNoteLabels(['one', 'two']))).toEqual(['one', 'two']);
  expect(toNoteLabels([])).toEqual({});
  for (const text of ['', '{', '[1]', '"x"'])
    expect(readImageNotes({ 'lurkbox.image-notes': text })).toEqual([]);
});
