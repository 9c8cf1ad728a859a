import { realpath } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LurkboxError, type Problem } from '../errors.ts';
import { showPath } from '../printable.ts';
import { contains } from './mount-path.ts';
import type { Policy } from './schema.ts';

/** A file or folder of the host that decides what the orchestrator does next: who can write to it rules the host. */
export interface GuardedPlace {
  /** With its article, for a message. */
  readonly what: string;
  readonly path: string;
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

/** Throws `POLICY_INVALID` when a mount lets plugins write to such a place, to what it is in or to what is in it. */
export async function assertMountsSpare(policy: Policy, places: readonly GuardedPlace[]): Promise<void> {
  const guarded = await Promise.all([...places, ...ALWAYS_GUARDED].map(resolvePlace));
  const problems = Object.entries(policy.allow.mounts).flatMap(([name, { path, mode }]) =>
    mode === 'rw' ? guarded.flatMap((place) => faultOf(name, path, place)) : [],
  );
  if (problems.length === 0) return;
  throw new LurkboxError('POLICY_INVALID', 'The policy lets plugins write to what rules them.', { problems });
}

// A mount is a path without links, so that only the place may have some; one that is not there yet has none.
async function resolvePlace({ what, path }: GuardedPlace): Promise<GuardedPlace> {
  return { what, path: await realpath(path).catch(() => path) };
}

function faultOf(name: string, mount: string, { what, path }: GuardedPlace): Problem[] {
  if (!contains(mount, path) && !contains(path, mount)) return [];
  const relation = mount === path ? 'is' : contains(mount, path) ? 'holds' : 'lies in';
  const message = `is "rw" and ${relation} ${what}, ${showPath(path)}; bind a folder apart from it, or make it "ro"`;
  return [{ path: `allow.mounts.${name}.path`, message }];
}
