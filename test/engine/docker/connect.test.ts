import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { chooseApiVersion, connectEngine } from '../../../src/engine/docker/connect.ts';

describe('the API version of a connection', () => {
  test.each([
    ['the only one that an old engine has', '1.41', undefined, '1.41'],
    ['the oldest known here, where the engine goes further back', '1.45', '1.24', '1.41'],
    ['the oldest that the engine still takes', '1.52', '1.44', '1.44'],
    ['the newest known here, where the engine takes nothing older', '1.60', '1.56', '1.56'],
    ['compared by number and not by letter', '1.100', '1.9', '1.41'],
  ])('is %s', (_title, newest, oldest, expected) => {
    const reply = { ApiVersion: newest, ...(oldest === undefined ? {} : { MinAPIVersion: oldest }) };
    expect(chooseApiVersion(reply)).toBe(expected);
  });

  test.each([
    ['an engine that is too old', { ApiVersion: '1.40', MinAPIVersion: '1.12' }],
    ['an engine that is too new', { ApiVersion: '1.60', MinAPIVersion: '1.57' }],
    ['an engine of another age', { ApiVersion: '2.0', MinAPIVersion: '2.0' }],
    ['an engine that does not say', {}],
  ])('cannot be agreed on with %s', (_title, reply) => {
    expect(() => chooseApiVersion(reply)).toThrow(
      expect.objectContaining({
        code: 'ENGINE_UNAVAILABLE',
        message: expect.stringContaining('1.41 to 1.56'),
      }),
    );
  });
});

describe('connecting to an engine', () => {
  /** An engine that answers a ping, and whatever else as the listener says. */
  async function serve(
    listener: RequestListener,
  ): Promise<AsyncDisposable & { url: string; paths: string[] }> {
    const folder = mkdtempSync(join(tmpdir(), 'lurkbox-connect-'));
    const paths: string[] = [];
    const server = createServer((request, response) => {
      paths.push(request.url ?? '');
      if (request.url === '/_ping') response.end('OK');
      else listener(request, response);
    });
    const socketPath = join(folder, 'engine.sock');
    await new Promise<void>((resolve) => {
      server.listen(socketPath, resolve);
    });
    return {
      url: `unix://${socketPath}`,
      paths,
      [Symbol.asyncDispose]: async () => {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
        rmSync(folder, { recursive: true });
      },
    };
  }

  test('uses the version that both sides know, at the given address', async () => {
    await using server = await serve((request, response) => {
      const isVersion = request.url === '/version';
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(isVersion ? { ApiVersion: '1.52', MinAPIVersion: '1.44' } : { ID: 'X' }));
    });
    const engine = await connectEngine({ env: { DOCKER_HOST: server.url } });
    expect(engine.endpoint).toMatchObject({ url: server.url, chosenBy: '`DOCKER_HOST`' });
    await expect(engine.facts()).resolves.toMatchObject({ id: 'X', apiVersion: '1.44' });
    expect(server.paths).toEqual(['/_ping', '/version', '/v1.44/info']);
  });

  test('asks for the facts of the engine once, and again when it did not answer', async () => {
    let asked = 0;
    await using server = await serve((request, response) => {
      if (request.url === '/version') response.end('{"ApiVersion":"1.41"}');
      else if (++asked === 1) response.writeHead(500).end('{"message":"busy"}');
      else response.end('{}');
    });
    const engine = await connectEngine({ env: { DOCKER_HOST: server.url } });
    await expect(engine.facts()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    await engine.facts();
    await engine.facts();
    expect(asked).toBe(2);
  });

  test('fails when the engine does not give its version', async () => {
    await using server = await serve((_request, response) => response.writeHead(500).end('{"message":"no"}'));
    await expect(connectEngine({ env: { DOCKER_HOST: server.url } })).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining('said: no'),
    });
  });

  test('fails when nothing listens', async () => {
    await expect(connectEngine({ env: { DOCKER_HOST: 'unix:///nonexistent/e.sock' } })).rejects.toMatchObject(
      {
        code: 'ENGINE_UNAVAILABLE',
      },
    );
  });
});
