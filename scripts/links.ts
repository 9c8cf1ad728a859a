// Finds links of the documentation that lead nowhere: to a file that is not there, or to a heading that its page does not have.

import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const PAGES = ['*.md', 'docs/**/*.md', 'plugins/**/*.md', 'compose/*.md', 'bench/**/*.md'];

/** One sentence for each broken link of the pages below `root`. */
export function brokenLinks(root: string): string[] {
  return globSync(PAGES, { cwd: root, exclude: ['**/node_modules/**'] })
    .sort()
    .flatMap((page) => {
      const text = withoutCode(readFileSync(join(root, page), 'utf8'));
      return linksOf(text).flatMap((link) => faultOf(link, page, root));
    });
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

function withoutCode(page: string): string {
  return page.replace(FENCES, '').replace(/(`+)[^`]*?\1/g, '');
}
