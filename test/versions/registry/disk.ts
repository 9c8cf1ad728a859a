// node disk.ts <folder> <job>
// On a small disk of its own: what a registry does when that is full, or may not be written to. Answers JSON on stdout.

import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listRegistryBackups, restoreRegistry } from '../../../src/versions/registry/restore.ts';
import { newVersion, openRegistry } from './sample.ts';

const [folder = '', job = ''] = process.argv.slice(2);
execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'none', folder]);
process.stdout.write(JSON.stringify(job === 'full' ? await fill() : await readOnly()));

async function fill(): Promise<object> {
  const registry = await openRegistry(folder);
  writeFileSync(join(folder, 'filler'), Buffer.alloc(1_200_000));
  const codes = new Set<string>();
  let stored = 0;
  for (let index = 0; index < 3000; index++) {
    try {
      registry.register(newVersion(`plugin-${index}`));
      stored++;
    } catch (error) {
      codes.add((error as { code: string }).code);
    }
  }
  const listed = registry.list().length;
  rmSync(join(folder, 'filler'));
  registry.register(newVersion('after'));
  await registry.close();
  const again = await openRegistry(folder);
  const found = again.list().length;
  const { repairs } = again;
  await again.close();
  return {
    codes: [...codes],
    wasFull: stored < 3000,
    isExact: listed === stored && found === stored + 1,
    repairs,
  };
}

async function readOnly(): Promise<object> {
  {
    await using registry = await openRegistry(folder);
    registry.register(newVersion('weather'));
  }
  execFileSync('mount', ['-o', 'remount,ro', folder]);
  const restore = async () => restoreRegistry({ stateFolder: folder, workspaceRoot: folder, backup: null });
  const faults = [];
  for (const work of [() => openRegistry(folder), restore])
    try {
      await work();
    } catch (error) {
      faults.push({ code: (error as { code?: string }).code, message: (error as Error).message });
    }
  return {
    faults,
    backups: listRegistryBackups(folder).map(({ fault, content }) => fault ?? content?.names),
  };
}
