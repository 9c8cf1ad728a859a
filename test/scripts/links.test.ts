import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { brokenLinks } from '../../scripts/links.ts';

const ROOT = join(import.meta.dirname, '../..');

test('every link of the documentation leads to an existing file and heading', () => {
  expect(brokenLinks(ROOT)).toEqual([]);
});

test('a link to a missing file or heading is reported with its page', () => {
  expect(
    linksIn({
      'README.md': 'See [a](docs/gone.md), [b](docs/a.md#no), [c](#no) and [d](/etc/passwd/..//x)',
      'docs/a.md': '[up](../../README.md)',
    }),
  ).toEqual([
    'README.md links to `docs/gone.md`, and there is no such file.',
    'README.md links to `docs/a.md#no`, and that page has no such heading.',
    'README.md links to `#no`, and that page has no such heading.',
    'README.md links to `/etc/passwd/..//x`, and there is no such file.',
    'docs/a.md links to `../../README.md`, and there is no such file.',
  ]);
});

test('a file that a page names has to exist in the repository', () => {
  const pages = { 'README.md': 'See `src/gone.ts`, `docs/`, `src` and `node scripts/x.ts`.', 'src/a.ts': '' };
  expect(linksIn(pages)).toEqual(['README.md names `src/gone.ts`, and there is no such file.']);
});

test('headings have the anchors of GitHub, and code is skipped', () => {
  expect(
    linksIn({
      'README.md': [
        '# The manifest, `plugin.json`',
        '## Same',
        '## Same',
        '[1](#the-manifest-pluginjson) [2](#same) [3](#same-1) [4](docs/) [5](https://example.org/x#y)',
        'A `[link](gone.md)` in code, and',
        '```md',
        '# Not a heading',
        '[link](gone.md)',
        '```',
        '![picture](docs/a.md) [6](#not-a-heading)',
      ].join('\n'),
      'docs/a.md': '',
    }),
  ).toEqual(['README.md links to `#not-a-heading`, and that page has no such heading.']);
});

function linksIn(pages: Readonly<Record<string, string>>): string[] {
  const root = mkdtempSync(join(tmpdir(), 'lurkbox-links-'));
  try {
    for (const [page, text] of Object.entries(pages)) {
      mkdirSync(dirname(join(root, page)), { recursive: true });
      writeFileSync(join(root, page), text);
    }
    return brokenLinks(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}
