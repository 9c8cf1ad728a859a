import { lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { isAbsolute, join, parse, resolve, sep } from 'node:path';

const MAX_LINKS = 40;

/**
 * Every place that decides where a path leads: each link on the way, in its folder's real place, and last the real path itself.
 * What is not there yet is taken as it is written, also where a link leads to it.
 */
export function stepsTo(path: string): string[] {
  const links: string[] = [];
  const { root } = parse(path);
  let at = root;
  const ahead = path.slice(root.length).split(sep).reverse();
  for (let part = ahead.pop(); part !== undefined; part = ahead.pop()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      at = join(at, '..');
      continue;
    }
    const next = join(at, part);
    const target = links.length < MAX_LINKS ? linkTarget(next) : null;
    if (target === null) {
      at = next;
      continue;
    }
    links.push(next);
    if (isAbsolute(target)) at = parse(target).root;
    ahead.push(...target.split(sep).reverse());
  }
  return [...links, at];
}

function linkTarget(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null;
  } catch {
    return null;
  }
}

/** The absolute path without links; one that is not there yet is taken as it is written. */
export function withoutLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
