import type { Prepared } from '../../../helpers/abuse.ts';
import { createSharedFolder } from '../../../helpers/workspace.ts';

export async function prepare(): Promise<Prepared> {
  const shared = await createSharedFolder();
  return {
    policy: {
      allow: { mounts: { shared: { path: shared.path, mode: 'rw' } } },
      plugins: { 'socket-of-an-engine-in-a-shared-folder': { allow: { mounts: ['shared'] } } },
    },
    [Symbol.asyncDispose]: () => shared[Symbol.asyncDispose](),
  };
}
