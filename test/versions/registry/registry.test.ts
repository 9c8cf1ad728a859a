import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LurkboxError } from '../../../src/errors.ts';
import type { PluginRegistry } from '../../../src/versions/registry/registry.ts';
import { PLUGIN_STATES, TRANSITIONS, type Transition } from '../../../src/versions/registry/state.ts';
import { createFolder, digestOf, newVersion, openRegistry } from './sample.ts';

const NOTHING = { filesystem: false, network: false, exec: false, secrets: [] };
const SOME = { ...NOTHING, exec: true };

let registry: PluginRegistry;
let now: number;

beforeEach(async () => {
  now = Date.parse('2026-01-02T03:04:05.678Z');
  registry = await openRegistry(null, () => now);
});
afterEach(() => registry.close());

function errorOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

const namesOf = (records: readonly { readonly name: string }[]) => records.map(({ name }) => name);

describe('register', () => {
  test('stores a version as given, loaded and not active', () => {
    const told = newVersion('weather');
    expect(registry.register(told)).toEqual({
      ...told,
      id: 1,
      state: 'LOADED',
      reason: null,
      installedAt: '2026-01-02T03:04:05.678Z',
      statistics: { calls: 0, failures: 0, totalMs: 0, lastCallAt: null },
    });
    expect(registry.get('weather')).toEqual({
      name: 'weather',
      active: null,
      versions: [registry.get('weather')?.versions[0]],
      origin: told.origin,
      consents: [],
      consented: NOTHING,
      uid: null,
      canary: null,
      activeBefore: [],
    });
  });

  test('returns the known version for the same content, with the new folder, lock and origin', () => {
    const { id } = registry.register(newVersion('weather'));
    registry.setState(id, 'enable');
    const now = { folder: 'plugins/b', lock: '{}', origin: { kind: 'folder', path: '/b' } } as const;
    const again = registry.register({ ...newVersion('weather'), ...now });
    expect(again).toMatchObject({ id, state: 'ENABLED', ...now });
    expect(registry.get('weather')?.versions).toEqual([again]);
  });

  test('stores the same version with other content separately, newest first', () => {
    const first = registry.register(newVersion('weather'));
    const second = registry.register({
      ...newVersion('weather'),
      digest: digestOf('other'),
      content: digestOf('other'),
    });
    expect(second.id).toBeGreaterThan(first.id);
    expect(registry.get('weather')?.versions).toEqual([second, first]);
  });

  test('stores a given consent, and keeps the earlier one when none is given', () => {
    registry.register(newVersion('weather'), SOME);
    registry.register(newVersion('weather', '2.0.0'));
    expect(registry.get('weather')?.consented).toEqual(SOME);
  });

  test.each([
    ['a folder that leads elsewhere', { folder: '../../elsewhere' }, 'folder'],
    ['an absolute folder', { folder: '/etc' }, 'folder'],
    ['a relative origin', { origin: { kind: 'folder', path: 'here' } }, 'origin'],
    ['an origin of no known kind', { origin: { kind: 'moon', path: '/b' } }, 'origin.kind'],
    ['a content without a digest', { content: 'sha256:0' }, 'content'],
    ['no digest', { digest: 'sha256:0' }, 'digest'],
    ['a name that is none', { name: '../../x' }, 'name'],
    ['the manifest of another plugin', { name: 'other' }, ''],
  ])('refuses %s, and stores nothing', (_, part, path) => {
    const error = errorOf(() => registry.register({ ...newVersion('weather'), ...(part as object) }));
    expect(error).toMatchObject({
      code: 'REGISTRY_INVALID',
      problems: expect.arrayContaining([expect.objectContaining({ path })]),
    });
    expect(registry.list()).toEqual([]);
  });
});

describe('unregister', () => {
  test('removes one version, also from the active one, the history and the canary', () => {
    const [first, second, third] = ['1.0.0', '2.0.0', '3.0.0'].map((version) =>
      registry.register(newVersion('weather', version)),
    );
    for (const version of [first, second, third]) registry.activate('weather', version!.id);
    registry.setCanary('weather', { versionId: first!.id, share: 0.5, calls: 10 });
    expect(registry.unregister('weather', first!.id)).toBe(true);
    expect(registry.get('weather')).toMatchObject({ canary: null, activeBefore: [second!.id] });
    expect(registry.unregister('weather', third!.id)).toBe(true);
    expect(registry.get('weather')).toMatchObject({ active: null, versions: [second] });
  });

  test('removes a plugin and its consents with its last version, too', () => {
    const { id } = registry.register(newVersion('weather'), SOME);
    expect(registry.unregister('weather', id)).toBe(true);
    expect(registry.get('weather')).toBeNull();
    const again = registry.register(newVersion('weather'));
    expect(again.id).toBeGreaterThan(id);
    expect(registry.get('weather')?.consented).toEqual(NOTHING);
    expect(registry.unregister('weather')).toBe(true);
    expect(registry.list()).toEqual([]);
  });

  test('returns whether there was anything to remove', () => {
    const { id } = registry.register(newVersion('weather'));
    registry.register(newVersion('clock'));
    expect(registry.unregister('unknown')).toBe(false);
    expect(registry.unregister('clock', id)).toBe(false);
    expect(namesOf(registry.list())).toEqual(['clock', 'weather']);
  });

  test('removes the recorded calls, so that a later plugin of that name has none', () => {
    const { id } = registry.register(newVersion('weather'));
    registry.recordCall(callOf(id, 'a'));
    registry.unregister('weather');
    registry.register(newVersion('weather'));
    expect(registry.recordedCalls('weather')).toEqual([]);
  });
});

describe('activate', () => {
  test('remembers the earlier active versions, latest first, each once', () => {
    const [a, b, c] = ['1.0.0', '2.0.0', '3.0.0'].map((v) => registry.register(newVersion('weather', v)).id);
    for (const id of [a!, b!, c!, a!]) registry.activate('weather', id);
    expect(registry.get('weather')).toMatchObject({ active: { id: a }, activeBefore: [c, b] });
    registry.activate('weather', null);
    expect(registry.get('weather')).toMatchObject({ active: null, activeBefore: [a, c, b] });
    registry.activate('weather', null);
    expect(registry.get('weather')?.activeBefore).toEqual([a, c, b]);
  });

  test('remembers the last 20 active versions', () => {
    const ids = Array.from(
      { length: 25 },
      (_, patch) => registry.register(newVersion('weather', `1.0.${patch}`)).id,
    );
    for (const id of ids) registry.activate('weather', id);
    expect(registry.get('weather')?.activeBefore).toEqual(ids.slice(4, 24).reverse());
  });

  test('refuses an unknown version', () => {
    registry.register(newVersion('weather'));
    const other = registry.register(newVersion('clock'));
    for (const work of [
      () => registry.activate('weather', other.id),
      () => registry.activate('unknown', null),
      () => registry.setConsents('unknown', []),
      () => registry.setCanary('weather', { versionId: other.id, share: 0.5, calls: 1 }),
      () => registry.setState(99, 'enable'),
    ])
      expect(errorOf(work)).toMatchObject({ code: 'PLUGIN_NOT_FOUND' });
  });
});

describe('setState', () => {
  /** How to get there from `LOADED`. */
  const WAYS = { LOADED: [], ENABLED: ['enable'], DISABLED: ['disable'], ERROR: ['fail'] } as const;
  const steps = Object.keys(TRANSITIONS).filter((step) => step !== 'unload') as Exclude<
    Transition,
    'unload'
  >[];
  const cases = PLUGIN_STATES.filter((state) => state !== 'UNLOADED').flatMap((state) =>
    steps.map((step) => [state, step] as const),
  );

  test.each(cases)('in state %s follows the table for `%s`', (state, step) => {
    const { id } = registry.register(newVersion('weather'));
    for (const way of WAYS[state]) registry.setState(id, way);
    const { from, to } = TRANSITIONS[step];
    const isAllowed = (from as readonly string[]).includes(state);
    const error = errorOf(() => registry.setState(id, step));
    expect(registry.get('weather')?.versions[0]?.state).toBe(isAllowed ? to : state);
    if (isAllowed) expect(error).toBeUndefined();
    else {
      expect(error).toBeInstanceOf(LurkboxError);
      expect(error).toMatchObject({ code: 'STATE_INVALID' });
      expect((error as Error).message).toContain(`\`weather@1.0.0\` is ${state} and cannot become ${to}`);
    }
  });

  test('keeps a reason with a failure, and with nothing else', () => {
    const { id } = registry.register(newVersion('weather'));
    expect(registry.setState(id, 'fail', 'It broke.')).toMatchObject({ state: 'ERROR', reason: 'It broke.' });
    expect(registry.setState(id, 'fail', 'x'.repeat(5000)).reason).toHaveLength(2000);
    expect(registry.setState(id, 'load', 'not kept')).toMatchObject({ state: 'LOADED', reason: null });
  });
});

test('a consent and a canary can be stored, replaced and removed', () => {
  const { id } = registry.register(newVersion('weather'));
  registry.setConsents('weather', [{ digest: digestOf('a'), permissions: SOME }]);
  registry.setCanary('weather', { versionId: id, share: 0.1, calls: 100 });
  expect(registry.get('weather')).toMatchObject({
    consented: SOME,
    canary: { versionId: id, share: 0.1, calls: 100 },
  });
  registry.setConsents('weather', []);
  registry.setCanary('weather', null);
  expect(registry.get('weather')).toMatchObject({ consented: NOTHING, canary: null });
  for (const share of [0, 1, Number.NaN])
    expect(errorOf(() => registry.setCanary('weather', { versionId: id, share, calls: 1 }))).toMatchObject({
      code: 'REGISTRY_INVALID',
    });
});

test('what the registry returns is deeply frozen and does not change', () => {
  const { id } = registry.register(newVersion('weather'));
  const before = registry.get('weather')!;
  const list = registry.list();
  registry.setState(id, 'enable');
  expect(before.versions[0]?.state).toBe('LOADED');
  expect(list).toEqual([before]);
  for (const value of [list, before, before.versions, before.versions[0]?.manifest.permissions])
    expect(Object.isFrozen(value)).toBe(true);
});

describe('a transaction', () => {
  test('stores everything, and its own reads see it', () => {
    registry.transaction(() => {
      const { id } = registry.register(newVersion('weather'));
      registry.setState(id, 'enable');
      registry.activate('weather', id);
      expect(registry.get('weather')?.active?.state).toBe('ENABLED');
    });
    expect(registry.get('weather')?.active?.state).toBe('ENABLED');
  });

  test('stores nothing when it fails', () => {
    const { id } = registry.register(newVersion('weather'), SOME);
    const before = registry.list();
    const fail = () =>
      registry.transaction(() => {
        registry.setState(id, 'enable');
        registry.register(newVersion('clock'));
        registry.unregister('weather');
        throw new Error('stop');
      });
    expect(fail).toThrow('stop');
    expect(registry.list()).toEqual(before);
  });

  test('goes on when an inner one fails, and undoes inner ones when it fails itself', () => {
    registry.transaction(() => {
      registry.register(newVersion('weather'));
      const inner = () =>
        registry.transaction(() => {
          registry.register(newVersion('clock'));
          throw new Error('inner');
        });
      expect(inner).toThrow('inner');
      expect(registry.get('clock')).toBeNull();
    });
    expect(namesOf(registry.list())).toEqual(['weather']);
    const outer = () =>
      registry.transaction(() => {
        registry.transaction(() => registry.register(newVersion('clock')));
        throw new Error('outer');
      });
    expect(outer).toThrow('outer');
    expect(namesOf(registry.list())).toEqual(['weather']);
  });

  test('refuses asynchronous work', () => {
    expect(() =>
      registry.transaction(async () => {
        registry.register(newVersion('weather'));
      }),
    ).toThrow(TypeError);
    expect(registry.list()).toEqual([]);
  });
});

describe('the registry finds plugins', () => {
  beforeEach(() => {
    const weather = { plugin_type: 'hook', tags: ['Sky', 'daily'], description: 'Sun and rain' };
    const old = registry.register(newVersion('weather', '1.0.0', weather));
    registry.register(
      newVersion('weather', '2.0.0', { description: 'Only snow', author: { name: 'Grace' } }),
    );
    registry.activate('weather', old.id);
    registry.setState(old.id, 'enable');
    registry.register(newVersion('clock', '1.0.0', { description: 'Tells the time of the sun' }));
    registry.register(newVersion('ant', '1.0.0', { author: { name: 'Sunny' } }));
  });

  test('by name, in order', () => {
    expect(namesOf(registry.list())).toEqual(['ant', 'clock', 'weather']);
  });

  test('by the state of the active version, else of the newest', () => {
    expect(namesOf(registry.listByState('ENABLED'))).toEqual(['weather']);
    expect(namesOf(registry.listByState('LOADED'))).toEqual(['ant', 'clock']);
    expect(registry.listByState('UNLOADED')).toEqual([]);
  });

  test('by type', () => {
    expect(namesOf(registry.listByType('hook'))).toEqual(['weather']);
    expect(namesOf(registry.listByType('tool'))).toEqual(['ant', 'clock']);
  });

  test('by a whole tag, ignoring case', () => {
    expect(namesOf(registry.findByTag('sKY'))).toEqual(['weather']);
    expect(registry.findByTag('sk')).toEqual([]);
  });

  test('by a part of the name, description, tag or author, ignoring case', () => {
    expect(namesOf(registry.findByKeyword('SUN'))).toEqual(['ant', 'clock', 'weather']);
    expect(namesOf(registry.findByKeyword('dail'))).toEqual(['weather']);
    expect(namesOf(registry.findByKeyword('loc'))).toEqual(['clock']);
    expect(registry.findByKeyword('snow')).toEqual([]);
  });

  test('with their current state after a change', () => {
    registry.register(newVersion('bee', '1.0.0', { description: 'sun' }));
    registry.unregister('ant');
    registry.activate('weather', registry.get('weather')!.versions[0]!.id);
    expect(namesOf(registry.findByKeyword('sun'))).toEqual(['bee', 'clock']);
    expect(namesOf(registry.findByKeyword('snow'))).toEqual(['weather']);
  });
});

function callOf(versionId: number, executionId: string, result: unknown = null) {
  return {
    executionId,
    versionId,
    at: '2026-01-02T03:04:05.678Z',
    context: { inputData: { a: 1 } },
    outcome: 'OK',
    result,
  };
}

describe('calls in the registry', () => {
  test('are counted with their failures, durations and the time of the last', () => {
    const { id } = registry.register(newVersion('weather'));
    registry.countCall(id, { success: true, ms: 10 });
    now += 1000;
    registry.countCall(id, { success: false, ms: 2.5 });
    registry.countCall(99, { success: true, ms: 1 });
    registry.flush();
    registry.countCall(id, { success: true, ms: 1 });
    registry.flush();
    expect(registry.get('weather')?.versions[0]?.statistics).toEqual({
      calls: 3,
      failures: 1,
      totalMs: 13.5,
      lastCallAt: '2026-01-02T03:04:06.678Z',
    });
  });

  test('are recorded, the newest 100 of each plugin, newest first', () => {
    const { id } = registry.register(newVersion('weather'));
    const other = registry.register(newVersion('clock'));
    registry.recordCall(callOf(other.id, 'other'));
    for (let index = 0; index < 120; index++) registry.recordCall(callOf(id, `call-${index}`, { index }));
    const calls = registry.recordedCalls('weather');
    expect(calls).toHaveLength(100);
    expect(calls[0]).toEqual(callOf(id, 'call-119', { index: 119 }));
    expect(calls[99]?.executionId).toBe('call-20');
    expect(registry.recordedCalls('weather', { limit: 2 })).toEqual(calls.slice(0, 2));
    expect(registry.recordedCalls('clock')).toHaveLength(1);
    expect(registry.recordedCalls('unknown')).toEqual([]);
  });

  test('are not recorded when they are too large, not JSON or of an unknown version', () => {
    const { id } = registry.register(newVersion('weather'));
    registry.recordCall(callOf(id, 'large', 'x'.repeat(256 * 1024)));
    registry.recordCall(callOf(id, 'no JSON', 1n));
    registry.recordCall(callOf(99, 'unknown'));
    expect(registry.recordedCalls('weather')).toEqual([]);
  });
});

test('an event of another version of lurkbox keeps unknown members, and counts as of the first version if it names none', async () => {
  await using folder = await createFolder();
  await (await openRegistry(folder.path)).close();
  const { v: _, ...first } = eventOf('weather', 'LOAD');
  const newer = { ...eventOf('weather', 'LOAD'), v: 9, eventType: 'MOVED', place: { kind: 'here' } };
  const store = new DatabaseSync(join(folder.path, 'activity.db'));
  for (const event of [first, newer, { ...first, eventType: 'MOVED' }])
    store
      .prepare("INSERT INTO events (plugin, type, event) VALUES ('weather', ?, ?)")
      .run(event.eventType, JSON.stringify(event));
  store.close();
  await using registry = await openRegistry(folder.path);
  expect(registry.events()).toEqual([
    { ...first, v: 1, id: 1 },
    { ...newer, id: 2 },
  ]);
});

function eventOf(pluginName: string, eventType: 'LOAD' | 'EXECUTE' | 'ERROR', metadata: object = {}) {
  return {
    v: 2,
    eventType,
    pluginName,
    version: '1.0.0',
    digest: null,
    timestamp: '2026-01-02T03:04:05.678Z',
    success: true,
    message: null,
    error: null,
    metadata: { ...metadata },
  };
}

describe('events in the registry', () => {
  test('are read in order, from the newest or a given id, by plugin and type', () => {
    for (let index = 0; index < 5; index++) registry.appendEvent(eventOf('weather', 'EXECUTE', { index }));
    registry.appendEvent(eventOf('clock', 'LOAD'));
    const ids = (query?: object) => registry.events(query).map(({ id }) => id);
    expect(ids()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(ids({ limit: 2 })).toEqual([5, 6]);
    expect(ids({ after: 0, limit: 2 })).toEqual([1, 2]);
    expect(ids({ after: 6 })).toEqual([]);
    expect(ids({ plugin: 'weather', limit: 2 })).toEqual([4, 5]);
    expect(ids({ types: ['LOAD', 'ERROR'] })).toEqual([6]);
    expect(ids({ types: [] })).toEqual([]);
    expect(ids({ plugin: 'weather', types: ['EXECUTE'], after: 2, limit: 1 })).toEqual([3]);
    expect(registry.events({ after: 4, limit: 1 })).toEqual([
      { ...eventOf('weather', 'EXECUTE', { index: 4 }), id: 5 },
    ]);
  });

  test.each([-1, 0.5, Number.NaN, 100_001])('refuse a limit of %d', (limit) => {
    expect(errorOf(() => registry.events({ limit }))).toMatchObject({ code: 'OPTIONS_INVALID' });
  });

  test('are kept up to the newest 100,000', () => {
    for (let index = 0; index < 100_050; index++) {
      registry.appendEvent(eventOf('weather', 'EXECUTE'));
      if (index % 5000 === 0) registry.flush();
    }
    expect(registry.events({ after: 0, limit: 1 })[0]?.id).toBe(51);
    expect(registry.events({ limit: 100_000 })).toHaveLength(100_000);
  });

  test('that are too large or not JSON are stored without their facts', () => {
    registry.appendEvent({
      ...eventOf('weather', 'ERROR', { text: 'x'.repeat(70_000) }),
      message: 'm'.repeat(2000),
    });
    registry.appendEvent(eventOf('weather', 'ERROR', { big: 1n }));
    expect(registry.events()).toMatchObject([
      { id: 1, metadata: {}, message: 'm'.repeat(1000) },
      { id: 2, metadata: {} },
    ]);
  });
});

test('a closed registry refuses reads, and can be closed again', async () => {
  await registry.close();
  await registry.close();
  registry.appendEvent(eventOf('weather', 'LOAD'));
  for (const work of [() => registry.list(), () => registry.register(newVersion('weather'))])
    expect(errorOf(work)).toMatchObject({ code: 'REGISTRY_INVALID', message: 'The registry is closed.' });
});
