import { copyFile, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLurkbox } from '../../src/index.ts';
import { assertMountsSpare } from '../../src/policy/guarded-places.ts';
import { parsePolicy } from '../../src/policy/load.ts';

let base: string;
let workspaceRoot: string;

beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'lurkbox-guarded-')));
  workspaceRoot = join(base, 'workspace');
  await mkdir(join(workspaceRoot, 'plugins/data'), { recursive: true });
  await mkdir(join(base, 'beside'));
  await mkdir(join(base, 'workspace-2'));
});

afterEach(() => rm(base, { recursive: true, force: true }));

function policyWith(path: string, mode: 'ro' | 'rw' = 'rw') {
  return { allow: { mounts: { data: { path, mode } } } };
}

describe('a policy is refused when a writable mount', () => {
  test.each([
    ['is the workspace', '', /is the workspace/],
    ['holds the workspace', '..', /holds the workspace/],
    ['lies in the workspace', 'plugins/data', /lies in the workspace/],
  ])('%s', async (_what, path, message) => {
    await expect(
      createLurkbox({ workspaceRoot, policy: policyWith(join(workspaceRoot, path)) }),
    ).rejects.toMatchObject({
      code: 'POLICY_INVALID',
      problems: [{ path: 'allow.mounts.data.path', message: expect.stringMatching(message) }],
    });
  });

  test('is a workspace that was reached through a link', async () => {
    await symlink(workspaceRoot, join(base, 'alias'));
    await expect(
      createLurkbox({ workspaceRoot: join(base, 'alias'), policy: policyWith(workspaceRoot) }),
    ).rejects.toMatchObject({ code: 'POLICY_INVALID' });
  });

  test('holds the certificates that the policy names', async () => {
    const ca_file = join(base, 'beside/authority.pem');
    await copyFile(join(import.meta.dirname, '../fixtures/tls/authority.pem'), ca_file);
    await expect(
      createLurkbox({ workspaceRoot, policy: { ...policyWith(dirname(ca_file)), ca_file } }),
    ).rejects.toMatchObject({
      problems: [{ message: expect.stringContaining('holds the certificates of the policy') }],
    });
  });

  test('holds the policy file itself', async () => {
    const policy = join(base, 'beside/policy.json');
    await writeFile(policy, JSON.stringify(policyWith(dirname(policy))));
    await expect(createLurkbox({ workspaceRoot, policy })).rejects.toMatchObject({
      code: 'POLICY_INVALID',
      problems: [{ message: expect.stringMatching(/holds the policy file/) }],
    });
  });

  test.each(['/usr', '/usr/bin', '/usr/lib/x86_64-linux-gnu', '/usr/local/share'])(
    'is or lies in the programs of the host: %s',
    async (path) => {
      const policy = await parsePolicy(policyWith(path));
      await expect(assertMountsSpare(policy, [])).rejects.toMatchObject({
        code: 'POLICY_INVALID',
        problems: expect.arrayContaining([
          expect.objectContaining({
            message: expect.stringMatching(/(is|lies in) the programs of the host/),
          }),
        ]),
      });
    },
  );

  test('is the folder of the packages of lurkbox', async () => {
    const folder = await realpath(join(import.meta.dirname, '../../node_modules'));
    const policy = await parsePolicy(policyWith(folder));
    await expect(assertMountsSpare(policy, [])).rejects.toMatchObject({
      problems: expect.arrayContaining([
        expect.objectContaining({ message: expect.stringMatching(/the packages that lurkbox is made of/) }),
      ]),
    });
  });

  test('holds lurkbox or its Node', async () => {
    for (const path of [join(import.meta.dirname, '../../src'), dirname(await realpath(process.execPath))]) {
      const policy = await parsePolicy(policyWith(await realpath(path)));
      await expect(assertMountsSpare(policy, [])).rejects.toMatchObject({ code: 'POLICY_INVALID' });
    }
  });
});

test.each<[string, () => object]>([
  ['a folder beside the workspace', () => policyWith(join(base, 'beside'))],
  ['a folder with a name that begins like the workspace', () => policyWith(join(base, 'workspace-2'))],
  ['the workspace, to be read only', () => policyWith(workspaceRoot, 'ro')],
])('a mount of %s is allowed', async (_what, policy) => {
  await using lurkbox = await createLurkbox({ workspaceRoot, policy: policy() });
  expect(lurkbox.policy.allow.mounts).toHaveProperty('data');
});

test('a missing workspace does not prevent a mount', async () => {
  const policy = policyWith(join(base, 'beside'));
  await using lurkbox = await createLurkbox({ workspaceRoot: join(base, 'later'), policy });
  expect(lurkbox.policy.allow.mounts).toHaveProperty('data');
});
