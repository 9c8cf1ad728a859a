import { countLockedPackages, lockSourceOf, type PluginManifest } from '../index.ts';

export const NOT_LOCKED = 'packages not locked yet';

interface WithPackages {
  readonly manifest: Pick<PluginManifest, 'dependencies'>;
  readonly lock: string | null;
}

/** The npm packages of a plugin as facts: `locked` where it is known which they are, or there are none. */
export interface LockFacts {
  readonly locked: boolean;
  /** How many; `null` where nobody counted them. */
  readonly packages: number | null;
  /**
   * Whose lock it is: `own`, in the lock file of the plugin's author, or `written` by lurkbox; `vendored` where the packages are
   * among the files of the plugin, `null` where there is no lock.
   */
  readonly source: 'own' | 'written' | 'vendored' | null;
}

export function lockFacts({ manifest, lock }: WithPackages): LockFacts {
  if (manifest.dependencies === 'vendored') return { locked: true, packages: null, source: 'vendored' };
  if (manifest.dependencies.length === 0) return { locked: true, packages: 0, source: null };
  return lock === null
    ? { locked: false, packages: null, source: null }
    : {
        locked: true,
        packages: countLockedPackages(lock),
        source: lockSourceOf(lock) === null ? 'written' : 'own',
      };
}

/** The same for a person; `null` for a plugin without npm packages. */
export function describeLock(version: WithPackages): string | null {
  const { locked, packages, source: kind } = lockFacts(version);
  if (!locked) return NOT_LOCKED;
  if (kind === 'vendored') return 'npm packages vendored: those of its own node_modules';
  if (packages === 0) return null;
  const source = lockSourceOf(version.lock ?? '');
  const whose = source === null ? '' : ` by its own ${source}`;
  return `${packages === 1 ? '1 npm package' : `${packages} npm packages`} locked${whose}`;
}
