import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import http, { type RequestListener } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { connectEngine } from '../../../src/engine/docker/connect.ts';
import type { LurkboxError } from '../../../src/errors.ts';
import { type Certificates, createCertificates } from '../../helpers/certificates.ts';

let certificates: Certificates;

beforeAll(() => {
  certificates = createCertificates();
});

afterAll(() => certificates[Symbol.dispose]());

const ANSWERS: Readonly<Record<string, unknown>> = {
  '/version': { ApiVersion: '1.41', MinAPIVersion: '1.12' },
  '/v1.41/info': { ID: 'FAR', Name: 'far-away' },
};

const asEngine: RequestListener = ({ url = '' }, response) => {
  if (url === '/_ping') return response.end('OK');
  return response.end(JSON.stringify(ANSWERS[url] ?? null));
};

interface Server extends AsyncDisposable {
  readonly port: number;
  readonly host: string;
}

async function listen(server: http.Server | https.Server): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    host: `tcp://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What answers as an engine does, to clients that the authority knows. */
function serveTls({
  folder = certificates.server,
  requestCert = true,
  listener = asEngine,
} = {}): Promise<Server> {
  const read = (name: string) => readFileSync(join(folder, name));
  const material = { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') };
  return listen(https.createServer({ ...material, requestCert, rejectUnauthorized: requestCert }, listener));
}

function verified(host: string, folder = certificates.client): Record<string, string> {
  return { DOCKER_HOST: host, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder };
}

async function failureOf(env: Record<string, string>): Promise<string> {
  const error = (await connectEngine({ env }).catch((reason: unknown) => reason)) as LurkboxError;
  expect(error).toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
  return error.message;
}

describe('an engine behind TLS', () => {
  test('is used with the certificate of the client, and reports TLS', async () => {
    const peers: (string | undefined)[] = [];
    await using server = await serveTls({
      listener: (request, response) => {
        const { subject } = (
          request.socket as unknown as { getPeerCertificate(): { subject: { CN: string } } }
        ).getPeerCertificate();
        peers.push(subject.CN);
        return asEngine(request, response);
      },
    });
    const engine = await connectEngine({ env: verified(server.host) });
    await expect(engine.facts()).resolves.toMatchObject({ id: 'FAR', name: 'far-away' });
    expect(engine.endpoint).toMatchObject({ url: server.host, connection: 'TLS', chosenBy: '`DOCKER_HOST`' });
    expect(new Set(peers)).toEqual(new Set(['client']));
    // What another process, such as the guard, is given leads there too.
    const again = await connectEngine({ env: engine.endpoint.env });
    await expect(again.facts()).resolves.toMatchObject({ id: 'FAR' });
  });

  test('is found by a context with its own certificates, also from the guard', async () => {
    await using server = await serveTls();
    const id = createHash('sha256').update('far').digest('hex');
    const config = mkdtempSync(join(tmpdir(), 'lurkbox-config-'));
    const [meta, tls] = ['meta', 'tls'].map((name) => join(config, 'contexts', name, id));
    for (const folder of [meta!, tls!]) mkdirSync(folder, { recursive: true });
    const docker = { Host: server.host, SkipTLSVerify: false };
    writeFileSync(join(meta!, 'meta.json'), JSON.stringify({ Name: 'far', Endpoints: { docker } }));
    symlinkSync(certificates.client, join(tls!, 'docker'));
    writeFileSync(join(config, 'config.json'), JSON.stringify({ currentContext: 'far' }));
    try {
      const { endpoint } = await connectEngine({ env: { DOCKER_CONFIG: config } });
      expect(endpoint).toMatchObject({ url: server.host, connection: 'TLS' });
      writeFileSync(join(config, 'config.json'), '{}');
      const again = await connectEngine({ env: endpoint.env });
      await expect(again.facts()).resolves.toMatchObject({ id: 'FAR' });
    } finally {
      rmSync(config, { recursive: true });
    }
  });

  test('is verified unless verification is off', async () => {
    const folder = certificates.issue('elsewhere', { names: 'DNS:elsewhere.example' });
    await using server = await serveTls({ folder });
    const told = await failureOf(verified(server.host));
    expect(told).toMatch(
      /`tcp:\S+` \(`DOCKER_HOST`\): its certificate is that of another host; .*\(DNS:elsewhere\.example\)/,
    );
    const { DOCKER_TLS_VERIFY: _, ...unverified } = verified(server.host);
    const engine = await connectEngine({ env: { ...unverified, DOCKER_TLS: '1' } });
    expect(engine.endpoint.connection).toBe('TLS, unverified');
  });

  test('that another authority signed is refused', async () => {
    await using server = await serveTls();
    using others = createCertificates();
    expect(await failureOf(verified(server.host, others.client))).toMatch(
      /its certificate is signed by none that is trusted here; take the `ca.pem`/,
    );
  });

  test('refuses clients with a foreign certificate or none, which the error says', async () => {
    await using server = await serveTls();
    using others = createCertificates();
    copyFileSync(join(certificates.client, 'ca.pem'), join(others.client, 'ca.pem'));
    expect(await failureOf(verified(server.host, others.client))).toMatch(/certificate of this client/);
    for (const name of ['cert.pem', 'key.pem']) rmSync(join(others.client, name));
    expect(await failureOf(verified(server.host, others.client))).toMatch(/certificate of this client/);
  });

  test('is not confused with one on plain HTTP, or the other way round', async () => {
    await using plain = await listen(http.createServer(asEngine));
    expect(await failureOf(verified(plain.host))).toMatch(
      /does not speak TLS at that port; leave `DOCKER_TLS_VERIFY`/,
    );
    await using server = await serveTls();
    expect(await failureOf({ DOCKER_HOST: server.host })).toMatch(
      /speaks TLS alone at that port; set `DOCKER_TLS_VERIFY=1`/,
    );
    await using saying = await listen(
      http.createServer((_request, response) =>
        response.writeHead(400).end('Client sent an HTTP request to an HTTPS server.\n'),
      ),
    );
    expect(await failureOf({ DOCKER_HOST: saying.host })).toMatch(/: it speaks TLS alone at that port/);
  });

  test('that answers as Podman is refused by name', async () => {
    await using server = await serveTls({
      requestCert: false,
      listener: ({ url }, response) =>
        response.end(
          url === '/_ping'
            ? 'OK'
            : JSON.stringify({
                ...(ANSWERS['/version'] as object),
                Components: [null, { Name: 'Podman Engine' }],
              }),
        ),
    });
    expect(await failureOf(verified(server.host))).toMatch(
      /cannot be used: this is Podman.*Name a Docker engine/,
    );
  });
});

test('the environment changes nothing when another engine was chosen', async () => {
  await using meant = await listen(http.createServer(asEngine));
  const stray = vi.fn<RequestListener>((_request, response) => response.end('OK'));
  await using other = await listen(http.createServer(stray));
  vi.stubEnv('DOCKER_HOST', other.host);
  vi.stubEnv('DOCKER_TLS_VERIFY', '1');
  vi.stubEnv('DOCKER_CERT_PATH', '/nonexistent');
  try {
    const engine = await connectEngine({ env: { DOCKER_HOST: meant.host } });
    await expect(engine.facts()).resolves.toMatchObject({ id: 'FAR' });
    expect(stray).not.toHaveBeenCalled();
  } finally {
    vi.unstubAllEnvs();
  }
});
