/** What `dependencies` says where the packages are those of the folder's own `node_modules`. */
export const VENDORED = 'vendored';

export interface VendoredLimits {
  /** Files, folders and links. */
  readonly maxEntries: number;
  readonly maxBytes: number;
}

/** Bounds of the packages that a plugin brings along, where the policy says nothing else. */
export const VENDORED_LIMITS: VendoredLimits = { maxEntries: 50_000, maxBytes: 256 * 1024 * 1024 };
/** The most that a policy may allow. */
export const VENDORED_CEILING: VendoredLimits = { maxEntries: 500_000, maxBytes: 4096 * 1024 * 1024 };

export const VENDORED_DEPTH = 64;
/** Length of a path, and of the target of a link. */
export const VENDORED_PATH_BYTES = 1000;

/** Made by package managers and bundlers for themselves, in any `node_modules`: nothing that a plugin imports. */
export const NOT_VENDORED: readonly string[] = [
  '.bin',
  '.cache',
  '.modules.yaml',
  '.package-lock.json',
  '.package-map.json',
  '.pnpm-workspace-state-v1.json',
  '.pnpm-workspace-state.json',
  '.vite',
  '.vite-temp',
  '.yarn-integrity',
  '.yarn-state.yml',
];

/** The npm packages that a manifest names: none where it brings its own along. */
export function namedPackages({
  dependencies,
}: {
  dependencies: readonly string[] | string;
}): readonly string[] {
  return typeof dependencies === 'string' ? [] : dependencies;
}

export function isVendored({ dependencies }: { dependencies: readonly string[] | string }): boolean {
  return dependencies === VENDORED;
}
