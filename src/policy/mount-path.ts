import { posix } from 'node:path';
import { isPlainText } from '../printable.ts';

/** Folders whose content rules the host, or the engine on it. */
export const FORBIDDEN_MOUNTS = [
  '/proc',
  '/sys',
  '/dev',
  '/run',
  '/var/run',
  '/etc',
  '/boot',
  '/root',
  '/var/lib/docker',
  '/var/lib/containerd',
  '/var/lib/containers',
] as const;

/** Write access to one of these is root on the host. */
export const ENGINE_SOCKETS = ['docker.sock', 'podman.sock', 'containerd.sock', 'crio.sock'] as const;

/** Why a host path may not be bound into a container, or `null` when by its name it may. */
export function mountPathFault(path: string): string | null {
  if (path.length > 4096 || !isPlainText(path)) return 'has control characters or is too long';
  if (!path.startsWith('/')) return 'is not absolute';
  if (path === '/') return 'is the whole host';
  if (posix.normalize(path) !== path || path.endsWith('/')) {
    return 'is not in its plain form, without `.`, `..`, `//` or a `/` at the end';
  }
  // Engines take binds as `from:to:mode`.
  if (path.includes(':')) return 'has a colon';
  const last = posix.basename(path);
  if (ENGINE_SOCKETS.some((socket) => socket === last)) return 'is the socket of an engine';
  const forbidden = FORBIDDEN_MOUNTS.find((folder) => contains(folder, path) || contains(path, folder));
  if (forbidden === undefined) return null;
  return contains(forbidden, path) ? `is in \`${forbidden}\`` : `contains \`${forbidden}\``;
}

/** Whether one plain absolute path is the other or lies below it. */
export function contains(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(`${outer}/`);
}
