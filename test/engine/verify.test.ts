import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toCreateOptions } from '../../src/engine/docker/to-create-options.ts';
import { verifyCreateBody } from '../../src/engine/verify.ts';
import { LurkboxError, type Problem } from '../../src/errors.ts';
import type { Grant } from '../../src/policy/grant.ts';
import { allowanceOf, MIB, specOf } from '../spec/sample.ts';
import { type Failure, FOLDER, lastLookFixtures, readFailures, readReference } from './last-look/generate.ts';
import { everyMutation, type Mutation, mutate, PROFILE, valueAt } from './last-look/mutate.ts';
import { REFERENCE_NAMES, type Reference, referenceOf } from './last-look/references.ts';
import { anyGrant, FACTS, optionsOf } from './sample.ts';

const MINIMAL = referenceOf('minimal');

function problemsOf(body: unknown, { allowance, engine }: Reference = MINIMAL): readonly Problem[] {
  try {
    verifyCreateBody(typeof body === 'string' ? body : JSON.stringify(body), allowance, engine);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(LurkboxError);
    expect(error).toMatchObject({ code: 'ENGINE_INSECURE' });
    return (error as LurkboxError).problems;
  }
}

const pathsOf = (body: unknown, reference?: Reference): string[] =>
  problemsOf(body, reference).map(({ path }) => path);

describe('the check of a create request lets pass', () => {
  test.each(REFERENCE_NAMES)('the stored request of the grant `%s`', (name) => {
    const reference = readReference(name);
    expect(problemsOf(reference.body, reference)).toEqual([]);
  });

  test('the request of any grant, under that grant', () => {
    fc.assert(
      fc.property(
        anyGrant,
        fc.boolean(),
        fc.constantFrom('runc', 'crun', 'kata', ''),
        (grant, apparmor, defaultRuntime) => {
          const body = toCreateOptions(specOf(grant), { ...FACTS, apparmor, defaultRuntime });
          const allowance = allowanceOf(grant);
          expect(problemsOf(body, { allowance, engine: { apparmor, defaultRuntime }, body })).toEqual([]);
        },
      ),
    );
  });
});

describe('any one change of a create request is refused, with its path (P6)', () => {
  const files = readdirSync(join(FOLDER, 'fail')).sort();
  const references = new Map(REFERENCE_NAMES.map((name) => [name, readReference(name)]));
  const isNotNamed = (failure: Failure): boolean => {
    const reference = references.get(failure.reference) ?? MINIMAL;
    return !pathsOf(mutate(reference.body, failure), reference).includes(failure.names);
  };

  test.each(files)('each in %s', (file) => {
    const failures = readFailures(file);
    expect(failures.length).toBeGreaterThan(4);
    expect(failures.filter(isNotNamed)).toEqual([]);
  });

  test('and every field of the request has its own file', () => {
    const { HostConfig, ...config } = MINIMAL.body as { HostConfig: object };
    const fields = [...Object.keys(config), ...Object.keys(HostConfig).map((field) => `HostConfig.${field}`)];
    expect(files).toEqual(expect.arrayContaining(fields.map((field) => `${field}.json`)));
    const written = Object.keys(lastLookFixtures()).filter((path) => path.includes('/fail/'));
    expect(files).toEqual(written.map((path) => path.split('/').at(-1)).sort());
  });
});

/** Changes that mean the same to the engine, and are let pass; there are no others. */
function isHarmless({ at, ...change }: Mutation, body: unknown): boolean {
  const profile = at.indexOf(PROFILE);
  if (profile === -1) return false;
  const inProfile = at.slice(profile + 1);
  // A comment in a seccomp profile is read by nobody.
  if (inProfile.at(-1) === 'comment')
    return !('to' in change) || change.to === null || typeof change.to === 'string';
  // Rules and their names stand in any order.
  const isList = inProfile.length === 1 ? inProfile[0] === 'syscalls' : inProfile.at(-1) === 'names';
  return isList && 'to' in change && isSameSet(change.to, valueAt(body, at));
}

function isSameSet(to: unknown, of: unknown): boolean {
  const texts = (list: unknown): string[] => (list as unknown[]).map((entry) => JSON.stringify(entry)).sort();
  return Array.isArray(to) && Array.isArray(of) && JSON.stringify(texts(to)) === JSON.stringify(texts(of));
}

// Between them these two have every kind of value that a body can have.
test.each(['minimal', 'everything'])(
  'every change at every place of the request of `%s` is refused (P6)',
  (name) => {
    const { body, allowance, engine } = referenceOf(name);
    const isLetPass = (mutation: Mutation): boolean => {
      try {
        verifyCreateBody(JSON.stringify(mutate(body, mutation)), allowance, engine);
        return true;
      } catch {
        return false;
      }
    };
    const mutations = [...everyMutation(body)].filter((mutation) => !isHarmless(mutation, body));
    expect(mutations.length).toBeGreaterThan(10_000);
    expect(mutations.filter(isLetPass)).toEqual([]);
  },
);

test('only changes without effect are let pass: comments and the order of rules', () => {
  const harmless = [...everyMutation(MINIMAL.body)].filter((mutation) => isHarmless(mutation, MINIMAL.body));
  expect(harmless.length).toBeGreaterThan(20);
  for (const mutation of harmless) expect(problemsOf(mutate(MINIMAL.body, mutation))).toEqual([]);
});

describe('the check of a create request reads it as the engine will:', () => {
  const text = JSON.stringify(MINIMAL.body);
  const { HostConfig } = MINIMAL.body as { HostConfig: Record<string, unknown> };
  const withHost = (HostConfig: object): object => ({ ...MINIMAL.body, HostConfig });

  test.each<[string, string]>([
    ['a field twice', text.replace('"Privileged":false', '"Privileged":true,"Privileged":false')],
    [
      'a field twice, the last one dangerous',
      text.replace('"Privileged":false', '"Privileged":false,"Privileged":true'),
    ],
    ['an object twice', text.replace('"HostConfig":', '"HostConfig":{"Privileged":true},"HostConfig":')],
    ['a field by an escape', text.replace('"Privileged"', '"Pri\\u0076ileged"')],
    ['blanks', text.replace('{', '{ ')],
    ['more after the end', `${text} {"HostConfig":{"Privileged":true}}`],
    ['a byte order mark', `\ufeff${text}`],
    ['a number in another spelling', text.replace('536870912', '5.36870912e8')],
    ['a negative zero', text.replace('"core","Soft":0', '"core","Soft":-0')],
    ['nothing', ''],
    ['half of it', text.slice(0, -1)],
    ['another value', 'null'],
    ['a list of it', `[${text}]`],
    ['a text of it', JSON.stringify(text)],
  ])('%s is refused', (_title, body) => {
    expect(body).not.toBe(text);
    expect(problemsOf(body).length).toBeGreaterThan(0);
  });

  test.each<[string, object, string]>([
    ['not a number', withHost({ ...HostConfig, Memory: Number.NaN }), 'HostConfig.Memory'],
    ['infinity', withHost({ ...HostConfig, PidsLimit: Number.POSITIVE_INFINITY }), 'HostConfig.PidsLimit'],
    ['undefined', withHost({ ...HostConfig, CapDrop: undefined }), 'HostConfig.CapDrop'],
    ['a function', withHost({ ...HostConfig, Privileged: () => false }), 'HostConfig.Privileged'],
    ['a symbol', withHost({ ...HostConfig, IpcMode: Symbol('none') }), 'HostConfig.IpcMode'],
    ['a list with a hole', withHost({ ...HostConfig, CapDrop: new Array(1) }), 'HostConfig.CapDrop[0]'],
    ['a date', withHost({ ...HostConfig, Runtime: new Date(0) }), 'HostConfig.Runtime'],
    ['a map', withHost({ ...HostConfig, Ulimits: new Map([['core', 0]]) }), 'HostConfig.Ulimits'],
    ['a number as an object', withHost({ ...HostConfig, Memory: Object(1) }), 'HostConfig.Memory'],
    [
      'an object that writes itself',
      withHost({ ...HostConfig, Tmpfs: { toJSON: () => ({}) } }),
      'HostConfig.Tmpfs./tmp',
    ],
    [
      'a field that only its prototype has',
      withHost(Object.create(HostConfig) as object),
      'HostConfig.Privileged',
    ],
    [
      'a field that is not enumerable',
      withHost(Object.defineProperty({ ...HostConfig }, 'CapDrop', { enumerable: false })),
      'HostConfig.CapDrop',
    ],
    [
      'a getter that answers something else',
      withHost(Object.defineProperty({ ...HostConfig }, 'Privileged', { get: () => true, enumerable: true })),
      'HostConfig.Privileged',
    ],
    [
      'an own `__proto__`',
      withHost(
        JSON.parse(JSON.stringify(HostConfig).replace('{', '{"__proto__":{"Privileged":true},')) as object,
      ),
      'HostConfig.__proto__',
    ],
  ])('%s is refused', (_title, body, path) => {
    expect(pathsOf(body)).toContain(path);
  });

  test('a value on a prototype is not sent, and changes nothing', () => {
    const own = { ...MINIMAL.body };
    expect(problemsOf(Object.setPrototypeOf(own, { Volumes: { '/data': {} } }))).toEqual([]);
  });

  test('a getter whose value changes is checked as it is sent', () => {
    let reads = 0;
    const get = (): boolean => reads++ > 0;
    const sent = JSON.stringify(
      withHost(Object.defineProperty({ ...HostConfig }, 'Privileged', { get, enumerable: true })),
    );
    expect(problemsOf(sent)).toEqual([]);
    expect(sent).toBe(text);
  });
});

test('the options of one grant are refused under any other grant, even a larger one', () => {
  const changes: [path: string, built: Partial<Grant>, allowed: Partial<Grant>][] = [
    ['HostConfig.Memory', { memoryBytes: 128 * MIB }, { memoryBytes: 127 * MIB }],
    ['HostConfig.Memory', { memoryBytes: 128 * MIB }, { memoryBytes: 129 * MIB }],
    ['HostConfig.NanoCpus', { cpuCores: 0.5 }, { cpuCores: 0.49 }],
    ['HostConfig.PidsLimit', { pids: 64 }, { pids: 63 }],
    ['HostConfig.Ulimits[5].Soft', { timeoutMs: 30_000 }, { timeoutMs: 1000 }],
    ['HostConfig.Tmpfs./tmp', { tmpBytes: 64 * MIB }, { tmpBytes: 63 * MIB }],
    ['HostConfig.Tmpfs./scratch', { scratchBytes: MIB }, { scratchBytes: 0 }],
    ['HostConfig.SecurityOpt[1]', { exec: true }, { exec: false }],
    ['HostConfig.SecurityOpt[1]', { exec: false }, { exec: true }],
    ['HostConfig.NetworkMode', { network: 'bridge' }, { network: 'none' }],
    ['HostConfig.NetworkMode', { network: 'host' }, { network: 'bridge' }],
    ['HostConfig.Runtime', { runtime: 'runc' }, { runtime: 'runsc' }],
    ['HostConfig.Runtime', { runtime: 'runsc' }, { runtime: null }],
    ['Labels.lurkbox.plugin', { plugin: 'one' }, { plugin: 'other' }],
  ];
  for (const [path, built, allowed] of changes) {
    const body = optionsOf(built);
    expect(pathsOf(body, { ...MINIMAL, allowance: allowanceOf(allowed) })).toContain(path);
  }
});

test('a container with another name, image or origin than requested is refused', () => {
  const { allowance } = MINIMAL;
  const refused = (change: object): string[] =>
    pathsOf(MINIMAL.body, { ...MINIMAL, allowance: { ...allowance, ...change } });
  expect(refused({ name: 'lurkbox-other' })).toContain('name');
  expect(refused({ image: `sha256:${'0'.repeat(64)}` })).toEqual(['Image']);
  const labels = { ...allowance.labels, 'lurkbox.instance': 'i-2' };
  expect(refused({ labels })).toEqual(['Labels.lurkbox.instance']);
});

test('AppArmor is required exactly where the engine has it', () => {
  const engine = { ...MINIMAL.engine, apparmor: true };
  expect(pathsOf(MINIMAL.body, { ...MINIMAL, engine })).toEqual(['HostConfig.SecurityOpt']);
  const { body, allowance } = referenceOf('apparmor');
  expect(pathsOf(body, { body, allowance, engine: MINIMAL.engine })).toEqual(['HostConfig.SecurityOpt']);
});

test('all problems are reported at once, each with its path, the expected value and the actual one', () => {
  const body = [
    { at: ['HostConfig', 'Privileged'], to: true },
    { at: ['HostConfig', 'PidMode'], to: 'host' },
    { at: ['Tty'], to: true },
    { at: ['Volumes'], to: {} },
  ].reduce<unknown>(mutate, MINIMAL.body);
  expect(problemsOf(body)).toEqual([
    { path: 'Volumes', message: 'this field is not in the allowed set' },
    { path: 'Tty', message: 'expected false, got true' },
    { path: 'HostConfig.Privileged', message: 'expected false, got true' },
    { path: 'HostConfig.PidMode', message: 'expected "", got "host"' },
  ]);
});
