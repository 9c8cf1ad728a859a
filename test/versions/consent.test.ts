import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLurkbox, type Lurkbox } from '../../src/index.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';

/** What somebody agreed to, for which content, and for how long. No container is needed, and none can be had. */
const NO_ENGINE = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };
const LET_THROUGH = 'ENGINE_UNAVAILABLE';
const SCRATCH = { permissions: { filesystem: true } };
const SLACK = { permissions: { channels: ['slack'] } };

let workspace: Workspace;
let lurkbox: Lurkbox;

beforeEach(async () => {
  workspace = await createWorkspace();
  lurkbox = await open();
});
afterEach(async () => {
  await lurkbox.close();
  await workspace[Symbol.asyncDispose]();
});

function open(): Promise<Lurkbox> {
  return createLurkbox({ workspaceRoot: workspace.root, maxWarm: 0, env: NO_ENGINE });
}

async function load(version: string, manifest: object = {}, code?: string): Promise<void> {
  const folder = await workspace.addPlugin('one', {
    manifest: { version, ...manifest },
    ...(code !== undefined && { code }),
  });
  await lurkbox.plugins.loadPlugin(folder).catch((error: { code: string }) => {
    if (error.code !== 'CONSENT_NEEDED') throw error;
  });
}

async function outcomeOf(reference: string, of = lurkbox): Promise<string> {
  return (await of.plugins.executePlugin(reference)).outcome;
}

const recordOf = () => lurkbox.registry.get('one');
/** Versions whose content somebody agreed to. */
const agreedTo = () => {
  const { consents = [], versions = [] } = recordOf() ?? {};
  const digests = consents.map(({ digest }) => digest);
  return digests.map((digest) => versions.find((one) => one.digest === digest)?.version);
};
const idOf = (version: string) => recordOf()?.versions.find((one) => one.version === version)?.digest;

describe('a consent', () => {
  beforeEach(async () => {
    await load('1.0.0');
    await load('1.1.0', SCRATCH);
  });

  test.each<[string, (digest: string) => string]>([
    ['twelve digits', (digest) => digest.slice(7, 19)],
    ['all digits but one', (digest) => digest.slice(0, -1)],
    ['a digit more', (digest) => `${digest}0`],
    ['nothing', () => ''],
    ['the name of the hash alone', () => 'sha256:'],
    ['the digits of another version', () => idOf('1.0.0') as string],
    ['digits and a line feed', (digest) => `${digest}\n`],
  ])('by %s is refused and recorded, and the message has the whole digest', (_title, write) => {
    const digest = idOf('1.1.0') as string;
    expect(() => lurkbox.plugins.consent('one', { digest: write(digest) })).toThrow(
      expect.objectContaining({ code: 'OPTIONS_INVALID', message: expect.stringContaining(digest) }),
    );
    expect(agreedTo()).toEqual(['1.0.0']);
    expect(recordOf()?.active?.version).toBe('1.0.0');
    const [told] = lurkbox.events.history({ plugin: 'one', types: ['CONSENT'] });
    expect(told).toMatchObject({ success: false, error: expect.stringContaining(digest) });
  });

  test.each<[string, (digest: string) => string]>([
    ['as it is shown', (digest) => digest],
    ['without the name of the hash', (digest) => digest.slice(7)],
    ['in capitals', (digest) => digest.slice(7).toUpperCase()],
  ])('by the whole digest, %s, is given for that content', (_title, write) => {
    const digest = idOf('1.1.0') as string;
    expect(lurkbox.plugins.consent('one', { digest: write(digest) })).toHaveLength(1);
    expect(agreedTo()).toEqual(['1.0.0', '1.1.0']);
    expect(recordOf()?.active).toMatchObject({ version: '1.1.0', digest });
  });

  test('to content that was changed meanwhile is refused', async () => {
    const digest = idOf('1.1.0') as string;
    await load('1.1.0', { permissions: { filesystem: true, channels: ['slack'] } });
    expect(() => lurkbox.plugins.consent('one@1.1.0', { digest })).toThrow(/look at what it asks for again/);
    expect(await outcomeOf('one@1.1.0')).toBe('PERMISSION_DENIED');
  });

  test('to a version in state ERROR is refused', () => {
    const { id } = lurkbox.plugins.newestVersion('one');
    lurkbox.registry.setState(id, 'fail', 'broken');
    expect(() => lurkbox.plugins.consent('one')).toThrow(expect.objectContaining({ code: 'STATE_INVALID' }));
    expect(agreedTo()).toEqual(['1.0.0']);
  });

  test('holds for a later version with the same permissions, even when the earlier one is unloaded', async () => {
    lurkbox.plugins.consent('one');
    await load('1.2.0', SCRATCH);
    expect(agreedTo()).toEqual(['1.0.0', '1.1.0', '1.2.0']);
    await lurkbox.plugins.unloadPlugin('one@1.1.0');
    expect(agreedTo()).toEqual(['1.0.0', '1.2.0']);
    expect(await outcomeOf('one')).toBe(LET_THROUGH);
  });

  test('ends with the content that it was given for', async () => {
    lurkbox.plugins.consent('one');
    await lurkbox.plugins.activatePlugin('one@1.0.0');
    await lurkbox.plugins.unloadPlugin('one@1.1.0');
    expect(agreedTo()).toEqual(['1.0.0']);
    await load('1.2.0', SCRATCH);
    expect(await outcomeOf('one@1.2.0')).toBe('PERMISSION_DENIED');
    expect(recordOf()?.active?.version).toBe('1.0.0');
  });

  test('ends with the last version, and a later plugin of that name needs its own', async () => {
    lurkbox.plugins.consent('one');
    await lurkbox.plugins.unloadPlugin('one');
    await load('2.0.0');
    await load('2.1.0', SCRATCH);
    expect(await outcomeOf('one@2.1.0')).toBe('PERMISSION_DENIED');
  });
});

describe('a consent that is withdrawn', () => {
  test('makes a version that needs no consent active from the next call on, in every process', async () => {
    await load('1.0.0');
    await load('1.1.0', SCRATCH);
    lurkbox.plugins.consent('one');
    await using other = await open();
    expect(await outcomeOf('one@1.1.0', other)).toBe(LET_THROUGH);
    expect(lurkbox.plugins.withdrawConsent('one')).toEqual([idOf('1.0.0'), idOf('1.1.0')]);
    expect(recordOf()).toMatchObject({ consents: [], active: { version: '1.0.0', state: 'ENABLED' } });
    for (const of of [lurkbox, other]) {
      expect(await outcomeOf('one', of)).toBe(LET_THROUGH);
      expect(await outcomeOf('one@1.1.0', of)).toBe('PERMISSION_DENIED');
    }
    expect(() => lurkbox.plugins.rollbackPlugin('one')).toThrow(/No other version/);
    await expect(lurkbox.plugins.activatePlugin('one@1.1.0')).rejects.toMatchObject({
      code: 'CONSENT_NEEDED',
    });
    const messages = lurkbox.events
      .history({ plugin: 'one', types: ['CONSENT'] })
      .map(({ message }) => message);
    expect(messages).toContain('withdrawn');
  });

  test('leaves no active version where all need it, until the operator agrees again', async () => {
    await load('1.0.0', SCRATCH);
    lurkbox.plugins.withdrawConsent('one');
    expect(recordOf()).toMatchObject({ active: null, consents: [] });
    expect(await outcomeOf('one')).toBe('PERMISSION_DENIED');
    // What is found in its folder again is not the first version.
    const { failed } = await lurkbox.plugins.discoverAndLoadAll(workspace.root);
    expect(failed.map(({ error }) => error.code)).toEqual(['CONSENT_NEEDED']);
    expect(await outcomeOf('one')).toBe('PERMISSION_DENIED');
    expect(lurkbox.plugins.consent('one')).toHaveLength(1);
    expect(await outcomeOf('one')).toBe(LET_THROUGH);
  });

  test('changes nothing the second time, nor for a plugin that needs no consent', async () => {
    await load('1.0.0');
    expect(lurkbox.plugins.withdrawConsent('one')).toHaveLength(1);
    expect(await outcomeOf('one')).toBe(LET_THROUGH);
    await load('1.1.0', SCRATCH);
    lurkbox.plugins.consent('one');
    expect(lurkbox.plugins.withdrawConsent('one')).toHaveLength(1);
    expect(lurkbox.plugins.withdrawConsent('one')).toEqual([]);
    expect(() => lurkbox.plugins.withdrawConsent('unknown')).toThrow(
      expect.objectContaining({ code: 'PLUGIN_NOT_FOUND' }),
    );
  });

  test('ends a canary of a version that needs it, and leaves a disabled plugin disabled', async () => {
    await load('1.0.0');
    await load('1.1.0', SLACK);
    await load('1.2.0', SCRATCH);
    lurkbox.plugins.consent('one');
    const { id } = lurkbox.plugins.newestVersion('one');
    await lurkbox.plugins.activatePlugin('one@1.0.0');
    lurkbox.registry.setCanary('one', { versionId: id, share: 0.5, calls: 3 });
    lurkbox.plugins.withdrawConsent('one');
    expect(recordOf()).toMatchObject({ canary: null, active: { version: '1.0.0' } });
    await lurkbox.plugins.consent('one');
    lurkbox.plugins.disablePlugin('one');
    lurkbox.plugins.withdrawConsent('one');
    expect(recordOf()?.active).toMatchObject({ version: '1.2.0', state: 'DISABLED' });
    lurkbox.plugins.enablePlugin('one');
    expect(await outcomeOf('one')).toBe('PERMISSION_DENIED');
  });
});

describe('an exact version', () => {
  const load1 = (version: string) =>
    load(version, {}, `export const execute = () => ${JSON.stringify(version)};`);

  test('is matched down to its build, wherever it is named', async () => {
    await load1('1.0.0+a');
    await load1('1.0.0+b');
    const { plugins } = lurkbox;
    expect(plugins.get('one@1.0.0+a')?.version).toBe('1.0.0+a');
    expect(await outcomeOf('one@1.0.0')).toBe('PLUGIN_NOT_FOUND');
    expect(await outcomeOf('one@1.0.0+c')).toBe('PLUGIN_NOT_FOUND');
    await plugins.activatePlugin('one@1.0.0+a');
    expect(recordOf()?.active?.version).toBe('1.0.0+a');
    await expect(plugins.activatePlugin('one@1.0.0')).rejects.toMatchObject({ code: 'PLUGIN_NOT_FOUND' });
    expect(plugins.rollbackPlugin('one').version).toBe('1.0.0+b');
    expect(await plugins.unloadPlugin('one@1.0.0')).toBe(false);
    expect(await plugins.unloadPlugin('one@1.0.0+a')).toBe(true);
    expect(recordOf()?.versions.map(({ version }) => version)).toEqual(['1.0.0+b']);
    await workspace.addPlugin('needs', { manifest: { requires: ['one@1.0.0+a'] } });
    const { failed } = await plugins.discoverAndLoadAll(workspace.root);
    expect(failed.map(({ error }) => error.code)).toEqual(['REQUIREMENT_UNMET']);
  });

  test('that has two contents is named by its digest, and refused without it', async () => {
    await load('1.0.0');
    const first = lurkbox.plugins.newestVersion('one');
    await load('1.0.0', SCRATCH);
    const second = lurkbox.plugins.newestVersion('one');
    const contents = [first, second].map(({ digest }) => `one@1.0.0#${digest}`);
    const { plugins } = lurkbox;
    for (const work of [plugins.activatePlugin('one@1.0.0'), plugins.unloadPlugin('one@=1.0.0')])
      await expect(work).rejects.toMatchObject({
        code: 'OPTIONS_INVALID',
        message: expect.stringMatching(
          new RegExp(
            contents
              .map((one) => one.replace('.', '\\.'))
              .reverse()
              .join('.*'),
          ),
        ),
      });
    expect(await outcomeOf(contents[0] as string)).toBe(LET_THROUGH);
    expect(await outcomeOf(contents[1] as string)).toBe('PERMISSION_DENIED');
    expect(await outcomeOf(`one@1.0.0#sha256:${'0'.repeat(64)}`)).toBe('PLUGIN_NOT_FOUND');
    expect(await plugins.unloadPlugin(contents[1] as string)).toBe(true);
    expect(recordOf()?.versions.map(({ id }) => id)).toEqual([first.id]);
    await expect(plugins.executePlugin('one@1.0.0#sha256:12')).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
    });
  });
});
