import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { describeError } from '../../src/errors.ts';
import { createLurkbox, type LurkboxError } from '../../src/index.ts';
import { assertMountsSpare } from '../../src/policy/guarded-places.ts';
import { placesOfHost } from '../../src/policy/host-places.ts';
import { parsePolicy } from '../../src/policy/load.ts';
import { createCertificates } from '../helpers/certificates.ts';

let base: string;
let mount: string;
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'host-places-')));
  mount = join(base, 'team/tools');
  await mkdir(mount, { recursive: true });
  await mkdir(join(base, 'home'));
});
afterEach(() => rm(base, { recursive: true, force: true }));

const policyWith = (path: string, mode: 'ro' | 'rw' = 'rw') => ({
  allow: { mounts: { data: { path, mode } } },
});
const at = (path: string) => join(base, path);

/** Why a policy that binds this folder is refused on a host with this environment; `null` when it is not. */
async function faultOf(
  path: string,
  env: NodeJS.ProcessEnv,
  { mode = 'rw', cwd = base }: { mode?: 'ro' | 'rw'; cwd?: string } = {},
) {
  const policy = await parsePolicy(policyWith(path, mode));
  const complete = { HOME: at('home'), PATH: '/usr/bin', ...env };
  return assertMountsSpare(policy, placesOfHost(complete, cwd)).then(
    () => null,
    (error) => error.problems[0].message as string,
  );
}

describe('a writable mount is refused (P10)', () => {
  test.each(['/var/cache', '/opt'])('when packages or programs of the engine come from %s', async (path) => {
    expect(await faultOf(path, {})).toMatch(/holds what the system runs by itself/);
  });

  test('when it is on the PATH', async () => {
    expect(await faultOf(mount, { PATH: `${mount}:/usr/bin` })).toMatch(
      /^is "rw" and is a folder of the PATH, .* or make it "ro"$/,
    );
  });

  test('when it holds a folder of the PATH, or one above it', async () => {
    expect(await faultOf(at('team'), { PATH: `${mount}:/usr/bin` })).toMatch(/holds a folder of the PATH/);
    expect(await faultOf(mount, { PATH: join(mount, 'a/b/bin') })).toMatch(/holds a folder of the PATH/);
  });

  test('when it lies in a folder of the PATH', async () => {
    await mkdir(join(mount, 'data'));
    expect(await faultOf(join(mount, 'data'), { PATH: mount })).toMatch(/lies in a folder of the PATH/);
  });

  test('when a link from the PATH leads there, even before it exists', async () => {
    await symlink(mount, at('bin'));
    expect(await faultOf(mount, { PATH: at('bin') })).toMatch(/is a folder of the PATH/);
    await symlink(join(mount, 'comes-later/bin'), at('later'));
    expect(await faultOf(mount, { PATH: at('later') })).toMatch(/holds a folder of the PATH/);
  });

  test('when it holds a link by which the PATH leads elsewhere', async () => {
    await symlink('/usr/bin', join(mount, 'current'));
    expect(await faultOf(mount, { PATH: join(mount, 'current') })).toMatch(/holds a folder of the PATH/);
    await symlink(join(mount, 'current'), at('alias'));
    expect(await faultOf(mount, { PATH: at('alias') })).toMatch(/holds a folder of the PATH/);
  });

  test('when a relative or an empty entry of the PATH leads there', async () => {
    expect(await faultOf(mount, { PATH: 'team/tools' })).toMatch(/is a folder of the PATH/);
    expect(await faultOf(mount, { PATH: './team/tools/bin' })).toMatch(/holds a folder of the PATH/);
    expect(await faultOf(mount, { PATH: '/usr/bin::/bin' }, { cwd: mount })).toMatch(
      /is a folder of the PATH/,
    );
    expect(await faultOf(mount, { PATH: '.' }, { cwd: mount })).toMatch(/is a folder of the PATH/);
  });

  test('when the npm of the PATH is installed there', async () => {
    const npm = join(mount, 'lib/node_modules/npm/bin/npm-cli.js');
    await mkdir(join(npm, '..'), { recursive: true });
    await writeFile(npm, '');
    await mkdir(at('bin'));
    await symlink(npm, at('bin/npm'));
    for (const path of [mount, join(mount, 'lib/node_modules/npm')])
      expect(await faultOf(path, { PATH: at('bin') })).toMatch(/the program npm/);
  });

  test('when npm is set to it, by the environment or by a file', async () => {
    for (const name of [
      'npm_config_cache',
      'npm_config_prefix',
      'NPM_CONFIG_USERCONFIG',
      'npm_config_script_shell',
    ])
      expect(await faultOf(mount, { [name]: join(mount, 'x') })).toMatch(/npm or another program is set to/);
    const lines = {
      cache: '~/../team/tools',
      prefix: mount,
      'script-shell': join(mount, 'sh'),
      cafile: '"$' + `{BASE}/team/tools/ca.pem"`,
    };
    for (const [key, value] of Object.entries(lines)) {
      await writeFile(at('home/.npmrc'), `# settings\n${key} = ${value}\n`);
      const fault = await faultOf(mount, { BASE: base });
      expect(fault).toMatch(/npm or another program is set to/);
    }
  });

  test.each(['NODE_EXTRA_CA_CERTS', 'DOCKER_CONFIG', 'XDG_CONFIG_HOME', 'COREPACK_HOME', 'NVM_DIR'])(
    'when %s names it',
    async (name) => {
      expect(await faultOf(mount, { [name]: join(mount, 'x') })).toMatch(/set to/);
    },
  );

  test('when it is a folder for temporary files, but not inside of one', async () => {
    expect(await faultOf('/var/tmp', {})).toMatch(/is a folder for temporary files/);
    expect(await faultOf(mount, { TMPDIR: mount })).toMatch(/is a folder for temporary files/);
    expect(await faultOf(mount, { TMPDIR: at('team') })).toBeNull();
    expect(await faultOf(mount, { NODE_COMPILE_CACHE: join(mount, 'x') })).toMatch(/set to/);
  });

  test('when it is, or holds, the home folder of this user', async () => {
    expect(await faultOf(at('home'), {})).toMatch(/is the home folder of this user/);
    expect(await faultOf(base, {})).toMatch(/holds the home folder of this user/);
  });

  test.each(['.npm', '.ssh', '.config/systemd', '.docker', '.local/bin'])(
    'when it lies in a hidden folder of the home folder: %s',
    async (folder) => {
      await mkdir(at(`home/${folder}`), { recursive: true });
      expect(await faultOf(at(`home/${folder}`), {})).toMatch(/lies in the settings in the home folder/);
    },
  );
});

describe('a mount is allowed', () => {
  test('when it lies in the home folder, but not in its settings', async () => {
    await mkdir(at('home/pictures'));
    expect(await faultOf(at('home/pictures'), {})).toBeNull();
  });

  test('when it lies beside a folder of the PATH', async () => {
    expect(await faultOf(mount, { PATH: at('team/bin') })).toBeNull();
  });

  test('when plugins can only read it', async () => {
    expect(await faultOf(mount, { PATH: mount }, { mode: 'ro' })).toBeNull();
  });
});

describe('the socket of the engine in use', () => {
  test.each(['ro', 'rw'] as const)('is in no folder that is mounted "%s" (P10)', async (mode) => {
    const env = { ...process.env, DOCKER_HOST: `unix://${mount}/any.name` };
    await mkdir(at('workspace'));
    for (const path of [mount, at('team')])
      await expect(
        createLurkbox({ workspaceRoot: at('workspace'), policy: policyWith(path, mode), env }),
      ).rejects.toMatchObject({
        code: 'POLICY_INVALID',
        problems: [
          {
            message: expect.stringMatching(
              /holds the socket of the engine, .*; bind a folder apart from it$/,
            ),
          },
        ],
      });
  });

  test('is in no mount when a context names it, nor are the keys to an engine behind TLS (P10)', async () => {
    await mkdir(at('workspace'));
    const refusal = async (env: Record<string, string>) => {
      const options = { workspaceRoot: at('workspace'), policy: policyWith(mount, 'ro') };
      const opening = createLurkbox({ ...options, env: { PATH: process.env['PATH'], ...env } });
      return describeError((await opening.catch((error: unknown) => error)) as LurkboxError);
    };
    const meta = at(`docker/contexts/meta/${createHash('sha256').update('far').digest('hex')}`);
    await mkdir(meta, { recursive: true });
    const Endpoints = { docker: { Host: `unix://${mount}/any.name` } };
    await writeFile(join(meta, 'meta.json'), JSON.stringify({ Name: 'far', Endpoints }));
    expect(await refusal({ DOCKER_CONTEXT: 'far', DOCKER_CONFIG: at('docker') })).toContain(
      'holds the socket of the engine',
    );
    using certificates = createCertificates();
    for (const name of ['ca.pem', 'cert.pem', 'key.pem'])
      await copyFile(join(certificates.client, name), join(mount, name));
    const tls = { DOCKER_HOST: 'tcp://engine', DOCKER_TLS_VERIFY: '1', DOCKER_CONFIG: mount };
    expect(await refusal(tls)).toContain('the folder of the keys to the engine');
  });

  test('can lie beside a mount', async () => {
    const env = { ...process.env, DOCKER_HOST: `unix://${at('engine/docker.sock')}` };
    await mkdir(at('workspace'));
    await using lurkbox = await createLurkbox({
      workspaceRoot: at('workspace'),
      policy: policyWith(mount),
      env,
    });
    expect(lurkbox.policy.allow.mounts['data']?.path).toBe(mount);
  });
});
