import { mkdir, readdir, rm } from 'node:fs/promises';
import type { TestProject } from 'vitest/node';

/** Where lurkbox keeps what is in no workspace, for a user without a folder of their own. */
const OWN_PLACE = `lurkbox-${process.geteuid?.()}`;

/** Runs once before the tests of a project: their temporary files lie in a folder of this run, which is empty afterwards. */
export default async function setUp({ config }: TestProject): Promise<() => Promise<void>> {
  const folder = config.env['TMPDIR'] as string;
  await mkdir(folder, { mode: 0o700 });
  return async () => {
    const left = (await readdir(folder)).filter((name) => name !== OWN_PLACE);
    await rm(folder, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`the tests left temporary files: ${left.join(', ')}`);
  };
}
