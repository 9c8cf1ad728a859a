import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PluginManifestSchema } from '../../src/manifest/schema.ts';
import { parseCertificates, readCertificates } from '../../src/policy/certificates.ts';
import { parsePolicy } from '../../src/policy/load.ts';
import { resolveOrThrow } from '../../src/policy/resolve.ts';
import { MINIMAL } from '../manifest/sample.ts';

const TLS = join(import.meta.dirname, '../fixtures/tls');
const AUTHORITY = readFileSync(join(TLS, 'authority.pem'), 'utf8').trim();
const SERVER = readFileSync(join(TLS, 'server.pem'), 'utf8').trim();
const KEY = readFileSync(join(TLS, 'server.key'), 'utf8');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lurkbox-certificates-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('only the certificates of a file are handed to a plugin', () => {
  const parsed = parseCertificates(`# of the company\n${AUTHORITY}\r\nsecret=1\n${SERVER}\n${AUTHORITY}\n`);
  expect(parsed).toEqual({ ok: true, parts: [`${AUTHORITY}\n${SERVER}`] });
});

test('a system bundle that Node knows in whole is not handed to a plugin', () => {
  expect(parseCertificates(rootCertificates.join('\n'))).toEqual({ ok: true, parts: [] });
  const bundle = [...rootCertificates, AUTHORITY].join('\n').replaceAll('\n', '\r\n');
  expect(parseCertificates(bundle)).toEqual({ ok: true, parts: [AUTHORITY] });
});

describe('a certificate file is refused without showing its content:', () => {
  test.each<[string, string, RegExp]>([
    ['a text', 'root:x:0:0:root', /no certificate in PEM/],
    ['an empty file', '', /no certificate in PEM/],
    ['a key', KEY, /holds a private key/],
    ['a certificate with its key', `${SERVER}\n${KEY}`, /holds a private key/],
    [
      'an encrypted key',
      '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----',
      /private key/,
    ],
    ['a block of another kind', AUTHORITY.replaceAll('CERTIFICATE', 'X509 CRL'), /block 1/],
    [
      'a certificate that is cut',
      `${AUTHORITY}\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----`,
      /block 2/,
    ],
  ])('%s', (_what, text, fault) => {
    expect(parseCertificates(text)).toEqual({ ok: false, fault: expect.stringMatching(fault) });
    expect(JSON.stringify(parseCertificates(text))).not.toMatch(/root:x|MI[IG]/);
  });

  test('a file that is too large, not a file, or missing', async () => {
    const large = join(folder, 'large.pem');
    await writeFile(large, AUTHORITY);
    await truncate(large, 2 * 1024 * 1024);
    for (const path of [large, '/dev/zero', folder, join(folder, 'gone.pem')])
      expect(await readCertificates(path)).toMatchObject({ ok: false });
  });
});

describe('the certificates of a policy', () => {
  const withNetwork = (network: unknown) =>
    PluginManifestSchema.parse({ ...MINIMAL, name: 'one', permissions: { network } });
  const grantOf = async (policy: object, network: unknown = true) =>
    resolveOrThrow(withNetwork(network), await parsePolicy({ allow: { bridge: true }, ...policy }), null)
      .grant;

  test('are read once, also through links, and given only to plugins with a network', async () => {
    const link = join(folder, 'link.pem');
    await symlink(join(TLS, 'authority.pem'), link);
    expect((await grantOf({ ca_file: link })).certificates).toEqual([AUTHORITY]);
    expect((await grantOf({ ca_file: link }, false)).certificates).toEqual([]);
    expect(new X509Certificate((await grantOf({ ca_file: link })).certificates[0] as string).ca).toBe(true);
  });

  test('can differ for one plugin, or be left out', async () => {
    const ca_file = join(TLS, 'authority.pem');
    const own = (file: string | false) => ({ ca_file, plugins: { one: { ca_file: file } } });
    expect((await grantOf(own(join(TLS, 'server.pem')))).certificates).toEqual([SERVER]);
    expect((await grantOf(own(false))).certificates).toEqual([]);
  });

  test('are reported at each place that names an unusable file', async () => {
    const bad = join(TLS, 'server.key');
    await expect(
      parsePolicy({ ca_file: bad, plugins: { one: { ca_file: bad }, two: { ca_file: 'a.pem' } } }),
    ).rejects.toMatchObject({ problems: [{ path: 'plugins.two.ca_file' }] });
    await expect(parsePolicy({ ca_file: bad, plugins: { one: { ca_file: bad } } })).rejects.toMatchObject({
      code: 'POLICY_INVALID',
      problems: [
        { path: 'ca_file', message: expect.stringContaining('private key') },
        { path: 'plugins.one.ca_file' },
      ],
    });
  });
});

test('a file of unfinished certificates is read once (P10)', () => {
  const beganAt = performance.now();
  expect(parseCertificates('-----BEGIN A-----'.repeat(60_000)).ok).toBe(false);
  expect(performance.now() - beganAt).toBeLessThan(3_000);
});
