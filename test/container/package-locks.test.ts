import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connectEngine } from '../../src/engine/connect.ts';
import { createLurkbox } from '../../src/index.ts';
import { startNpmRegistry } from '../helpers/npm-registry.ts';
import { createWorkspace } from '../helpers/workspace.ts';

test('the same packages run under a digest, whatever is published after it and however often the image is built', {
  timeout: 120_000,
}, async () => {
  const name = 'package-locks-test';
  await using workspace = await createWorkspace();
  await using registry = await startNpmRegistry();
  const publish = (version: string, text: string) =>
    registry.publish({ name: 'padder', version, files: { 'index.js': `module.exports = '${text}';` } });
  await publish('1.0.0', 'reviewed');
  const folder = await workspace.addPlugin(name, {
    manifest: { dependencies: ['padder@^1.0.0'] },
    code: `import text from 'padder'; export const execute = () => text;`,
  });
  const engine = await connectEngine();
  const call = async (digest: string | null) => {
    const policy = digest === null ? {} : { plugins: { [name]: { digest } } };
    const env = { ...process.env, ...registry.env };
    await using lurkbox = await createLurkbox({ workspaceRoot: workspace.root, policy, maxWarm: 0, env });
    await lurkbox.plugins.loadPlugin(folder);
    const { tag } = await lurkbox.plugins.prepare(name);
    const { result, digest: ran } = await lurkbox.plugins.executePlugin(name, {}, { waitForRemoval: true });
    await engine.removeImage(tag);
    return { result, digest: ran };
  };

  const before = await call(null);
  expect(before.result).toBe('reviewed');
  await publish('1.0.1', 'seen by nobody');
  await rm(join(workspace.root, '.lurkbox/packages'), { recursive: true });
  expect(await call(before.digest)).toEqual(before);
  await publish('1.0.0', 'other bytes of the same version');
  await rm(join(workspace.root, '.lurkbox/packages'), { recursive: true });
  await expect(call(before.digest)).rejects.toMatchObject({ code: 'DEPENDENCY_FAILED' });
});
