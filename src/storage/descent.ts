import type { Folder } from './folder.ts';

/**
 * Goes down from one folder to files below it, in any order; fast where neighbours follow each other. Of each level one
 * folder is open, and no link is followed.
 */
export class Descent implements Disposable {
  readonly #root: Folder;
  readonly #makes: boolean;
  /** Those that are open, by the names on the way. */
  readonly #way: { readonly name: string; readonly folder: Folder }[] = [];

  /** `makes`: a folder that is not there is made. @default false */
  constructor(root: Folder, { makes = false } = {}) {
    this.#root = root;
    this.#makes = makes;
  }

  /** The folder that an entry is in, and its name there. The path has `/` between its parts. @throws PathError */
  async to(path: string): Promise<{ folder: Folder; name: string }> {
    const names = path.split('/');
    const name = names.pop() ?? '';
    const shared = this.#way.findIndex((step, index) => step.name !== names[index]);
    this.#leave(shared === -1 ? this.#way.length : shared);
    for (const next of names.slice(this.#way.length))
      this.#way.push({
        name: next,
        folder: this.#makes ? this.#last.makeFolder(next) : await this.#last.openFolder(next),
      });
    return { folder: this.#last, name };
  }

  /** Those that were gone down to; the root is whoever's who opened it. */
  [Symbol.dispose](): void {
    this.#leave(0);
  }

  get #last(): Folder {
    return this.#way.at(-1)?.folder ?? this.#root;
  }

  #leave(level: number): void {
    for (const { folder } of this.#way.splice(level)) folder[Symbol.dispose]();
  }
}

/** The folder that `names` lead to, which the caller closes. @throws PathError */
export function openBelow(root: Folder, names: readonly string[]): Folder {
  return goDown(root, names, (folder, name) => folder.folder(name));
}

/** The same, with every level made that is not there. */
export function makeBelow(root: Folder, names: readonly string[]): Folder {
  return goDown(root, names, (folder, name) => folder.makeFolder(name));
}

function goDown(
  root: Folder,
  names: readonly string[],
  step: (folder: Folder, name: string) => Folder,
): Folder {
  const [first, ...rest] = names;
  if (first === undefined) throw new Error('expected at least one level');
  const folder = step(root, first);
  if (rest.length === 0) return folder;
  using above = folder;
  return goDown(above, rest, step);
}
