import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readArchive, toArchive } from '../../src/image/archive.ts';
import { type LayerEntry, writeLayer } from '../../src/image/layer.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'layer-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function listTar(tar: Buffer): Promise<Record<string, object>> {
  const entries = extract();
  Readable.from([tar]).pipe(entries as unknown as NodeJS.WritableStream);
  const found: Record<string, object> = {};
  for await (const entry of entries) {
    const { name, ...header } = entry.header;
    found[name] = { ...header, text: String(await buffer(entry as AsyncIterable<Buffer>)) };
  }
  return found;
}

const ROOT_OWNED = { uid: 0, gid: 0, uname: '', gname: '', mtime: new Date('2000-01-01T00:00:00Z') };

describe('writeLayer', () => {
  test('writes files, folders and links that belong to root and have one fixed time', async () => {
    const { file } = await writeLayer(join(folder, 'layer.tar'), [
      { path: 'bin/sh', type: 'link', target: 'busybox' },
      { path: 'plugin/lib/a.js', type: 'file', content: Buffer.from('a') },
      { path: 'tmp', type: 'folder', mode: 0o1777 },
    ]);
    const found = await listTar(await readFile(file));
    expect(Object.keys(found)).toEqual([
      'bin/',
      'bin/sh',
      'plugin/',
      'plugin/lib/',
      'plugin/lib/a.js',
      'tmp/',
    ]);
    expect(found['bin/sh']).toMatchObject({ ...ROOT_OWNED, type: 'symlink', linkname: 'busybox' });
    expect(found['plugin/lib/']).toMatchObject({ ...ROOT_OWNED, type: 'directory', mode: 0o755 });
    expect(found['plugin/lib/a.js']).toMatchObject({ ...ROOT_OWNED, type: 'file', mode: 0o644, text: 'a' });
    expect(found['tmp/']).toMatchObject({ ...ROOT_OWNED, mode: 0o1777 });
  });

  test('gives the same bytes for the same entries, from memory or from a file', async () => {
    const text = 'x'.repeat(300_000);
    await writeFile(join(folder, 'big'), text);
    const path = `plugin/${'long-name-'.repeat(15)}ü.js`;
    const inMemory: LayerEntry[] = [{ path, type: 'file', content: Buffer.from(text) }];
    const onDisk: LayerEntry[] = [
      { path, type: 'file', content: { file: join(folder, 'big'), sizeBytes: text.length } },
    ];
    const first = await writeLayer(join(folder, '1.tar'), inMemory);
    const second = await writeLayer(join(folder, '2.tar'), onDisk);
    expect({ ...second, file: '' }).toEqual({ ...first, file: '' });
    expect(await readFile(second.file)).toEqual(await readFile(first.file));
  });

  test('returns the hash and the size of what it wrote', async () => {
    const layer = await writeLayer(join(folder, 'layer.tar'), []);
    const tar = await readFile(layer.file);
    expect(layer).toMatchObject({
      sizeBytes: tar.length,
      diffId: `sha256:${createHash('sha256').update(tar).digest('hex')}`,
    });
  });

  test.each([1, 100])('fails when a file has another length than before (%i bytes)', async (sizeBytes) => {
    await writeFile(join(folder, 'file'), 'ten bytes.');
    const entry: LayerEntry = {
      path: 'file',
      type: 'file',
      content: { file: join(folder, 'file'), sizeBytes },
    };
    await expect(writeLayer(join(folder, 'layer.tar'), [entry])).rejects.toThrow(/size/i);
  });

  test('fails when its entries do', async () => {
    async function* entries(): AsyncGenerator<LayerEntry> {
      yield { path: 'a', type: 'folder' };
      throw new Error('the folder changed');
    }
    await expect(writeLayer(join(folder, 'layer.tar'), entries())).rejects.toThrow('the folder changed');
  });
});

describe('toArchive', () => {
  const image = { tag: 'lurkbox/base:0', architecture: 'amd64', labels: { 'lurkbox.kind': 'image' } };

  test('describes the image in a config and a manifest', async () => {
    const layer = await writeLayer(join(folder, 'layer.tar'), []);
    const layers = [
      { diffId: `sha256:${'0'.repeat(64)}`, content: null },
      { diffId: layer.diffId, content: layer },
    ];
    const found = await listTar(await buffer(toArchive({ ...image, layers })));
    const text = (name: string) => (found[name] as { text: string }).text;
    const [manifest] = JSON.parse(text('manifest.json'));
    const layerName = `${layer.diffId.slice(7)}/layer.tar`;
    expect(manifest).toEqual({
      Config: expect.stringMatching(/^[0-9a-f]{64}\.json$/),
      RepoTags: ['lurkbox/base:0'],
      Layers: [`${'0'.repeat(64)}/layer.tar`, layerName],
    });
    expect(Object.keys(found)).toEqual([layerName, manifest.Config, 'manifest.json']);
    expect(JSON.parse(text(manifest.Config))).toMatchObject({
      architecture: 'amd64',
      os: 'linux',
      created: '2000-01-01T00:00:00.000Z',
      config: {
        User: '65532:65532',
        WorkingDir: '/',
        Env: [],
        Entrypoint: ['/usr/local/bin/node', '/lurkbox/runner.cjs'],
        Labels: { 'lurkbox.kind': 'image' },
      },
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    });
  });

  test('is read back with its layers', async () => {
    const entries: LayerEntry[] = [{ path: 'big', type: 'file', content: Buffer.alloc(3_000_000) }];
    const layers = [
      await writeLayer(join(folder, 'small.tar'), []),
      await writeLayer(join(folder, 'big.tar'), entries),
    ].map((layer) => ({ diffId: layer.diffId, content: layer }));
    const read = await readArchive(toArchive({ ...image, layers }), folder);
    expect(read.map(({ diffId }) => diffId)).toEqual(layers.map(({ diffId }) => diffId));
    const again = await buffer(toArchive({ ...image, layers: read }));
    expect(again.equals(await buffer(toArchive({ ...image, layers })))).toBe(true);
  });

  test('with a layer missing is refused when the layers are wanted', async () => {
    const archive = () =>
      toArchive({ ...image, layers: [{ diffId: `sha256:${'0'.repeat(64)}`, content: null }] });
    await expect(readArchive(archive(), folder)).rejects.toThrow('does not hold its layer');
    await expect(readArchive(archive(), null)).resolves.toHaveLength(1);
  });

  test('that is invalid is refused', async () => {
    await expect(readArchive(Readable.from([Buffer.alloc(1024)]), null)).rejects.toThrow('manifest.json');
    await expect(readArchive(Readable.from([Buffer.alloc(700, 'x')]), null)).rejects.toThrow();
  });
});
