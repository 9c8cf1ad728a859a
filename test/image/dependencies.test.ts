import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { installDependencies } from '../../src/image/dependencies.ts';
import { HostPrograms } from '../../src/image/host-programs.ts';
import { PackageStore } from '../../src/image/package-store.ts';

const options = {
  architecture: 'amd64' as const,
  programs: new HostPrograms(process.env),
  store: new PackageStore(null),
};
let parent: string;
let folder: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'dependencies-test-'));
  folder = join(parent, 'install');
  await mkdir(folder);
});
afterEach(() => rm(parent, { recursive: true }));

// The manifest takes none of these; here npm itself is asked, as a package deep in a tree could.
describe('a dependency that is not from the registry is refused', () => {
  test.each([
    ['a git address', 'evil@git+file:///tmp/evil.git'],
    ['a GitHub shorthand', 'evil@github:evil/evil'],
    ['an ssh address', 'evil@git+ssh://git@127.0.0.1:9/evil.git'],
    ['a tarball address', 'evil@http://127.0.0.1:9/evil.tgz'],
    ['a folder of this host', 'evil@file:../evil'],
    ['a linked folder of this host', 'evil@link:../evil'],
    ['a file that is no package', 'evil@file:/etc/passwd'],
  ])('%s', { timeout: 60_000 }, async (_, dependency) => {
    await mkdir(join(parent, 'evil'));
    const manifest = { name: 'evil', version: '1.0.0', scripts: { preinstall: 'touch ../pwned' } };
    await writeFile(join(parent, 'evil/package.json'), JSON.stringify(manifest));
    const installing = installDependencies([dependency], { folder, ...options });
    await expect(installing).rejects.toMatchObject({
      name: 'LurkboxError',
      code: 'DEPENDENCY_FAILED',
      message: expect.stringContaining(dependency),
    });
    expect(existsSync(join(parent, 'pwned'))).toBe(false);
  });
});

test('an installation ends when its signal aborts', async () => {
  const reason = new Error('no longer wanted');
  const installing = installDependencies(['zod@4'], {
    folder,
    ...options,
    signal: AbortSignal.abort(reason),
  });
  await expect(installing).rejects.toBe(reason);
});
