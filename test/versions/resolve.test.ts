import { beforeEach, describe, expect, test } from 'vitest';
import { parseReference } from '../../src/versions/reference.ts';
import type { PluginRegistry } from '../../src/versions/registry/registry.ts';
import { type Choice, Resolver } from '../../src/versions/resolve.ts';
import { newVersion, openRegistry } from './registry/sample.ts';

const SCRATCH = { permissions: { filesystem: true } };
const OF_A_CANARY = { share: 0.25, calls: 10 };

let registry: PluginRegistry;
let heldBack: Set<number>;
let resolver: Resolver;

beforeEach(async () => {
  registry = await openRegistry(null);
  heldBack = new Set();
  resolver = new Resolver(registry, { follow: () => {}, isHeldBack: (id) => heldBack.has(id) });
});

/** Installs a version of `one`, which somebody agrees to where it is the first of the plugin. */
function install(version: string, manifest: object = {}): number {
  const made = newVersion('one', version, manifest);
  const isFirst = registry.get('one') === null;
  return registry.register(made, isFirst ? made.manifest.permissions : undefined).id;
}

function activate(id: number): void {
  registry.activate('one', id);
  registry.setState(id, 'enable');
}

function choose(written: string, drawsCanary?: (share: number) => boolean): Choice {
  return resolver.choose(parseReference(written), drawsCanary);
}

/** The number of the version that serves, or the outcome of the refusal. */
function servedBy(written: string, drawsCanary?: (share: number) => boolean): string {
  const choice = choose(written, drawsCanary);
  return 'refusal' in choice ? choice.refusal.outcome : choice.version.version;
}

describe('a reference without a range', () => {
  test('is served by the active version, and not by a newer one', () => {
    activate(install('1.0.0'));
    install('2.0.0');
    expect(servedBy('one')).toBe('1.0.0');
  });

  test('is refused while no version is active', () => {
    install('1.0.0');
    expect(servedBy('one')).toBe('PLUGIN_DISABLED');
  });

  test('is refused when no such plugin is installed, with the names of those that are', () => {
    activate(install('1.0.0'));
    expect(choose('two')).toMatchObject({
      refusal: {
        outcome: 'PLUGIN_NOT_FOUND',
        error: { message: expect.stringContaining('loaded are: one') },
      },
    });
  });

  test('is refused when the active version has extra permissions without consent', () => {
    install('1.0.0');
    activate(install('1.1.0', SCRATCH));
    expect(servedBy('one')).toBe('PERMISSION_DENIED');
  });

  test('is refused with the reason when the active version has failed', () => {
    const id = install('1.0.0');
    activate(id);
    registry.setState(id, 'fail', 'its folder is gone');
    expect(choose('one')).toMatchObject({
      refusal: {
        outcome: 'PLUGIN_DISABLED',
        error: { message: expect.stringContaining('1.0.0 (ERROR: its folder is gone)') },
      },
    });
  });

  test('is served by a canary in the share of calls that it has', () => {
    activate(install('1.0.0'));
    registry.setCanary('one', { versionId: install('1.1.0'), ...OF_A_CANARY });
    const asked: number[] = [];
    const draws = (share: number): boolean => asked.push(share) > 0;
    expect(choose('one', draws)).toMatchObject({ version: { version: '1.1.0' }, isCanary: true });
    expect(asked).toEqual([0.25]);
    expect(choose('one', () => false)).toMatchObject({ version: { version: '1.0.0' }, isCanary: false });
  });

  test('is not served by a canary that failed or has no consent', () => {
    activate(install('1.0.0'));
    const failed = install('1.1.0');
    registry.setCanary('one', { versionId: failed, ...OF_A_CANARY });
    registry.setState(failed, 'fail', 'cannot be loaded');
    expect(servedBy('one', () => true)).toBe('1.0.0');
    registry.setCanary('one', { versionId: install('1.2.0', SCRATCH), ...OF_A_CANARY });
    expect(servedBy('one', () => true)).toBe('1.0.0');
  });
});

describe('a reference with a range', () => {
  test('is served by the highest version in it, whichever is active', () => {
    activate(install('1.0.0'));
    install('1.2.0');
    install('1.1.0');
    install('2.0.0');
    expect(servedBy('one@^1')).toBe('1.2.0');
    expect(servedBy('one@1.1.0')).toBe('1.1.0');
    expect(servedBy('one@^3')).toBe('PLUGIN_NOT_FOUND');
  });

  test('never draws a canary', () => {
    activate(install('1.0.0'));
    registry.setCanary('one', { versionId: install('2.0.0'), ...OF_A_CANARY });
    expect(choose('one@^1', () => true)).toMatchObject({ version: { version: '1.0.0' }, isCanary: false });
  });

  test('skips a version that is held back, which only its exact number reaches', () => {
    activate(install('1.0.0'));
    heldBack.add(install('1.1.0'));
    expect(servedBy('one@^1')).toBe('1.0.0');
    expect(servedBy('one@1.1.0')).toBe('1.1.0');
  });

  test('skips a version that failed or has no consent', () => {
    activate(install('1.0.0'));
    registry.setState(install('1.1.0'), 'fail', 'cannot be loaded');
    install('1.2.0', SCRATCH);
    expect(servedBy('one@^1')).toBe('1.0.0');
    expect(servedBy('one@1.1.0')).toBe('PLUGIN_NOT_FOUND');
    expect(servedBy('one@1.2.0')).toBe('PERMISSION_DENIED');
  });

  test('is refused while the plugin is disabled, like every reference', () => {
    const id = install('1.0.0');
    activate(id);
    install('1.1.0');
    registry.setState(id, 'disable');
    for (const written of ['one', 'one@^1', 'one@1.1.0']) expect(servedBy(written)).toBe('PLUGIN_DISABLED');
  });

  test('selects one content when it names a digest', () => {
    activate(install('1.0.0'));
    const [{ digest } = { digest: '' }] = registry.get('one')?.versions ?? [];
    expect(servedBy(`one@1.0.0#${digest}`)).toBe('1.0.0');
    expect(servedBy(`one@1.0.0#sha256:${'0'.repeat(64)}`)).toBe('PLUGIN_NOT_FOUND');
  });
});

test('a reference also finds a version that cannot be called', () => {
  activate(install('1.0.0'));
  install('1.1.0', SCRATCH);
  expect(resolver.find(parseReference('one')).version).toBe('1.0.0');
  expect(resolver.find(parseReference('one@^1')).version).toBe('1.1.0');
  expect(resolver.newest(parseReference('one')).version).toBe('1.1.0');
  expect(resolver.activeOrNewest(parseReference('one')).version).toBe('1.0.0');
  expect(resolver.serving(parseReference('one@1.1.0'))).toBeNull();
  expect(() => resolver.find(parseReference('one@^3'))).toThrow(/fits \^3; installed are: 1\.1\.0, 1\.0\.0/);
});

test('a closed resolver returns no version', () => {
  activate(install('1.0.0'));
  resolver.close();
  expect(servedBy('one')).toBe('CANCELLED');
  expect(resolver.serving(parseReference('one'))).toBeNull();
});
