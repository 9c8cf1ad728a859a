import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installDependencies } from '../../src/image/dependencies.ts';
import { HostPrograms } from '../../src/image/host-programs.ts';
import { lockDependencies } from '../../src/image/lock-packages.ts';
import { PackageStore } from '../../src/image/package-store.ts';
import { type CompanyNetwork, startCompanyNetwork } from '../helpers/company-network.ts';
import { type NpmRegistry, startNpmRegistry } from '../helpers/npm-registry.ts';

let root: string;
let registry: NpmRegistry;
let network: CompanyNetwork;
let tries = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'npm-settings-test-'));
  registry = await startNpmRegistry({ name: 'padder', files: { 'index.js': '' } });
  network = await startCompanyNetwork(registry);
});
afterAll(async () => {
  await network[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

interface Settings {
  readonly env?: Record<string, string>;
  /** Lines of the user's `.npmrc`. */
  readonly npmrc?: Record<string, string>;
}

/** Locks and fetches a package with these settings and no others of this host; answers the paths in the layer. */
async function install({ env = {}, npmrc = {} }: Settings): Promise<string[]> {
  const home = join(root, `home-${tries++}`);
  await mkdir(home);
  const file = join(home, '.npmrc');
  await writeFile(
    file,
    Object.entries(npmrc)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
  const others = Object.entries(process.env).filter(
    ([name]) => !/proxy|^npm_config_|certs?$|^SSL_/i.test(name),
  );
  const programs = new HostPrograms({
    ...Object.fromEntries(others),
    HOME: home,
    npm_config_userconfig: file,
    npm_config_fetch_retries: '0',
    ...env,
  });
  const dependencies = ['padder@1'];
  const [first, second] = [join(home, 'lock'), join(home, 'fetch')];
  await Promise.all([mkdir(first), mkdir(second)]);
  const lock = await lockDependencies(dependencies, { folder: first, programs });
  const options = { folder: second, programs, store: new PackageStore(null), architecture: 'amd64' } as const;
  const paths: string[] = [];
  for await (const entry of await installDependencies({ dependencies, lock }, options)) {
    paths.push(entry.path);
    if (entry.type === 'file' && 'stream' in entry.content) for await (const _ of entry.content.stream);
  }
  return paths;
}

const INSTALLED = ['node_modules/padder/package.json', 'node_modules/padder/index.js'];

describe('packages are locked and fetched as the user of the host has set npm', { timeout: 120_000 }, () => {
  test.each<[string, (network: CompanyNetwork) => Settings]>([
    [
      'authorities of Node',
      ({ direct, authority }) => ({ env: { NODE_EXTRA_CA_CERTS: authority, npm_config_registry: direct } }),
    ],
    ['`cafile` in .npmrc', ({ direct, authority }) => ({ npmrc: { registry: direct, cafile: authority } })],
    [
      'the proxies of the environment, in capitals',
      ({ https, authority, proxy }) => ({
        env: { HTTPS_PROXY: proxy, NODE_EXTRA_CA_CERTS: authority, npm_config_registry: https },
      }),
    ],
    [
      'the proxies of the environment, in small letters',
      ({ http, proxy }) => ({ env: { http_proxy: proxy, npm_config_registry: http } }),
    ],
    [
      '`https-proxy` and `cafile` in .npmrc',
      ({ https, authority, proxy }) => ({
        npmrc: { registry: https, 'https-proxy': proxy, cafile: authority },
      }),
    ],
    [
      "npm's own environment",
      ({ https, authority, proxy }) => ({
        env: { npm_config_registry: https, npm_config_https_proxy: proxy, npm_config_cafile: authority },
      }),
    ],
  ])('with %s', async (_, settings) => {
    const asked = network.asked.length;
    const { env = {}, npmrc = {} } = settings(network);
    expect(await install({ env, npmrc })).toEqual(INSTALLED);
    const isProxied = JSON.stringify([env, npmrc]).includes(network.proxy);
    // The list of versions and the tarball, in two runs of npm.
    expect(network.asked.length - asked > 1).toBe(isProxied);
  });

  test('and not without them', async () => {
    await expect(install({ npmrc: { registry: network.direct } })).rejects.toMatchObject({
      code: 'DEPENDENCY_FAILED',
      message: expect.stringMatching(/certificate/i),
    });
    await expect(install({ npmrc: { registry: network.http } })).rejects.toMatchObject({
      code: 'DEPENDENCY_FAILED',
    });
  });
});
