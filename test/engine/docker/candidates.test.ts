import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { engineCandidates } from '../../../src/engine/docker/candidates.ts';
import { describeError, type LurkboxError } from '../../../src/errors.ts';
import { createCertificates } from '../../helpers/certificates.ts';

let home: string;
let env: Record<string, string>;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lurkbox-home-'));
  env = { HOME: home };
});

afterEach(() => rmSync(home, { recursive: true, force: true }));

function write(path: string, content: unknown): string {
  const file = join(home, '.docker', path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

const idOf = (name: string): string => createHash('sha256').update(name).digest('hex');

function writeContext(name: string, docker: unknown): string {
  return write(`contexts/meta/${idOf(name)}/meta.json`, { Name: name, Metadata: {}, Endpoints: { docker } });
}

async function chosen(more: Record<string, string> = {}) {
  const [first, ...others] = await engineCandidates({ ...env, ...more });
  expect(others).toEqual([]);
  return first;
}

async function refused(more: Record<string, string> = {}): Promise<string> {
  const error = (await engineCandidates({ ...env, ...more }).catch(
    (reason: unknown) => reason,
  )) as LurkboxError;
  expect(error).toMatchObject({ code: 'OPTIONS_INVALID' });
  return describeError(error);
}

describe('without a chosen engine', () => {
  test.each([
    ['nothing but the system socket', { HOME: '' }, ['unix:///var/run/docker.sock']],
    [
      'the sockets of rootless Docker and Docker Desktop after the system one',
      { XDG_RUNTIME_DIR: '/run/user/7', HOME: '/home/ada' },
      [
        'unix:///var/run/docker.sock',
        'unix:///run/user/7/docker.sock',
        'unix:///home/ada/.docker/run/docker.sock',
        'unix:///home/ada/.docker/desktop/docker.sock',
      ],
    ],
    ['the same with an empty `DOCKER_HOST`', { DOCKER_HOST: '', HOME: '' }, ['unix:///var/run/docker.sock']],
  ])('lurkbox tries %s', async (_title, given, urls) => {
    const addresses = await engineCandidates({ DOCKER_CONFIG: join(home, 'none'), ...given });
    expect(addresses.map(({ url }) => url)).toEqual(urls);
    expect(addresses[0]).toMatchObject({ chosenBy: 'the default socket of Docker', isChosen: false });
  });

  test.each([
    '{}',
    '{"currentContext":""}',
    '{"currentContext":"default","auths":{}}',
    '{"currentContext":null}',
  ])('Docker settings such as %s choose nothing', async (config) => {
    write('config.json', config);
    expect((await engineCandidates(env)).length).toBeGreaterThan(1);
  });

  test('`DOCKER_TLS_VERIFY` alone means the default of Docker with TLS', async () => {
    using certificates = createCertificates();
    expect(await chosen({ DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: certificates.client })).toMatchObject({
      url: 'tcp://localhost:2376',
      host: 'localhost',
      port: 2376,
      chosenBy: expect.stringContaining('`DOCKER_TLS_VERIFY` without `DOCKER_HOST`'),
      tls: { rejectUnauthorized: true },
    });
  });
});

describe('`DOCKER_HOST`', () => {
  test.each([
    ['tcp://10.0.0.1', { host: '10.0.0.1', port: 2375, tls: null }],
    ['tcp://10.0.0.1:2380/', { host: '10.0.0.1', port: 2380, tls: null }],
    ['tcp://[::1]:2375', { host: '::1', port: 2375, tls: null }],
    ['http://engine:80', { host: 'engine', port: 80, tls: null }],
    ['https://engine', { host: 'engine', port: 443, tls: { rejectUnauthorized: true, folder: null } }],
    ['unix:///tmp/engine.sock', { socketPath: '/tmp/engine.sock' }],
    ['unix:///a b%20.sock', { socketPath: '/a b%20.sock' }],
  ])('may be %s', async (value, address) => {
    expect(await chosen({ DOCKER_HOST: value })).toMatchObject({
      url: value,
      chosenBy: '`DOCKER_HOST`',
      isChosen: true,
      env: { DOCKER_HOST: value, DOCKER_CONTEXT: '', DOCKER_TLS_VERIFY: '' },
      ...address,
    });
  });

  test.each([
    ['ssh://ada@engine:2222', /behind SSH.*`ssh -N -L \S+ -p 2222 ada@engine`/],
    ['unix://relative.sock', /absolute path/],
    ['unix:/one/slash', /absolute path/],
    ['tcp://', /expected a host/],
    ['tcp://engine:99999', /expected `unix:/],
    ['http://engine/prefix', /nothing after the port/],
    ['npipe:////./pipe/docker_engine', /named pipe is one of Windows/],
    ['/var/run/docker.sock', /expected `unix:/],
  ])('is refused as %s', async (value, message) => {
    expect(await refused({ DOCKER_HOST: value })).toMatch(message);
  });

  test.each(['tcp://ada:hunter2@engine', 'ssh://ada:hunter2@engine'])(
    'is refused without repeating its password: %s',
    async (value) => {
      expect(await refused({ DOCKER_HOST: value })).not.toContain('hunter2');
    },
  );

  test('wins over `DOCKER_CONTEXT` and the settings, which are not read', async () => {
    write('config.json', 'no JSON');
    expect(await chosen({ DOCKER_HOST: 'unix:///a', DOCKER_CONTEXT: 'far' })).toMatchObject({
      url: 'unix:///a',
      chosenBy: '`DOCKER_HOST`, which wins over `DOCKER_CONTEXT` (`far`)',
    });
  });

  test('with TLS uses the certificates of `DOCKER_CERT_PATH`, or else those beside the settings', async () => {
    using certificates = createCertificates();
    const tls = { DOCKER_HOST: 'tcp://engine:2376', DOCKER_TLS_VERIFY: '0' };
    expect(await chosen({ ...tls, DOCKER_CERT_PATH: certificates.client })).toMatchObject({
      tls: {
        rejectUnauthorized: true,
        folder: certificates.client,
        ca: expect.any(Buffer),
        key: expect.any(Buffer),
      },
      env: { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: certificates.client },
    });
    expect(await chosen({ ...tls, DOCKER_CONFIG: certificates.client })).toMatchObject({
      tls: { folder: certificates.client },
    });
    expect(await refused(tls)).toContain('there is no `ca.pem` in it');
  });

  test('with `DOCKER_TLS` alone uses TLS without verification, and with `DOCKER_CERT_PATH` alone no TLS', async () => {
    using certificates = createCertificates();
    const host = { DOCKER_HOST: 'tcp://engine:2376', DOCKER_CERT_PATH: certificates.client };
    expect(await chosen({ ...host, DOCKER_TLS: '1' })).toMatchObject({
      tls: { rejectUnauthorized: false },
      env: { DOCKER_TLS: '1', DOCKER_TLS_VERIFY: '' },
    });
    expect(await chosen(host)).toMatchObject({ tls: null });
    expect(await refused({ ...host, DOCKER_HOST: 'http://engine', DOCKER_TLS: '1' })).toContain(
      'asks for TLS',
    );
  });

  test.each<[string, string, string, RegExp]>([
    ['a key of another certificate', 'key.pem', '', /`key.pem` is not the key of `cert.pem`/],
    ['a `cert.pem` that is none', 'cert.pem', 'x', /not in PEM/],
    ['a `ca.pem` without a certificate', 'ca.pem', 'x', /`ca.pem` holds no certificate/],
  ])('with %s is refused', async (_what, file, content, message) => {
    using certificates = createCertificates();
    const folder = certificates.client;
    if (content === '') {
      rmSync(join(folder, file));
      symlinkSync(join(certificates.server, file), join(folder, file));
    } else writeFileSync(join(folder, file), content);
    const tls = { DOCKER_HOST: 'tcp://engine', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder };
    expect(await refused(tls)).toMatch(message);
  });

  test('with a certificate but no key is refused', async () => {
    using certificates = createCertificates();
    rmSync(join(certificates.client, 'key.pem'));
    const tls = { DOCKER_HOST: 'tcp://engine', DOCKER_TLS: '1', DOCKER_CERT_PATH: certificates.client };
    expect(await refused(tls)).toContain('of `cert.pem` and `key.pem` it has only one');
  });
});

describe('a Docker context', () => {
  test('is by default the current one of the settings', async () => {
    const file = write('config.json', { currentContext: 'far' });
    writeContext('far', { Host: 'unix:///run/far.sock', SkipTLSVerify: false });
    expect(await chosen()).toMatchObject({
      url: 'unix:///run/far.sock',
      socketPath: '/run/far.sock',
      isChosen: true,
      chosenBy: `context \`far\`, \`currentContext\` of \`${file}\``,
    });
  });

  test('in `DOCKER_CONTEXT` wins over the current one, and `default` means none', async () => {
    write('config.json', { currentContext: 'far' });
    writeContext('near', { Host: 'tcp://127.0.0.1:2375' });
    expect(await chosen({ DOCKER_CONTEXT: 'near' })).toMatchObject({
      host: '127.0.0.1',
      tls: null,
      chosenBy: 'context `near`, by `DOCKER_CONTEXT`',
      env: { DOCKER_HOST: '', DOCKER_CONTEXT: 'near', DOCKER_CONFIG: join(home, '.docker') },
    });
    expect((await engineCandidates({ ...env, DOCKER_CONTEXT: 'default' })).length).toBeGreaterThan(1);
  });

  test('is looked up in `DOCKER_CONFIG`', async () => {
    write('config.json', { currentContext: 'far' });
    writeContext('far', { Host: 'unix:///run/far.sock' });
    const [address] = await engineCandidates({ HOME: '/nonexistent', DOCKER_CONFIG: join(home, '.docker') });
    expect(address?.url).toBe('unix:///run/far.sock');
  });

  test('uses its own certificates, and none of the environment', async () => {
    using certificates = createCertificates();
    writeContext('far', { Host: 'tcp://engine:2376', SkipTLSVerify: false });
    const folder = join(home, '.docker/contexts/tls', idOf('far'));
    mkdirSync(folder, { recursive: true });
    symlinkSync(certificates.client, join(folder, 'docker'));
    const far = await chosen({
      DOCKER_CONTEXT: 'far',
      DOCKER_TLS_VERIFY: '1',
      DOCKER_CERT_PATH: '/nonexistent',
    });
    expect(far).toMatchObject({ tls: { rejectUnauthorized: true, folder: join(folder, 'docker') } });
  });

  test('that skips verification uses TLS, even without certificates', async () => {
    writeContext('far', { Host: 'tcp://engine:2376', SkipTLSVerify: true });
    expect(await chosen({ DOCKER_CONTEXT: 'far' })).toMatchObject({
      tls: { rejectUnauthorized: false, folder: null },
    });
  });

  test.each([
    ['a word', 'gone'],
    ['a path', '../../../../etc/passwd'],
    ['one that steers a terminal', 'a\u001b[2J\u202eb'],
    ['one without an end', 'x'.repeat(100_000)],
    ['one of JavaScript', '__proto__'],
  ])('that does not exist is refused by name: %s', async (_what, name) => {
    write('config.json', { currentContext: name });
    const message = await refused();
    expect(message).toMatch(
      /^There is no context `.+` in `.+\/\.docker\/contexts`\. `docker context ls` shows/,
    );
    expect(message.length).toBeLessThan(1_000);
    expect(message).not.toContain('\u001b');
  });

  test.each<[string, unknown, RegExp]>([
    ['without an engine', undefined, /names no `Host`/],
    ['with an engine that is a list', [], /names no `Host`/],
    ['with a host that is a number', { Host: 1 }, /names no `Host`/],
    ['with an odd `SkipTLSVerify`', { Host: 'tcp://a', SkipTLSVerify: 'yes' }, /`SkipTLSVerify` is "yes"/],
    ['behind SSH', { Host: 'ssh://ada@far' }, /meta\.json` \(context `far`.*behind SSH/],
    ['of Windows', { Host: 'npipe:////./pipe/docker_engine' }, /named pipe/],
  ])('%s is refused with the name of its file', async (_what, docker, message) => {
    const file = writeContext('far', docker);
    expect(await refused({ DOCKER_CONTEXT: 'far' })).toMatch(message);
    expect(await refused({ DOCKER_CONTEXT: 'far' })).toContain(file);
  });
});

describe('Docker settings are refused, with the file and what to do, when they are', () => {
  test.each<[string, string, RegExp]>([
    ['no JSON', '{"currentContext":', /it is no JSON/],
    ['a list', '[]', /it holds a list of 0 and not an object/],
    ['with a context name that is not text', '{"currentContext":["far"]}', /`currentContext` is a list of 1/],
  ])('%s', async (_what, content, message) => {
    const file = write('config.json', content);
    const told = await refused();
    expect(told).toMatch(message);
    expect(told).toContain(file);
    expect(told).toContain('set `DOCKER_HOST`');
  });

  test('not JSON, without quoting them, since they may hold passwords', async () => {
    write('config.json', '{"auths":{"registry.example.org":{"auth":c2VjcmV0OnBhc3M=}}}');
    const told = await refused();
    expect(told).toContain('it is no JSON (not valid JSON: expected a value');
    expect(told).not.toContain('c2Vj');
  });

  test('gigabytes long, without being read', async () => {
    write('config.json', { currentContext: 'far' });
    truncateSync(writeContext('far', {}), 4 * 1024 ** 3);
    expect(await refused()).toContain('it has more than 1048576 bytes');
  });

  test('a pipe or a folder, without waiting', async () => {
    mkdirSync(join(home, '.docker'));
    execFileSync('mkfifo', [join(home, '.docker/config.json')]);
    expect(await refused()).toContain('is not a regular file');
    mkdirSync(join(home, 'folders/config.json'), { recursive: true });
    expect(await refused({ DOCKER_CONFIG: join(home, 'folders') })).toContain('is not a regular file');
  });

  test('pipes in place of certificates', async () => {
    using certificates = createCertificates();
    const file = join(certificates.client, 'ca.pem');
    rmSync(file);
    execFileSync('mkfifo', [file]);
    const tls = {
      DOCKER_HOST: 'tcp://engine',
      DOCKER_TLS_VERIFY: '1',
      DOCKER_CERT_PATH: certificates.client,
    };
    expect(await refused(tls)).toContain(file);
  });
});
