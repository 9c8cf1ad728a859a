import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Prepared } from '../../../helpers/abuse.ts';
import { createSharedFolder } from '../../../helpers/workspace.ts';

export async function prepare(): Promise<Prepared> {
  const shared = await createSharedFolder();
  await writeFile(join(shared.path, 'file'), 'of the host', { mode: 0o666 });
  return {
    policy: {
      allow: { mounts: { shared: { path: shared.path, mode: 'rw' } } },
      plugins: { 'write-to-a-read-only-mount': { allow: { mounts: ['shared'] } } },
    },
    check: async () => {
      const names = await readdir(shared.path);
      const content = await readFile(join(shared.path, 'file'), 'utf8');
      if (names.join() !== 'file' || content !== 'of the host') throw new Error('the folder was written to');
    },
    [Symbol.asyncDispose]: () => shared[Symbol.asyncDispose](),
  };
}
