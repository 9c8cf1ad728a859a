import type { ContainerEngine, ImageSummary } from '../../src/engine/engine.ts';

export const MB = 1024 * 1024;

const KEYS = { base: 'b1', exec: 'e1', weather: 'f1', shell: 'f2' };

/** A whole key, as tags and file names have it. */
export function keyOf(name: keyof typeof KEYS): string {
  return KEYS[name].repeat(32);
}

function image(tag: string, megabytes: number, labels: Record<string, string>): ImageSummary {
  return {
    id: `sha256:${labels['lurkbox.image-key']}`,
    tags: [`${tag}:${labels['lurkbox.image-key']}`],
    labels: { 'lurkbox.kind': 'image', ...labels },
    sizeBytes: megabytes * MB,
    createdAtMs: 0,
  };
}

export const BASE = image('lurkbox/base', 100, {
  'lurkbox.image-role': 'base',
  'lurkbox.image-key': keyOf('base'),
});
export const EXEC = image('lurkbox/base-exec', 102, {
  'lurkbox.image-role': 'base-exec',
  'lurkbox.image-key': keyOf('exec'),
  'lurkbox.image-base': keyOf('base'),
});
export const PLUGIN = image('lurkbox/plugin-weather', 103, {
  'lurkbox.image-role': 'plugin',
  'lurkbox.image-key': keyOf('weather'),
  'lurkbox.image-base': keyOf('base'),
  'lurkbox.plugin': 'weather',
  'lurkbox.version': '1.2.0',
});
export const SHELL_PLUGIN = image('lurkbox/plugin-shell', 107, {
  'lurkbox.image-role': 'plugin',
  'lurkbox.image-key': keyOf('shell'),
  'lurkbox.image-base': keyOf('exec'),
  'lurkbox.plugin': 'shell',
  'lurkbox.version': '0.1.0',
});
/** Built by somebody else on an image of ours, whose labels it inherits. */
export const FOREIGN = {
  ...PLUGIN,
  id: 'sha256:foreign',
  tags: ['registry.example.org/mine:1', 'lurkbox:latest'],
};

export const ALL = [BASE, EXEC, PLUGIN, SHELL_PLUGIN, FOREIGN];

export function engineWith(images: readonly ImageSummary[], inUse: readonly string[] = []) {
  const removed: string[] = [];
  const engine: Pick<ContainerEngine, 'listImages' | 'removeImage'> = {
    listImages: async (label) => {
      const [name, value] = label.split('=');
      return images.filter(({ labels, tags }) => labels[name!] === value && !removed.includes(tags[0] ?? ''));
    },
    removeImage: async (reference) => {
      if (inUse.includes(reference)) return false;
      removed.push(reference);
      return true;
    },
  };
  return { engine: engine as ContainerEngine, removed };
}

export function tagsOf(images: readonly ImageSummary[]): string[] {
  return images.map(({ tags }) => tags[0]!);
}
