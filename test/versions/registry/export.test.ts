import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ExportedPlugin, RegistryExport } from '../../../src/versions/registry/export.ts';
import type { PluginRegistry } from '../../../src/versions/registry/registry.ts';
import { digestOf, newVersion, openRegistry } from './sample.ts';

const PERMISSIONS = { filesystem: false, network: false, exec: false, secrets: [] };

/** What a person or a program may have done to a registry, as a script. */
const scripts = fc.array(
  fc.record({
    name: fc.constantFrom('ant', 'bee', 'clock'),
    version: fc.constantFrom('1.0.0', '1.0.1-beta.1', '2.0.0+build'),
    content: fc.constantFrom('a', 'b'),
    step: fc.constantFrom(
      'none',
      'activate',
      'enable',
      'disable',
      'fail',
      'canary',
      'consent',
      'count',
      'unregister',
    ),
    text: fc.string({ unit: 'grapheme', maxLength: 20 }),
  }),
  { maxLength: 30 },
);

type Script = typeof scripts extends fc.Arbitrary<infer Value> ? Value : never;

function play(registry: PluginRegistry, script: Script): void {
  for (const { name, version, content, step, text } of script) {
    const { id, state } = registry.register({
      ...newVersion(name, version),
      digest: digestOf(version + content),
      content: digestOf(version + content),
    });
    if (step === 'activate') registry.activate(name, id);
    else if ((step === 'enable' || step === 'disable') && state !== 'ERROR') registry.setState(id, step);
    else if (step === 'fail') registry.setState(id, 'fail', text);
    else if (step === 'canary') registry.setCanary(name, { versionId: id, share: 0.25, calls: 7 });
    else if (step === 'consent')
      registry.setConsents(name, [
        { digest: digestOf(version + content), permissions: { ...PERMISSIONS, exec: true, channels: [] } },
      ]);
    else if (step === 'count') registry.countCall(id, { success: text === '', ms: text.length });
    else if (step === 'unregister') registry.unregister(name, id);
  }
  registry.flush();
}

/** Ids are only for the references inside of one export. */
function withoutIds({ plugins }: RegistryExport): unknown {
  return plugins.map((plugin: ExportedPlugin) => {
    const place = (id: number) => plugin.versions.findIndex((version) => version.id === id);
    return {
      ...plugin,
      active: plugin.active === null ? null : place(plugin.active),
      activeBefore: plugin.activeBefore.map(place),
      canary: plugin.canary === null ? null : { ...plugin.canary, versionId: place(plugin.canary.versionId) },
      versions: plugin.versions.map(({ id: _, ...version }) => version),
    };
  });
}

test('an exported and imported registry is the same', async () => {
  await fc.assert(
    fc.asyncProperty(scripts, async (script) => {
      await using from = await openRegistry(null);
      await using to = await openRegistry(null);
      // Ids of the one mean something else in the other.
      to.register(newVersion('zebra'));
      play(from, script);
      const exported = JSON.parse(JSON.stringify(from));
      const names = from.list().map(({ name }) => name);
      expect(to.importJSON(exported)).toEqual({ added: names, skipped: [] });
      to.unregister('zebra');
      expect(withoutIds(to.toJSON())).toEqual(withoutIds(exported));
      expect(to.importJSON(exported)).toEqual({ added: [], skipped: names });
    }),
    { numRuns: 60 },
  );
});

/** An export, to be edited. */
// biome-ignore lint/suspicious/noExplicitAny: it is broken in many ways
type Loose = any;

async function sample(): Promise<Loose> {
  await using registry = await openRegistry(null);
  const { id } = registry.register(newVersion('ant'));
  registry.register(newVersion('bee'));
  registry.activate('ant', id);
  return JSON.parse(JSON.stringify(registry));
}

test('an import leaves known versions alone and adds the rest', async () => {
  await using registry = await openRegistry(null);
  registry.register({ ...newVersion('ant'), origin: { kind: 'folder', path: '/mine' } });
  expect(registry.importJSON(await sample())).toEqual({ added: ['bee'], skipped: ['ant'] });
  expect(registry.get('ant')?.versions[0]?.origin.path).toBe('/mine');
});

test.each<[string, (value: Loose) => unknown, string]>([
  ['another format', (value) => ({ ...value, format: 'x' }), 'format'],
  ['a newer version', (value) => ({ ...value, version: 3 }), 'version'],
  ['an unknown key', (value) => ({ ...value, more: 1 }), 'more'],
  ['no list', (value) => ({ ...value, plugins: 1 }), 'plugins'],
  ['a plugin twice', (value) => ({ ...value, plugins: [value.plugins[0], value.plugins[0]] }), 'plugins'],
  [
    'a reference to nothing',
    (value) => edit(value, (plugin) => ({ ...plugin, active: 99 })),
    'plugins[0].active',
  ],
  [
    'no versions',
    (value) => edit(value, (plugin) => ({ ...plugin, active: null, versions: [] })),
    'plugins[0].versions',
  ],
  [
    'a folder that leads out',
    (value) => editVersion(value, { folder: 'a/../../b' }),
    'plugins[0].versions[0].folder',
  ],
  ['an unknown state', (value) => editVersion(value, { state: 'UNLOADED' }), 'plugins[0].versions[0].state'],
  ['an error without a reason', (value) => editVersion(value, { state: 'ERROR' }), 'plugins[0].versions[0]'],
  ['nothing at all', () => null, ''],
])('an import with %s is refused with its path, and stores nothing', async (_, change, path) => {
  await using registry = await openRegistry(null);
  const value = change(await sample());
  let error: unknown;
  try {
    registry.importJSON(value);
  } catch (caught) {
    error = caught;
  }
  expect(error).toMatchObject({
    code: 'REGISTRY_INVALID',
    problems: expect.arrayContaining([expect.objectContaining({ path })]),
  });
  expect(registry.list()).toEqual([]);
});

test('an import reports every problem at once', async () => {
  await using registry = await openRegistry(null);
  const value = await sample();
  value.plugins[0].versions[0].digest = 'x';
  value.plugins[1].consents = [
    { digest: digestOf('b'), permissions: { exec: 'yes' }, at: '2026-01-02T03:04:05Z' },
  ];
  expect(() => registry.importJSON(value)).toThrow(
    expect.objectContaining({
      problems: [
        expect.objectContaining({ path: 'plugins[0].versions[0].digest' }),
        expect.objectContaining({ path: 'plugins[1].consents[0].permissions.exec' }),
      ],
    }),
  );
});

function edit(value: Loose, change: (plugin: Loose) => unknown): unknown {
  return { ...value, plugins: [change(value.plugins[0]), ...value.plugins.slice(1)] };
}

function editVersion(value: Loose, part: object): unknown {
  return edit(value, (plugin) => ({ ...plugin, versions: [{ ...plugin.versions[0], ...part }] }));
}

test('an import of version 1 turns folders into origins, and a consent into one for each content that it covers', async () => {
  await using registry = await openRegistry(null);
  const { plugins } = await sample();
  const [ant, bee] = plugins.map(({ origin, consents: _, versions, ...plugin }: Loose) => ({
    ...plugin,
    consented: { ...PERMISSIONS, exec: true },
    versions: versions.map(({ content: _content, lock: _lock, origin: _origin, ...version }: Loose) => ({
      ...version,
      source: origin.path,
    })),
  }));
  const value = { format: 'lurkbox-registry', version: 1, plugins: [ant, bee] };
  expect(registry.importJSON(value)).toEqual({ added: ['ant', 'bee'], skipped: [] });
  const { digest, installedAt } = registry.get('ant')!.active!;
  expect(registry.get('ant')).toMatchObject({
    origin: { kind: 'folder', path: '/somewhere/ant' },
    consents: [{ digest, permissions: PERMISSIONS, at: installedAt }],
    active: { content: digest, lock: null, origin: { kind: 'folder', path: '/somewhere/ant' } },
  });
  value.plugins[0].versions[0].source = 'here';
  expect(() => registry.importJSON(value)).toThrow(
    expect.objectContaining({
      problems: [expect.objectContaining({ path: 'plugins[0].versions[0].source' })],
    }),
  );
});
