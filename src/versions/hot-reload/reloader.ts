/** A plugin whose new content serves. */
export interface Reloaded {
  readonly name: string;
  readonly version: string;
  readonly digest: string;
  /** How long its image took, be it built or found. */
  readonly buildMs: number;
  /** Whether its image had to be built. */
  readonly built: boolean;
}

/** Who puts changed plugins into service; `HotReloadManager` tells it when. */
export interface Reloader {
  /**
   * Installs what is in the folder beside what serves, makes it ready, and switches then. Answers `null` when nothing
   * had changed. `isFirst`: it has not changed since it is watched.
   * @throws LurkboxError when it cannot: what served goes on
   */
  reload(folder: string, options: { signal: AbortSignal; isFirst: boolean }): Promise<Reloaded | null>;
  /** The folder is no plugin any more. It may have been one that could never be loaded. */
  removed(folder: string): Promise<void>;
}
