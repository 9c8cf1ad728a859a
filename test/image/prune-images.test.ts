import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ImageSummary } from '../../src/engine/engine.ts';
import { ImageUses } from '../../src/image/image-uses.ts';
import { MadeImages } from '../../src/image/made-images.ts';
import { ImagePruner, type PruneOptions } from '../../src/image/prune-images.ts';
import { SILENT_LOGGER } from '../../src/logger.ts';
import { ALL, BASE, EXEC, engineWith, keyOf, MB, PLUGIN, SHELL_PLUGIN, tagsOf } from './sample-images.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'prune-images-test-'));
  for (const workspace of ['one', 'two']) await mkdir(join(root, workspace));
});
afterEach(() => rm(root, { recursive: true }));

const usesFolder = () => join(root, 'state/uses');

/** As a process in this workspace has them. */
function openUses(workspace: string): ImageUses {
  return new ImageUses(join(root, workspace), async () => usesFolder(), SILENT_LOGGER);
}

interface Setting {
  readonly images?: readonly ImageSummary[];
  readonly inUse?: readonly ImageSummary[];
  /** What this user has not made. */
  readonly foreign?: readonly ImageSummary[];
  readonly bases?: readonly ImageSummary[];
  readonly workspace?: string;
}

function createPruner(setting: Setting = {}) {
  const { images = ALL, inUse = [], foreign = [], bases = [], workspace = 'one' } = setting;
  const { engine, removed } = engineWith(images, tagsOf(inUse));
  const own = images.filter((image) => !foreign.includes(image)).map(({ id }) => id);
  const pruner = new ImagePruner({
    engine,
    made: { idsOf: async (key) => own.filter((id) => id === `sha256:${key}`) },
    uses: openUses(workspace),
    currentBases: async () =>
      bases.map(({ tags, labels }) => ({ tag: tags[0]!, key: labels['lurkbox.image-key']! })),
  });
  return { pruner, removed };
}

const keeping = (...images: ImageSummary[]): PruneOptions => ({ keep: new Set(tagsOf(images)) });

describe('a prune in the only workspace', () => {
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
    const { pruner, removed } = createPruner({ inUse });
    const result = await pruner.prune(keeping(...kept));
    expect(removed.sort()).toEqual(tagsOf(gone).sort());
    expect([...result.removed].sort()).toEqual(tagsOf(gone).sort());
    expect(result.freedBytes / MB).toBe(freedMegabytes);
  });

  test('leaves the bases for the next image, unless all are to be removed', async () => {
    const { pruner } = createPruner({ bases: [BASE] });
    expect((await pruner.prune(keeping(EXEC, PLUGIN, SHELL_PLUGIN))).removed).toEqual([]);
    expect((await pruner.plan({ ...keeping(), all: true })).remove).toHaveLength(4);
  });

  test('removes only images that were shown', async () => {
    const { pruner, removed } = createPruner();
    await pruner.prune({ ...keeping(), only: new Set([...tagsOf([PLUGIN]), 'mine:1']) });
    expect(removed).toEqual(tagsOf([PLUGIN]));
  });
});

describe('a prune beside another workspace', () => {
  test('leaves what that one needs, and says so, until it is no longer needed', async () => {
    await openUses('two').add(keyOf('weather'));
    const { pruner } = createPruner();
    const plan = await pruner.plan(keeping());
    expect(plan.remove.map(({ image }) => image.tag)).not.toContain(PLUGIN.tags[0]);
    expect(plan.leave).toEqual([
      { image: expect.objectContaining({ plugin: 'weather' }), workspaces: [join(root, 'two')] },
    ]);
    expect([...(await pruner.prune(keeping())).removed].sort()).toEqual(
      tagsOf([BASE, EXEC, SHELL_PLUGIN]).sort(),
    );
    const there = createPruner({ images: [PLUGIN], workspace: 'two' });
    expect((await there.pruner.prune(keeping())).removed).toEqual(tagsOf([PLUGIN]));
  });

  test('withdraws its own need of a shared image, and leaves it', async () => {
    const [one, two] = [openUses('one'), openUses('two')];
    await Promise.all([one, two].map((uses) => uses.add(keyOf('weather'))));
    const { pruner, removed } = createPruner({ images: [PLUGIN] });
    await pruner.prune(keeping());
    expect(removed).toEqual([]);
    expect(await two.usersOf(keyOf('weather'))).toEqual({ there: [], gone: [] });
    await two.remove(keyOf('weather'));
    expect((await pruner.prune(keeping())).removed).toEqual(tagsOf([PLUGIN]));
    expect(await readdir(usesFolder())).toEqual([]);
  });

  test('keeps its own need of what it keeps, though the image is not in this engine', async () => {
    await openUses('one').add(keyOf('shell'));
    await createPruner({ images: [] }).pruner.prune(keeping(SHELL_PLUGIN));
    expect(await openUses('two').usersOf(keyOf('shell'))).toEqual({ there: [join(root, 'one')], gone: [] });
  });

  test('that no longer exists removes what that one needed, and names it', async () => {
    await openUses('two').add(keyOf('weather'));
    await rm(join(root, 'two'), { recursive: true });
    const { pruner } = createPruner({ images: [PLUGIN] });
    expect(await pruner.plan(keeping())).toMatchObject({
      remove: [{ workspaces: [] }],
      gone: [join(root, 'two')],
    });
  });

  test('with all removes shared images too, and the plan names who needs them', async () => {
    await openUses('two').add(keyOf('weather'));
    const { pruner } = createPruner({ images: [PLUGIN] });
    const all = { ...keeping(), all: true };
    expect((await pruner.plan(all)).remove).toMatchObject([{ workspaces: [join(root, 'two')] }]);
    expect((await pruner.prune(all)).removed).toEqual(tagsOf([PLUGIN]));
  });
});

test('images of another user and foreign ones with our labels stay, unless all are to be removed', async () => {
  const { pruner, removed } = createPruner({ foreign: [PLUGIN] });
  const plan = await pruner.plan(keeping());
  expect(plan.leave).toEqual([{ image: expect.objectContaining({ plugin: 'weather' }), workspaces: [] }]);
  await pruner.prune(keeping());
  expect(removed).not.toContain(PLUGIN.tags[0]);
  expect((await pruner.plan({ ...keeping(), all: true })).remove).toHaveLength(1);
});

test('an unnamed image of a build is removed when no build can need it any more', async () => {
  const stage = { ...BASE, labels: { 'lurkbox.kind': 'build-stage' }, id: 'sha256:stage', tags: [] };
  const young = { ...stage, id: 'sha256:young', createdAtMs: Date.now() };
  const named = { ...stage, id: 'sha256:named', tags: ['mine:1'] };
  const { pruner, removed } = createPruner({ images: [stage, young, named] });
  expect(await pruner.prune(keeping())).toEqual({ removed: [], freedBytes: 0 });
  expect(removed).toEqual(['sha256:stage']);
});

describe('records of who needs an image', () => {
  const KEY = keyOf('weather');

  test('are ignored for a foreign image whose key is a path, and nothing there is removed', async () => {
    const victim = join(root, 'state/victim');
    await mkdir(victim, { recursive: true });
    await writeFile(join(victim, 'index.js'), '// begins as a path does');
    const tag = `lurkbox/plugin-x:${'0'.repeat(16)}`;
    const labels = { ...PLUGIN.labels, 'lurkbox.image-key': '../victim' };
    const strange = { ...PLUGIN, id: 'sha256:strange', tags: [tag], labels };
    const { pruner } = createPruner({ images: [strange], foreign: [strange] });

    expect(await pruner.plan({ keep: new Set() })).toEqual({ remove: [], leave: [], gone: [] });
    expect(await openUses('one').usersOf('../victim')).toMatchObject({ gone: [] });
    expect(await readdir(victim)).toEqual(['index.js']);
  });

  test('end when foreign images are based on each other', async () => {
    const on = (image: ImageSummary, base: string) => ({
      ...image,
      labels: { ...image.labels, 'lurkbox.image-base': base },
    });
    const images = [on(BASE, keyOf('exec')), on(EXEC, keyOf('base')), PLUGIN];
    const { pruner } = createPruner({ images, foreign: images.slice(0, 2) });
    expect((await pruner.prune({ keep: new Set() })).removed).toEqual(PLUGIN.tags);
  });

  test('that cannot be read, or are not a path, count as a need', async () => {
    await mkdir(join(usesFolder(), KEY), { recursive: true });
    await mkdir(join(usesFolder(), KEY, 'a'.repeat(64)));
    await writeFile(join(usesFolder(), KEY, 'b'.repeat(64)), '');
    await writeFile(join(usesFolder(), KEY, 'c'.repeat(64)), 'x'.repeat(1_000_000));
    await writeFile(join(usesFolder(), KEY, '.half'), '/no');
    expect(await openUses('one').usersOf(KEY)).toEqual({
      there: Array(3).fill('a workspace whose record cannot be read'),
      gone: [],
    });
  });

  test('are private to the user, and left out when they cannot be stored', async () => {
    await new ImageUses(join(root, 'one'), async () => null, SILENT_LOGGER).add(KEY);
    await new ImageUses(null, async () => usesFolder(), SILENT_LOGGER).add(KEY);
    expect(await openUses('two').usersOf(KEY)).toEqual({ there: [], gone: [] });
    const folder = join(root, 'shared');
    await mkdir(folder);
    await chmod(folder, 0o777);
    expect(await new MadeImages(folder, SILENT_LOGGER).folder()).toBeNull();
  });

  test('survive while others withdraw theirs', async () => {
    const names = Array.from({ length: 8 }, (_, index) => `w${index}`);
    const turns = names.map(async (name) => {
      await mkdir(join(root, name));
      for (let turn = 0; turn < 20; turn++) {
        const uses = openUses(name);
        await uses.add(KEY);
        expect(await readdir(join(usesFolder(), KEY))).not.toEqual([]);
        if (turn < 19) await uses.remove(KEY);
      }
    });
    await Promise.all(turns);
    expect((await openUses('one').usersOf(KEY)).there).toHaveLength(8);
  });

  test('of many processes at once are all stored', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `w${index}`);
    for (const name of names) await mkdir(join(root, name));
    await Promise.all(names.map((name) => openUses(name).add(KEY)));
    expect((await openUses('one').usersOf(KEY)).there).toHaveLength(40);
  });
});
