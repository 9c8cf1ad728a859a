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
  test('makes a version known as it was told, loaded and not active', () => {
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

  test('answers the known version for the same content, with the folder, lock and origin told now', () => {
    const { id } = registry.register(newVersion('weather'));
    registry.setState(id, 'enable');
    const now = { folder: 'plugins/b', lock: '{}', origin: { kind: 'folder', path: '/b' } } as const;
    const again = registry.register({ ...newVersion('weather'), ...now });
    expect(again).toMatchObject({ id, state: 'ENABLED', ...now });
    expect(registry.get('weather')?.versions).toEqual([again]);
  });

  test('knows the same version with other content as another one, newest first', () => {
    const first = registry.register(newVersion('weather'));
    const second = registry.register({
      ...newVersion('weather'),
      digest: digestOf('other'),
      content: digestOf('other'),
    });
    expect(second.id).toBeGreaterThan(first.id);
    expect(registry.get('weather')?.versions).toEqual([second, first]);
  });

  test('stores a consent with it, and keeps the one there was when none is told', () => {
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
  test('forgets one version, and that it was active, remembered or tried', () => {
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

  test('forgets a plugin and what was agreed to, also with its last version', () => {
    const { id } = registry.register(newVersion('weather'), SOME);
    expect(registry.unregister('weather', id)).toBe(true);
    expect(registry.get('weather')).toBeNull();
    const again = registry.register(newVersion('weather'));
    expect(again.id).toBeGreaterThan(id);
    expect(registry.get('weather')?.consented).toEqual(NOTHING);
    expect(registry.unregister('weather')).toBe(true);
    expect(registry.list()).toEqual([]);
  });

  test('says when there was nothing to forget', () => {
    const { id } = registry.register(newVersion('weather'));
    registry.register(newVersion('clock'));
    expect(registry.unregister('unknown')).toBe(false);
    expect(registry.unregister('clock', id)).toBe(false);
    expect(namesOf(registry.list())).toEqual(['clock', 'weather']);
  });

  test('takes the recorded calls along: a plugin of the same name has none', () => {
    const { id } = registry.register(newVersion('weather'));
    registry.recordCall(callOf(id, 'a'));
    registry.unregister('weather');
    registry.register(newVersion('weather'));
    expect(registry.recordedCalls('weather')).toEqual([]);
  });
});

describe('activate', () => {
  test('remembers what was active before, latest first, each once', () => {
    const [a, b, c] = ['1.0.0', '2.0.0', '3.0.0'].map((v) => registry.register(newVersion('weather', v)).id);
    for (const id of [a!, b!, c!, a!]) registry.activate('weather', id);
    expect(registry.get('weather')).toMatchObject({ active: { id: a }, activeBefore: [c, b] });
    registry.activate('weather', null);
    expect(registry.get('weather')).toMatchObject({ active: null, activeBefore: [a, c, b] });
    registry.activate('weather', null);
    expect(registry.get('weather')?.activeBefore).toEqual([a, c, b]);
  });

  test('remembers the last 20', () => {
    const ids = Array.from(
      { length: 25 },
      (_, patch) => registry.register(newVersion('weather', `1.0.${patch}`)).id,
    );
    for (const id of ids) registry.activate('weather', id);
    expect(registry.get('weather')?.activeBefore).toEqual(ids.slice(4, 24).reverse());
  });

  test('refuses what is not known', () => {
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

  test.each(cases)('from %s, %s follows the table', (state, step) => {
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

  test('keeps a reason with a failure, and none with anything else', () => {
    const { id } = registry.register(newVersion('weather'));
    expect(registry.setState(id, 'fail', 'It broke.')).toMatchObject({ state: 'ERROR', reason: 'It broke.' });
    expect(registry.setState(id, 'fail', 'x'.repeat(5000)).reason).toHaveLength(2000);
    expect(registry.setState(id, 'load', 'not kept')).toMatchObject({ state: 'LOADED', reason: null });
  });
});

test('a consent and a canary are stored, replaced and taken back', () => {
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

test('what is read is frozen all the way down, and stays what it was', () => {
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
  test('stores everything, and is seen from inside', () => {
    registry.transaction(() => {
      const { id } = registry.register(newVersion('weather'));
      registry.setState(id, 'enable');
      registry.activate('weather', id);
      expect(registry.get('weather')?.active?.state).toBe('ENABLED');
    });
    expect(registry.get('weather')?.active?.state).toBe('ENABLED');
  });

  test('stores nothing when it fails, whatever it did', () => {
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

  test('goes on when one inside of it failed alone, and takes all along when it fails itself', () => {
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

  test('refuses work that does not end at once', () => {
    expect(() =>
      registry.transaction(async () => {
        registry.register(newVersion('weather'));
      }),
    ).toThrow(TypeError);
    expect(registry.list()).toEqual([]);
  });
});

describe('plugins are found', () => {
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

  test('by the state of the version that is active, else the newest', () => {
    expect(namesOf(registry.listByState('ENABLED'))).toEqual(['weather']);
    expect(namesOf(registry.listByState('LOADED'))).toEqual(['ant', 'clock']);
    expect(registry.listByState('UNLOADED')).toEqual([]);
  });

  test('by type', () => {
    expect(namesOf(registry.listByType('hook'))).toEqual(['weather']);
    expect(namesOf(registry.listByType('tool'))).toEqual(['ant', 'clock']);
  });

  test('by a whole tag, in any case', () => {
    expect(namesOf(registry.findByTag('sKY'))).toEqual(['weather']);
    expect(registry.findByTag('sk')).toEqual([]);
  });

  test('by a part of name, description, tag or author, in any case', () => {
    expect(namesOf(registry.findByKeyword('SUN'))).toEqual(['ant', 'clock', 'weather']);
    expect(namesOf(registry.findByKeyword('dail'))).toEqual(['weather']);
    expect(namesOf(registry.findByKeyword('loc'))).toEqual(['clock']);
    expect(registry.findByKeyword('snow')).toEqual([]);
  });

  test('as they are after a change', () => {
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

describe('calls', () => {
  test('are counted, with those that failed, how long they took and when the last was', () => {
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

  test('are not recorded when they are too large, are no JSON, or of a version that nobody knows', () => {
    const { id } = registry.register(newVersion('weather'));
    registry.recordCall(callOf(id, 'large', 'x'.repeat(256 * 1024)));
    registry.recordCall(callOf(id, 'no JSON', 1n));
    registry.recordCall(callOf(99, 'unknown'));
    expect(registry.recordedCalls('weather')).toEqual([]);
  });
});

test('an event of another version of lurkbox is read: unknown members are kept, and one without a version is of the first', async () => {
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

describe('events', () => {
  test('are read in order, the newest unless told where to begin, and by plugin and type', () => {
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

  test('that are too large or no JSON lose their facts, and not themselves', () => {
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

test('a closed registry says so, and can be closed again', async () => {
  await registry.close();
  await registry.close();
  registry.appendEvent(eventOf('weather', 'LOAD'));
  for (const work of [() => registry.list(), () => registry.register(newVersion('weather'))])
    expect(errorOf(work)).toMatchObject({ code: 'REGISTRY_INVALID', message: 'The registry is closed.' });
});
