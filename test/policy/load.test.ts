import { chown, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LurkboxError } from '../../src/errors.ts';
import { checkPolicy, loadPolicy, parsePolicy } from '../../src/policy/load.ts';
import { DEFAULT_POLICY } from '../../src/policy/schema.ts';

let folder: string;

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'lurkbox-policy-')));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('a missing file gives the default policy', async () => {
  expect(await loadPolicy(null)).toEqual(DEFAULT_POLICY);
});

test('an empty object gives the default policy', async () => {
  expect(await loadPolicy(await file('{}'))).toEqual(DEFAULT_POLICY);
});

test('a policy can be reached through a link', async () => {
  await file('{ "oci_runtime": "runsc" }');
  await symlink('policy.json', join(folder, 'link.json'));
  expect(await loadPolicy(join(folder, 'link.json'))).toMatchObject({ oci_runtime: 'runsc' });
});

test('a loaded policy cannot be changed', async () => {
  const policy = await parsePolicy({ plugins: { a: { allow: { exec: true } } } });
  expect(() => Object.assign(policy.allow, { exec: true })).toThrow(TypeError);
  expect(() => Object.assign(DEFAULT_POLICY.allow, { exec: true })).toThrow(TypeError);
});

test('the rules of a plugin get their defaults', async () => {
  expect((await parsePolicy({ plugins: { a: {} } })).plugins).toEqual({
    a: {
      ceilings: {},
      allow: { mounts: [] },
      resources: {},
      isolation: 'execution',
      record_calls: false,
      reuse: { max_calls: 1000, max_seconds: 300 },
    },
  });
});

describe('a policy file is refused', () => {
  test.each<[string, string | Buffer, string, RegExp]>([
    ['for a fault of syntax', '{', '', /not valid JSON/],
    ['for a duplicate key', '{"allow":{"exec":false,"exec":true}}', 'allow.exec', /twice/],
    ['for a byte order mark', '\ufeff{}', '', /byte order mark/],
    ['for bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), '', /UTF-8/],
    ['for an unknown key', '{"ceiling":{}}', 'ceiling', /did you mean `ceilings`/],
  ])('%s', async (_what, content, path, message) => {
    const error = await failure(loadPolicy(await file(content)));
    expect(error.code).toBe('POLICY_INVALID');
    expect(error.problems).toEqual([{ path, message: expect.stringMatching(message) }]);
  });

  test.each([
    ['that is not there', 'nowhere.json'],
    ['that is a folder', '.'],
  ])('%s', async (_what, path) => {
    await expect(loadPolicy(join(folder, path))).rejects.toMatchObject({ code: 'POLICY_INVALID' });
  });

  test('that is larger than 256 KiB', async () => {
    const error = await failure(loadPolicy(await file(' '.repeat(256 * 1024 + 1))));
    expect(error.message).toMatch(/larger than 256 KiB/);
  });
});

describe('checkPolicy refuses', () => {
  test.each<[string, object, string, RegExp]>([
    ['a ceiling as text', { ceilings: { memory_mb: '1g' } }, 'ceilings.memory_mb', /whole number/],
    ['an unknown ceiling', { ceilings: { memory: 1 } }, 'ceilings.memory', /unknown key/],
    ['an unknown switch', { allow: { network: true } }, 'allow.network', /unknown key; known here/],
    ['a switch as text', { allow: { exec: 'yes' } }, 'allow.exec', /true or false/],
    ['a runtime as a path', { oci_runtime: '/usr/bin/runc' }, 'oci_runtime', /OCI runtime/],
    ['an unknown control', { accept_unenforced: ['memory'] }, 'accept_unenforced[0]', /"tmp_files"/],
    [
      'a control twice',
      { accept_unenforced: ['tmp_files', 'tmp_files'] },
      'accept_unenforced',
      /none of them twice/,
    ],
    ['a runtime as an option', { oci_runtime: '--privileged' }, 'oci_runtime', /OCI runtime/],
    ['a wrong plugin name', { plugins: { 'A B': {} } }, 'plugins.A B', /wrong key/],
    ['a plugin named constructor', { plugins: { constructor: {} } }, 'plugins.constructor', /wrong key/],
    [
      'an upper-case digest',
      { plugins: { a: { digest: `sha256:${'A'.repeat(64)}` } } },
      'plugins.a.digest',
      /64 hex/,
    ],
    ['a short digest', { plugins: { a: { digest: 'sha256:00' } } }, 'plugins.a.digest', /64 hex/],
    [
      'a mount without a mode',
      { allow: { mounts: { a: { path: '/srv' } } } },
      'allow.mounts.a.mode',
      /is missing/,
    ],
    ['a mount of /etc', mounts('/etc'), 'allow.mounts.a.path', /is in `\/etc`, got "\/etc"/],
    [
      'ceilings below floors',
      { ceilings: { memory_mb: 32 } },
      'ceilings.memory_mb',
      /at least 64 MiB, got 32 MiB/,
    ],
    [
      'ceilings of a plugin below floors',
      { plugins: { a: { ceilings: { pids: 3 } } } },
      'plugins.a.ceilings.pids',
      /at least 16, got 3/,
    ],
    [
      'numbers of the operator below floors',
      { plugins: { a: { resources: { pids: 3 } } } },
      'plugins.a.resources.pids',
      /at least 16, got 3/,
    ],
    [
      'numbers of the operator above the ceiling',
      { plugins: { a: { resources: { memory_mb: 2000 } } } },
      'plugins.a.resources.memory_mb',
      /at most the ceiling of 1024 MiB, got 2000 MiB; lower it or set `plugins.a.ceilings.memory_mb`/,
    ],
    [
      'numbers of the operator above the ceiling of the plugin',
      { plugins: { a: { resources: { pids: 100 }, ceilings: { pids: 50 } } } },
      'plugins.a.resources.pids',
      /ceiling of 50, got 100/,
    ],
    [
      'a mount that is not bound',
      { plugins: { a: { allow: { mounts: ['data'] } } } },
      'plugins.a.allow.mounts',
      /got "data", which is not there/,
    ],
    [
      'a range of user ids with nothing in it',
      { uids: { first: 50_000, last: 49_999 } },
      'uids.last',
      /at least the 50000 of `uids.first`/,
    ],
    ['user ids of the system', { uids: { first: 500 } }, 'uids.first', /1000/],
    ['user ids that stand for nobody', { uids: { last: 65_534 } }, 'uids.last', /65531/],
    ['root as the user of a plugin', { plugins: { a: { uid: 0 } } }, 'plugins.a.uid', /1000/],
    [
      'a user id outside of the range',
      { uids: { first: 20_000, last: 20_099 }, plugins: { a: { uid: 20_100 } } },
      'plugins.a.uid',
      /expected 65532, or a number of `uids` from 20000 to 20099, got 20100/,
    ],
    [
      'the second switch of the host network without the first',
      { plugins: { a: { allow: { host_network: true } } } },
      'plugins.a.allow.host_network',
      /while `allow.host_network` is false/,
    ],
  ])('%s', (_what, policy, path, message) => {
    expect(checkPolicy(policy)).toEqual({
      ok: false,
      problems: [{ path, message: expect.stringMatching(message) }],
    });
  });
});

describe('a mount on this host is refused', () => {
  test('that does not exist', async () => {
    expect(await mountFault(join(folder, 'nowhere'))).toMatch(/cannot be reached \(ENOENT\)/);
  });

  test('that is a file', async () => {
    expect(await mountFault(await file('{}'))).toMatch(/is not a folder/);
  });

  test('that is a link', async () => {
    await symlink('/', join(folder, 'root'));
    expect(await mountFault(join(folder, 'root'))).toMatch(/leads through a symbolic link to "\/"/);
  });

  test('that lies behind a link', async () => {
    await symlink('/usr', join(folder, 'usr'));
    expect(await mountFault(join(folder, 'usr/lib'))).toMatch(
      /leads through a symbolic link to "\/usr\/lib"/,
    );
  });

  test('that holds the socket of an engine', async () => {
    await using _ = await listenAt(join(folder, 'docker.sock'));
    expect(await mountFault(folder)).toMatch(/holds `docker.sock`/);
  });

  test('together with every contradiction', async () => {
    const policy = { ...mounts(join(folder, 'nowhere')), ceilings: { pids: 1 } };
    const error = await failure(parsePolicy(policy));
    expect(error.problems.map(({ path }) => path)).toEqual(['ceilings.pids', 'allow.mounts.a.path']);
  });
});

test('a plain folder can be mounted', async () => {
  await mkdir(join(folder, 'data'));
  const policy = await parsePolicy(mounts(join(folder, 'data')));
  expect(policy.allow.mounts).toEqual({ a: { path: join(folder, 'data'), mode: 'ro' } });
});

describe('a writable mount stays usable after a plugin creates in it', () => {
  test('a file named like the socket of an engine', async () => {
    await writeFile(join(folder, 'docker.sock'), '');
    await expect(parsePolicy(mounts(folder))).resolves.toBeDefined();
  });

  test.skipIf(process.getuid?.() !== 0).each([
    ['the user of a plugin', {}, 40_001],
    ['the user of a plugin by the range of this policy', { uids: { first: 20_000, last: 20_009 } }, 20_005],
    ['the user of a plugin before the policy had a range', { uids: { first: 20_000, last: 20_009 } }, 40_001],
  ])('a socket named like that of an engine, made by %s', async (_, uids, owner) => {
    const socket = join(folder, 'docker.sock');
    await using _server = await listenAt(socket);
    await chown(socket, owner, owner);
    await expect(parsePolicy({ ...mounts(folder), ...uids })).resolves.toBeDefined();
  });

  test.skipIf(process.getuid?.() !== 0)(
    'but the socket of somebody else is refused, also by a policy with a range of its own',
    async () => {
      const socket = join(folder, 'docker.sock');
      await using _server = await listenAt(socket);
      for (const owner of [0, 1_000, 30_000]) {
        await chown(socket, owner, owner);
        const policy = { ...mounts(folder), uids: { first: 20_000, last: 20_009 } };
        await expect(parsePolicy(policy)).rejects.toMatchObject({ code: 'POLICY_INVALID' });
      }
    },
  );

  test('a link to the socket of an engine', async () => {
    await symlink('/var/run/docker.sock', join(folder, 'docker.sock'));
    await expect(parsePolicy(mounts(folder))).resolves.toBeDefined();
  });
});

async function listenAt(path: string): Promise<AsyncDisposable> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { [Symbol.asyncDispose]: async () => void (await new Promise((resolve) => server.close(resolve))) };
}

function mounts(path: string) {
  return { allow: { mounts: { a: { path, mode: 'ro' } } } };
}

async function mountFault(path: string): Promise<string | undefined> {
  const { problems } = await failure(parsePolicy(mounts(path)));
  expect(problems.map((problem) => problem.path)).toEqual(['allow.mounts.a.path']);
  return problems[0]?.message;
}

async function file(content: string | Buffer): Promise<string> {
  const path = join(folder, 'policy.json');
  await writeFile(path, content);
  return path;
}

async function failure(promise: Promise<unknown>): Promise<LurkboxError> {
  return await promise.then(
    () => expect.fail('the policy was accepted'),
    (error) => error,
  );
}
