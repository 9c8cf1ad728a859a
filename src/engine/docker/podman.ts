import { LurkboxError } from '../../errors.ts';

export const PODMAN_REASON = 'this is Podman, which answers as Docker does, and lurkbox does not run on it';

/** As `GET /version` names it. */
const COMPONENT = 'Podman Engine';

/** @throws LurkboxError `ENGINE_UNAVAILABLE` where the reply to `GET /version` is that of Podman */
export function refusePodman(version: unknown, address: string): void {
  const { Components: components } = (version ?? {}) as { Components?: unknown };
  if (!Array.isArray(components)) return;
  const isPodman = components.some((one) => (one as { Name?: unknown } | null)?.Name === COMPONENT);
  if (isPodman)
    throw new LurkboxError(
      'ENGINE_UNAVAILABLE',
      `The engine at ${address} cannot be used: ${PODMAN_REASON}. ` +
        'Name a Docker engine with `DOCKER_HOST` or `docker context use`.',
    );
}
