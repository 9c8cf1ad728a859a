import { expect, test } from 'vitest';
import { listStoredImages } from '../../src/image/inventory.ts';
import { ALL, BASE, EXEC, engineWith, keyOf, MB, PLUGIN, SHELL_PLUGIN } from './sample-images.ts';

test('the inventory shows what each image is and its size beyond its base', async () => {
  const images = await listStoredImages(engineWith(ALL).engine);
  expect(images.map(({ tag, ownBytes }) => [tag, ownBytes / MB])).toEqual(
    [
      [BASE.tags[0], 100],
      [EXEC.tags[0], 2],
      [SHELL_PLUGIN.tags[0], 5],
      [PLUGIN.tags[0], 3],
    ].sort(),
  );
  expect(images.find(({ plugin }) => plugin === 'weather')).toEqual({
    id: PLUGIN.id,
    tag: PLUGIN.tags[0],
    key: keyOf('weather'),
    role: 'plugin',
    base: keyOf('base'),
    plugin: 'weather',
    version: '1.2.0',
    sizeBytes: 103 * MB,
    ownBytes: 3 * MB,
  });
});
