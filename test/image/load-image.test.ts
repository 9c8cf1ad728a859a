import { expect, test } from 'vitest';
import type { ContainerEngine, ImageDetails } from '../../src/engine/engine.ts';
import { configIdOf, IMAGE_DEFAULTS, type ImageParts } from '../../src/image/archive.ts';
import { loadImage } from '../../src/image/load-image.ts';

const PARTS: ImageParts = {
  tag: 'lurkbox/plugin-one:1',
  architecture: 'amd64',
  labels: { 'lurkbox.kind': 'image' },
  layers: [{ diffId: `sha256:${'1'.repeat(64)}`, content: null }],
};

const OTHER_ID = `sha256:${'f'.repeat(64)}`;
const SENT: ImageDetails = {
  id: OTHER_ID,
  tags: [PARTS.tag],
  labels: PARTS.labels,
  sizeBytes: 1,
  createdAtMs: 0,
  layers: PARTS.layers.map(({ diffId }) => diffId),
  defaults: IMAGE_DEFAULTS,
};

/** An engine with these images after a load, by id or tag. */
function load(images: Readonly<Record<string, ImageDetails>>): Promise<string | null> {
  const engine: Partial<ContainerEngine> = {
    loadImage: async (archive) => {
      for await (const _ of archive);
    },
    inspectImage: async (reference) => images[reference] ?? null,
  };
  return loadImage(PARTS, { engine: engine as ContainerEngine });
}

test('an image is looked up by the id of its config, whatever its tag names', async () => {
  const id = configIdOf(PARTS);
  expect(await load({ [id]: { ...SENT, id }, [PARTS.tag]: { ...SENT, layers: [] } })).toBe(id);
});

test('in a store with other ids an image is found by its tag', async () => {
  expect(await load({ [PARTS.tag]: SENT })).toBe(OTHER_ID);
});

test.each<[string, Partial<ImageDetails>]>([
  ['other layers', { layers: [`sha256:${'2'.repeat(64)}`] }],
  ['a layer more', { layers: [...SENT.layers, `sha256:${'2'.repeat(64)}`] }],
  ['other labels', { labels: { ...PARTS.labels, 'lurkbox.image-key': 'x' } }],
  ['another user', { defaults: { ...IMAGE_DEFAULTS, user: '0:0' } }],
  ['an environment', { defaults: { ...IMAGE_DEFAULTS, env: ['NODE_OPTIONS=--require=/x.js'] } }],
  ['another program', { defaults: { ...IMAGE_DEFAULTS, entrypoint: ['/x'] } }],
  ['volumes', { defaults: { ...IMAGE_DEFAULTS, others: ['Volumes'] } }],
])('an image with %s, to which the tag was moved meanwhile, is not used', async (_, change) => {
  expect(await load({ [PARTS.tag]: { ...SENT, ...change } })).toBeNull();
});

test('the id of a config does not depend on the tag', () => {
  expect(configIdOf({ ...PARTS, tag: 'other' })).toBe(configIdOf(PARTS));
  expect(configIdOf({ ...PARTS, labels: {} })).not.toBe(configIdOf(PARTS));
});
