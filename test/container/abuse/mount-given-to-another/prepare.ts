import type { Prepared } from '../../../helpers/abuse.ts';
import { createSharedFolder } from '../../../helpers/workspace.ts';

export async function prepare(): Promise<Prepared> {
  const theirs = await createSharedFolder();
  const mine = await createSharedFolder();
  return {
    policy: {
      allow: { mounts: { theirs: { path: theirs.path, mode: 'rw' }, mine: { path: mine.path, mode: 'ro' } } },
      plugins: {
        other: { allow: { mounts: ['theirs'] } },
        'mount-given-to-another': { allow: { mounts: ['mine'] } },
      },
    },
    [Symbol.asyncDispose]: async () => {
      await theirs[Symbol.asyncDispose]();
      await mine[Symbol.asyncDispose]();
    },
  };
}
