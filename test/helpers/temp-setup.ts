import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Runs once before the tests: their temporary files lie in a folder of this run, and afterwards nothing may be left
 * there. With several projects the first one does it for all.
 */
export default async function setUp(): Promise<(() => Promise<void>) | undefined> {
  if (process.env['LURKBOX_TEST_TEMP'] !== undefined) return undefined;
  // Short, because the path of a socket has 108 bytes at most.
  const folder = await mkdtemp(join(tmpdir(), 'lbt-'));
  process.env['LURKBOX_TEST_TEMP'] = folder;
  process.env['TMPDIR'] = folder;
  return async () => {
    const left = await readdir(folder);
    await rm(folder, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`the tests left temporary files: ${left.join(', ')}`);
  };
}
