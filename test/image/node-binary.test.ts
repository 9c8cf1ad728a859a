import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { NODE_BINARIES, NODE_VERSION, verifyIntegrity } from '../../src/image/node-binary.ts';

describe('the pinned Node', () => {
  const root = new URL('../../', import.meta.url);

  test.each(Object.values(NODE_BINARIES))('$package is the one of the lock file', async (pinned) => {
    const lock = JSON.parse(await readFile(new URL('package-lock.json', root), 'utf8'));
    const { version, integrity, cpu } = lock.packages[`node_modules/${pinned.package}`];
    expect({ version, integrity, cpu: [cpu].flat() }).toEqual({
      version: NODE_VERSION,
      integrity: pinned.integrity,
      cpu: [pinned.cpu],
    });
  });

  test('has the version of the Dockerfile', async () => {
    const dockerfile = await readFile(new URL('images/Dockerfile', root), 'utf8');
    expect(dockerfile).toContain(`\nFROM node:${NODE_VERSION}-bookworm-slim AS source\n`);
  });

  test('is refused when a single byte differs', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'node-binary-test-'));
    const file = join(folder, 'node.tgz');
    // sha512 of "hello"
    const integrity =
      'sha512-m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBHXx6zG4UuMXaDEZjR1wuXDre9G9zvN7AQw==';
    await writeFile(file, 'hello');
    await expect(verifyIntegrity(file, integrity)).resolves.toBeUndefined();
    await writeFile(file, 'hellp');
    await expect(verifyIntegrity(file, integrity)).rejects.toMatchObject({
      code: 'IMAGE_BUILD_FAILED',
      message: expect.stringContaining(`expected ${integrity}, got sha512-`),
    });
    await rm(folder, { recursive: true });
  });
});
