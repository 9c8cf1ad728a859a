// Which tests prove which promise: a test cites the ids at the end of its title, a case of the corpus in its `expect.json`.

import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { PROMISES, type PromiseId } from '../src/promises.ts';

const ROOT = join(import.meta.dirname, '..');
const CORPUS = 'test/container/abuse';

export interface Citation {
  readonly promise: string;
  /** Relative to the root of the checkout. */
  readonly file: string;
  readonly title: string;
}

/** Every citation, in the order of files and of titles in them. */
export function findCitations(root: string = ROOT): Citation[] {
  const read = (file: string): string => readFileSync(join(root, file), 'utf8');
  const tests = globSync('test/**/*.test.ts', { cwd: root }).sort();
  const cases = globSync(`${CORPUS}/*/expect.json`, { cwd: root }).sort();
  return [
    ...tests.flatMap((file) => citationsInTest(file, read(file))),
    ...cases.flatMap((file) => citationsInCase(file, read(file))),
  ];
}

/** A title is a string that ends with ids in parentheses, as in `nothing is left (P2, P7)`. */
const TITLE = /(['"`])((?:\\.|(?!\1)[^\\\n])*?)\s*\((P\d+(?:, P\d+)*)\)\1/g;

function citationsInTest(file: string, code: string): Citation[] {
  return [...code.matchAll(TITLE)].flatMap(([, , title = '', ids = '']) =>
    ids.split(', ').map((promise) => ({ promise, file, title: readable(title) })),
  );
}

/** Of a table of tests there is one title, with a place for what differs. */
function readable(title: string): string {
  return title.replaceAll('\\', '').replaceAll(/%[sdj]|\$[\w.]+/g, '…');
}

function citationsInCase(file: string, text: string): Citation[] {
  const { title, promises } = JSON.parse(text) as { title: string; promises: string[] };
  return promises.map((promise) => ({ promise, file: dirname(file), title }));
}

/** For the page on threats: what is promised, and below it everything that proves it. */
export function promiseList(citations: readonly Citation[] = findCitations()): string {
  return Object.entries(PROMISES)
    .map(([id, text]) => describe(id as PromiseId, text, citations))
    .join('\n\n');
}

function describe(id: PromiseId, text: string, citations: readonly Citation[]): string {
  const own = citations.filter(({ promise }) => promise === id);
  const [cases, tests] = [own.filter(isCase), own.filter((citation) => !isCase(citation))];
  const files = [...new Set(tests.map(({ file }) => file))];
  return [
    `### ${id}\n\n${text}\n`,
    ...files.map((file) => `- ${link(file)}: ${titlesIn(file, tests)}`),
    ...(cases.length === 0 ? [] : [`- ${cases.length} hostile plugins: ${cases.map(name).join(', ')}`]),
  ].join('\n');
}

function isCase({ file }: Citation): boolean {
  return file.startsWith(`${CORPUS}/`);
}

function titlesIn(file: string, citations: readonly Citation[]): string {
  const titles = citations.filter((citation) => citation.file === file).map(({ title }) => title);
  return titles.map((title) => `“${title}”`).join(', ');
}

function name({ file }: Citation): string {
  return `[\`${basename(file)}\`](../${file}/expect.json)`;
}

function link(file: string): string {
  return `[${file}](../${file})`;
}
