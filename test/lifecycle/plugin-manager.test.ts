import { expect, test } from 'vitest';
import { createLurkbox } from '../../src/index.ts';
import { createWorkspace } from '../helpers/workspace.ts';

test('a plugin that was unloaded is not there any more, and its name is free', async () => {
  await using workspace = await createWorkspace();
  const first = await workspace.addPlugin('one');
  const second = await workspace.addPlugin('other', { manifest: { name: 'one' } });
  await using lurkbox = await createLurkbox({ workspaceRoot: workspace.root });
  const { plugins } = lurkbox;
  await plugins.loadPlugin(first);
  await expect(plugins.loadPlugin(second)).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
  expect(await plugins.unloadPlugin('one')).toBe(true);
  expect(plugins.list()).toEqual([]);
  expect(await plugins.executePlugin('one')).toMatchObject({ outcome: 'PLUGIN_NOT_FOUND' });
  expect(await plugins.unloadPlugin('one')).toBe(false);
  expect((await plugins.loadPlugin(second)).plugin.folder).toBe(second);
});
