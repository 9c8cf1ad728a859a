import { posix } from 'node:path';
import type { Problem } from '../errors.ts';
import { escapeControls } from '../printable.ts';
import type { PluginFile, PluginLink } from './digest.ts';

/** Links that one path may lead over; the kernel has the same limit. */
const MAX_HOPS = 40;
/** Average number of names in the target of a link; the targets that pnpm writes have about six. */
const STEPS_EACH = 20;
const MIN_STEPS = 10_000;

interface Place {
  readonly kind: 'file' | 'folder';
  readonly path: string;
}
type Resolved = Place | { readonly fault: string };

export interface ResolvedLinks {
  /** Links to files, as the files that they name. */
  readonly copies: readonly PluginFile[];
  /** Links to folders, which stay links: what lies there finds its own packages by where it lies. */
  readonly links: readonly PluginLink[];
  readonly problems: readonly Problem[];
}

/**
 * Where the links of a folder lead, judged by what was found in it and without looking at the disk again. One that leads out, to
 * nothing that is packed, or in a circle, is a problem. `texts`: what each link says, by its path.
 */
export function resolveLinks(
  texts: ReadonlyMap<string, string>,
  files: readonly PluginFile[],
  root: string,
): ResolvedLinks {
  const resolver = new LinkResolver(texts, files, root);
  const copies: PluginFile[] = [];
  const links: PluginLink[] = [];
  const problems: Problem[] = [];
  // Sorted, so that the same folder gives the same problems everywhere.
  for (const path of [...texts.keys()].sort()) {
    const place = resolver.resolve(path, 0);
    if ('fault' in place)
      problems.push({ path: escapeControls(path), message: `is a symbolic link that ${place.fault}` });
    else if (place.kind === 'folder') {
      const target = posix.relative(`/${posix.dirname(path)}`, `/${place.path}`);
      links.push({ path, target: target === '' ? '.' : target });
    } else copies.push({ ...resolver.file(place.path), path, from: place.path });
  }
  return { copies, links, problems };
}

class LinkResolver {
  readonly #texts: ReadonlyMap<string, string>;
  readonly #files: ReadonlyMap<string, PluginFile>;
  readonly #folders: ReadonlySet<string>;
  readonly #root: string;
  readonly #known = new Map<string, Resolved>();
  #steps = 0;

  constructor(texts: ReadonlyMap<string, string>, files: readonly PluginFile[], root: string) {
    this.#texts = texts;
    this.#files = new Map(files.map((file) => [file.path, file]));
    this.#folders = foldersOf([...this.#files.keys(), ...texts.keys()]);
    this.#root = root;
  }

  file(path: string): PluginFile {
    return this.#files.get(path) as PluginFile;
  }

  resolve(path: string, hops: number): Resolved {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    if (hops > MAX_HOPS) return { fault: `leads over more than ${MAX_HOPS} others` };
    this.#known.set(path, { fault: 'leads in a circle' });
    const place = this.#follow(path, this.#texts.get(path) as string, hops);
    this.#known.set(path, place);
    return place;
  }

  #follow(path: string, text: string, hops: number): Resolved {
    const isAbsolute = text.startsWith('/');
    if (isAbsolute && !text.startsWith(`${this.#root}/`)) return { fault: LEADS_OUT };
    const names = (isAbsolute ? text.slice(this.#root.length) : text)
      .split('/')
      .filter((name) => name !== '' && name !== '.');
    this.#steps += names.length;
    if (this.#steps > Math.max(MIN_STEPS, this.#texts.size * STEPS_EACH))
      return { fault: 'leads, with the others, over too long a way' };
    let at: Place = { kind: 'folder', path: isAbsolute ? '' : parentOf(path) };
    for (const name of names) {
      const next = this.#step(at, name, hops);
      if ('fault' in next) return next;
      at = next;
    }
    return at;
  }

  #step(at: Place, name: string, hops: number): Resolved {
    if (at.kind === 'file') return { fault: LEADS_TO_NOTHING };
    if (name === '..')
      return at.path === '' ? { fault: LEADS_OUT } : { kind: 'folder', path: parentOf(at.path) };
    const path = at.path === '' ? name : `${at.path}/${name}`;
    if (this.#folders.has(path)) return { kind: 'folder', path };
    if (this.#files.has(path)) return { kind: 'file', path };
    return this.#texts.has(path) ? this.resolve(path, hops + 1) : { fault: LEADS_TO_NOTHING };
  }
}

const LEADS_OUT =
  'leads out of the plugin folder; put what it leads to into the folder, or install without links';
const LEADS_TO_NOTHING = 'leads to nothing that is packed';

function foldersOf(paths: readonly string[]): ReadonlySet<string> {
  const folders = new Set<string>();
  for (const path of paths)
    for (let above = parentOf(path); above !== '' && !folders.has(above); above = parentOf(above))
      folders.add(above);
  return folders;
}

function parentOf(path: string): string {
  const end = path.lastIndexOf('/');
  return end === -1 ? '' : path.slice(0, end);
}
