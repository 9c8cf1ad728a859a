import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { createFolder } from './sample.ts';

/** In a mount namespace, which goes with the process and takes the disk along. */
async function onSmallDisk(job: string): Promise<unknown> {
  await using folder = await createFolder();
  const program = join(import.meta.dirname, 'disk.ts');
  const { stdout } = await promisify(execFile)('unshare', [
    '-m',
    process.execPath,
    program,
    folder.path,
    job,
  ]);
  expect(await readdir(folder.path)).toEqual([]);
  return JSON.parse(stdout);
}

test.runIf(process.getuid?.() === 0)(
  'a full disk refuses changes, loses none that was made, and is no fault of the store',
  { timeout: 120_000 },
  async () => {
    expect(await onSmallDisk('full')).toEqual({
      codes: ['HOST_RESOURCES'],
      wasFull: true,
      isExact: true,
      repairs: [],
    });
  },
);

test.runIf(process.getuid?.() === 0)('a disk that may not be written to is said to be one', async () => {
  const fault = {
    code: 'REGISTRY_INVALID',
    message: expect.stringMatching(/registry\.(db|lock)" cannot be read and written: .*(read-?only|EROFS)/i),
  };
  expect(await onSmallDisk('read-only')).toEqual({
    faults: [fault, fault],
    backups: [['weather'], ['weather']],
  });
});
