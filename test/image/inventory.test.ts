import { describe, expect, test } from 'vitest';
import type { ContainerEngine, ImageSummary } from '../../src/engine/engine.ts';
import { listStoredImages, pruneStoredImages } from '../../src/image/inventory.ts';

const MB = 1024 * 1024;

function image(tag: string, megabytes: number, labels: Record<string, string>): ImageSummary {
  return {
    id: `sha256:${tag}`,
    tags: [tag],
    labels: { 'lurkbox.kind': 'image', ...labels },
    sizeBytes: megabytes * MB,
    createdAtMs: 0,
  };
}

const BASE = image('lurkbox/base:00000000000000b1', 100, {
  'lurkbox.image-role': 'base',
  'lurkbox.image-key': 'b1',
});
const EXEC = image('lurkbox/base-exec:00000000000000e1', 102, {
  'lurkbox.image-role': 'base-exec',
  'lurkbox.image-key': 'e1',
  'lurkbox.image-base': 'b1',
});
const PLUGIN = image('lurkbox/plugin-weather:00000000000000f1', 103, {
  'lurkbox.image-role': 'plugin',
  'lurkbox.image-key': 'f1',
  'lurkbox.image-base': 'b1',
  'lurkbox.plugin': 'weather',
  'lurkbox.version': '1.2.0',
});
const SHELL_PLUGIN = image('lurkbox/plugin-shell:00000000000000f2', 107, {
  'lurkbox.image-role': 'plugin',
  'lurkbox.image-key': 'f2',
  'lurkbox.image-base': 'e1',
  'lurkbox.plugin': 'shell',
  'lurkbox.version': '0.1.0',
});
// Built by somebody else on an image of ours, whose labels it inherits.
const FOREIGN = { ...PLUGIN, id: 'sha256:foreign', tags: ['registry.example.org/mine:1', 'lurkbox:latest'] };

function fakeEngine(images: readonly ImageSummary[], inUse: readonly string[] = []) {
  const removed: string[] = [];
  const engine: Pick<ContainerEngine, 'listImages' | 'removeImage'> = {
    listImages: async (label) => {
      const [name, value] = label.split('=');
      return images.filter(({ labels }) => labels[name!] === value);
    },
    removeImage: async (reference) => {
      if (inUse.includes(reference)) return false;
      removed.push(reference);
      return true;
    },
  };
  return { engine: engine as ContainerEngine, removed };
}

const ALL = [BASE, EXEC, PLUGIN, SHELL_PLUGIN, FOREIGN];

describe('listStoredImages', () => {
  test('tells what each image is and what it takes beyond the one it stands on', async () => {
    const images = await listStoredImages(fakeEngine(ALL).engine);
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
      key: 'f1',
      role: 'plugin',
      base: 'b1',
      plugin: 'weather',
      version: '1.2.0',
      sizeBytes: 103 * MB,
      ownBytes: 3 * MB,
    });
  });
});

describe('pruneStoredImages', () => {
  test.each([
    ['everything of ours when nothing is kept', [], [], [BASE, EXEC, PLUGIN, SHELL_PLUGIN], 110],
    ['nothing when everything is kept', [BASE, EXEC, PLUGIN, SHELL_PLUGIN], [], [], 0],
    ['only the rest, when a plugin is kept', [BASE, PLUGIN], [], [EXEC, SHELL_PLUGIN], 7],
    [
      'the name but not the layers of a base that a kept plugin needs',
      [SHELL_PLUGIN],
      [],
      [BASE, EXEC, PLUGIN],
      3,
    ],
    ['what no container uses', [BASE, EXEC], [PLUGIN], [SHELL_PLUGIN], 5],
  ])('removes %s', async (_, kept, inUse, gone, freedMegabytes) => {
    const tagsOf = (images: readonly ImageSummary[]) => images.map(({ tags }) => tags[0]!);
    const { engine, removed } = fakeEngine(ALL, tagsOf(inUse));
    const result = await pruneStoredImages(engine, new Set(tagsOf(kept)));
    expect(removed.sort()).toEqual(tagsOf(gone).sort());
    expect([...result.removed].sort()).toEqual(tagsOf(gone).sort());
    expect(result.freedBytes / MB).toBe(freedMegabytes);
  });
});

test('pruning removes what a build left without a name', async () => {
  const stage = { ...image('', 230, { 'lurkbox.kind': 'build-stage' }), id: 'sha256:stage', tags: [] };
  const named = { ...stage, id: 'sha256:named', tags: ['mine:1'] };
  const { engine, removed } = fakeEngine([stage, named]);
  expect(await pruneStoredImages(engine, new Set())).toEqual({ removed: [], freedBytes: 0 });
  expect(removed).toEqual(['sha256:stage']);
});
