// Finds what leads nowhere in the documentation: links to a file or a heading that is not there, and names of files of the
// checkout that are not there any more.

import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const PAGES = ['*.md', 'docs/**/*.md', 'plugins/**/*.md', 'compose/*.md', 'bench/**/*.md'];

/** One sentence for each broken link of the pages below `root`, and for each file that they name and that is gone. */
export function brokenLinks(root: string): string[] {
  return globSync(PAGES, { cwd: root, exclude: ['**/node_modules/**'] })
    .sort()
    .flatMap((page) => {
      const text = readFileSync(join(root, page), 'utf8').replace(FENCES, '');
      const gone = filesNamedIn(text).filter((path) => !existsSync(join(root, path)));
      return [
        ...linksOf(text.replace(CODE, '')).flatMap((link) => faultOf(link, page, root)),
        ...gone.map((path) => `${page} names \`${path}\`, and there is no such file.`),
      ];
    });
}

/** Files and folders of the checkout in `code`; one of another workspace begins with another folder. */
function filesNamedIn(text: string): string[] {
  return [...text.matchAll(/`((?:src|scripts|test|bench)\/[\w./-]*)`/g)].map(([, path = '']) => path);
}

function faultOf(link: string, page: string, root: string): string[] {
  if (/^[a-z][a-z+.-]*:/.test(link)) return []; // An address elsewhere.
  const [path = '', heading] = link.split('#');
  const target = path === '' ? join(root, page) : join(root, dirname(page), path);
  if (relative(root, target).startsWith('..') || !existsSync(target))
    return [`${page} links to \`${link}\`, and there is no such file.`];
  if (heading === undefined) return [];
  if (!target.endsWith('.md') || !statSync(target).isFile())
    return [`${page} links to \`${link}\`: only a page has headings.`];
  return headingsOf(readFileSync(target, 'utf8')).has(heading)
    ? []
    : [`${page} links to \`${link}\`, and that page has no such heading.`];
}

function linksOf(text: string): string[] {
  return [...text.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g)].map(([, link = '']) => link);
}

/** The names under which headings are reached, made as GitHub makes them. */
function headingsOf(page: string): Set<string> {
  const names = new Set<string>();
  for (const [, heading = ''] of page.replace(FENCES, '').matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const name = slugOf(heading);
    let unique = name;
    for (let count = 1; names.has(unique); count += 1) unique = `${name}-${count}`;
    names.add(unique);
  }
  return names;
}

function slugOf(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}\p{Pc} -]/gu, '')
    .replaceAll(' ', '-');
}

const FENCES = /^( *)(`{3,}).*\n[\s\S]*?^\1\2 *$/gm;
const CODE = /(`+)[^`]*?\1/g;
