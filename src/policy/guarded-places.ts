import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LurkboxError } from '../errors.ts';
import { quotePath } from '../printable.ts';
import { stepsTo } from '../storage/path-steps.ts';
import { contains } from './mount-path.ts';
import type { Policy } from './schema.ts';

/** A file or folder of the host that decides what the orchestrator does next: write access to it is control of the host. */
export interface GuardedPlace {
  /** With its article, for a message. */
  readonly what: string;
  readonly path: string;
  /**
   * Which mounts touch it beside those that are or hold it: those anywhere below it, none, or those that lie in a hidden file
   * or folder of it.
   * @default 'below'
   */
  readonly reach?: 'below' | 'itself' | 'hidden';
  /** Also "ro" mounts are refused: a socket takes orders from whoever may read its folder. @default false */
  readonly isSecret?: boolean;
}

const ALWAYS_GUARDED: readonly GuardedPlace[] = [
  { what: 'lurkbox itself', path: dirname(fileURLToPath(new URL('..', import.meta.url))) },
  { what: 'the Node that runs lurkbox', path: process.execPath },
  // Where npm put them beside lurkbox and not below it.
  {
    what: 'the packages that lurkbox is made of',
    path: packagesFolder(createRequire(import.meta.url).resolve('zod')),
  },
  // The guard is a shell, the engine starts programs, and both load libraries.
  ...['/usr', '/bin', '/sbin', '/lib', '/lib64'].map((path) => ({ what: 'the programs of the host', path })),
];

function packagesFolder(path: string): string {
  return path.slice(0, path.lastIndexOf('/node_modules/') + '/node_modules'.length);
}

/**
 * Throws `POLICY_INVALID` when a mount lets plugins write to such a place, to what it is in or to what is in it; or, for a
 * place that must not even be read, when it holds that.
 */
export async function assertMountsSpare(policy: Policy, places: readonly GuardedPlace[]): Promise<void> {
  const mounts = Object.entries(policy.allow.mounts);
  if (mounts.length === 0) return;
  const guarded = [...places, ...ALWAYS_GUARDED].flatMap((place) =>
    // Each link on the way there: who can change it leads elsewhere.
    stepsTo(place.path).map((path) => ({ ...place, path })),
  );
  const problems = mounts.flatMap(([name, { path, mode }]) => {
    const faults = guarded
      .filter((place) => isTouched(path, mode, place))
      .map((place) => faultOf(path, mode, place));
    return [...new Set(faults)].map((message) => ({ path: `allow.mounts.${name}.path`, message }));
  });
  if (problems.length === 0) return;
  throw new LurkboxError('POLICY_INVALID', 'The policy lets plugins reach what rules them.', { problems });
}

function isTouched(
  mount: string,
  mode: 'ro' | 'rw',
  { path, reach = 'below', isSecret = false }: GuardedPlace,
): boolean {
  if (mode === 'ro' && !isSecret) return false;
  if (contains(mount, path)) return reach !== 'hidden';
  if (!contains(path, mount)) return false;
  return reach === 'below' || (reach === 'hidden' && mount.startsWith(`${path}/.`));
}

function faultOf(mount: string, mode: 'ro' | 'rw', { what, path, isSecret = false }: GuardedPlace): string {
  const relation = mount === path ? 'is' : contains(mount, path) ? 'holds' : 'lies in';
  const remedy = isSecret ? 'bind a folder apart from it' : 'bind a folder apart from it, or make it "ro"';
  return `is "${mode}" and ${relation} ${what}, ${quotePath(path)}; ${remedy}`;
}
