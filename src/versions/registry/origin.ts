import { join, relative, sep } from 'node:path';
import type { PluginOrigin } from './record.ts';

/** As it is stored: relative to the workspace where it lies inside. `root` is absolute, with its links resolved. */
export function toStoredOrigin(origin: PluginOrigin, root: string): PluginOrigin {
  const path = relative(root, origin.path);
  if (path === '') return { ...origin, path: '.' };
  return path === '..' || path.startsWith(`..${sep}`) ? origin : { ...origin, path };
}

/** As a record has it: absolute. */
export function fromStoredOrigin(stored: PluginOrigin, root: string): PluginOrigin {
  return { ...stored, path: stored.path.startsWith('/') ? stored.path : join(root, stored.path) };
}

/** Whether both name the same place. */
export function isSameOrigin(one: PluginOrigin, other: PluginOrigin): boolean {
  return one.kind === other.kind && one.path === other.path;
}
