interface Place {
  readonly path: string;
  /** The package whose `node_modules` holds it. */
  readonly above: Place | null;
  readonly below: Map<string, Place>;
  isPackage: boolean;
}

/**
 * Packages by where they lie, found from one another as Node finds them. A stranger's lock file has hundreds of thousands of names
 * to be found from deep down: each level costs the look-up of a name, and no path is put together.
 */
export class PackageTree {
  readonly #root: Place = { path: '', above: null, below: new Map(), isPackage: false };
  readonly #places = new Map<string, Place>([['', this.#root]]);

  /** @param paths such as `node_modules/a/node_modules/b` */
  constructor(paths: Iterable<string>) {
    for (const path of paths) this.#placeOf(path).isPackage = true;
  }

  /** Where Node finds a package from one of the packages, or from '' for the plugin's own folder; `null` where it does not. */
  find(from: string, name: string): string | null {
    for (let at: Place | null = this.#placeOf(from); at !== null; at = at.above) {
      const found = at.below.get(name);
      if (found?.isPackage) return found.path;
    }
    return null;
  }

  #placeOf(path: string): Place {
    const known = this.#places.get(path);
    if (known !== undefined) return known;
    const above = this.#placeOf(parentOf(path) ?? '');
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const place = { path, above, below: new Map(), isPackage: false };
    above.below.set(name, place);
    this.#places.set(path, place);
    return place;
  }
}

/** The place in whose `node_modules` a place is; '' for the plugin's own folder, which is in none. */
export function parentOf(place: string): string | null {
  if (place === '') return null;
  const end = place.lastIndexOf('/node_modules/');
  return end === -1 ? '' : place.slice(0, end);
}
