import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export async function prepare(folder: string): Promise<void> {
  await writeFile(join(folder, 'tool'), '#!/bin/sh\nid\n');
  await chmod(join(folder, 'tool'), 0o6777);
  await chmod(join(folder, 'index.mjs'), 0o400);
}
