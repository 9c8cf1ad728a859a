/** Links that one path may lead over; the kernel has the same limit. */
const MAX_HOPS = 40;
/** Folders whose real path is kept. */
const MAX_KNOWN = 10_000;

/**
 * Where paths lead over the links of an image. Packages of strangers cause a million look-ups, mostly of other names in the same
 * folders, so each folder is resolved once.
 */
export class RealPaths {
  readonly #links: ReadonlyMap<string, string>;
  readonly #folders = new Map<string, string>();

  /** @param links where each leads, both below the same folder; none of the paths has `.` or `..` in it */
  constructor(links: ReadonlyMap<string, string>) {
    this.#links = links;
  }

  /** A path that leads in a circle is left as it is. */
  of(path: string, hops = 0): string {
    if (this.#links.size === 0 || hops > MAX_HOPS) return path;
    const end = path.lastIndexOf('/');
    const at = end === -1 ? path : `${this.#ofFolder(path.slice(0, end), hops)}${path.slice(end)}`;
    const target = this.#links.get(at);
    return target === undefined ? at : this.of(target, hops + 1);
  }

  #ofFolder(path: string, hops: number): string {
    const known = this.#folders.get(path);
    if (known !== undefined) return known;
    const real = this.of(path, hops);
    if (this.#folders.size >= MAX_KNOWN) this.#folders.clear();
    this.#folders.set(path, real);
    return real;
  }
}
