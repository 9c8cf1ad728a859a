import { lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Prepared } from '../../../helpers/abuse.ts';
import { createSharedFolder } from '../../../helpers/workspace.ts';

/** A folder that is shared, and one beside it that is not. */
export async function prepare(): Promise<Prepared> {
  const shared = await createSharedFolder();
  const beside = await createSharedFolder();
  const secret = join(beside.path, 'secret');
  await writeFile(secret, 'untouched', { mode: 0o666 });
  return {
    policy: {
      allow: { mounts: { shared: { path: shared.path, mode: 'rw' } } },
      plugins: { 'links-in-a-shared-folder': { allow: { mounts: ['shared'] } } },
    },
    input: { secret },
    check: async () => {
      const owners = await Promise.all(
        (await readdir(shared.path)).map(async (name) => (await lstat(join(shared.path, name))).uid),
      );
      if (owners.includes(0)) throw new Error('something in the shared folder belongs to root');
      if ((await readFile(secret, 'utf8')) !== 'untouched') throw new Error('the file beside was written to');
    },
    [Symbol.asyncDispose]: async () => {
      await shared[Symbol.asyncDispose]();
      await beside[Symbol.asyncDispose]();
    },
  };
}
