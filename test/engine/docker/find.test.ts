import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { toUnixAddress } from '../../../src/engine/docker/endpoint.ts';
import { findEngine, firstAnswering } from '../../../src/engine/docker/find.ts';

describe('the search for an engine', () => {
  let directory: string;
  const cleanups: (() => void)[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lurkbox-find-'));
  });

  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) cleanup();
    rmSync(directory, { recursive: true, force: true });
  });

  /** A server that sends `answer` to whoever connects, or stays silent. */
  async function listen(target: string | number, answer: string | null): Promise<Server> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => {}));
      if (answer !== null) socket.once('data', () => socket.write(answer));
    });
    await new Promise<void>((resolve) => {
      server.listen(target, resolve);
    });
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return server;
  }

  const OK = 'HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK';

  function address(name: string) {
    return toUnixAddress(join(directory, name), { chosenBy: 'the test', isChosen: false });
  }

  async function failureAt(name: string): Promise<string> {
    const error = await firstAnswering([address(name)], 300).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    const { message } = error as Error;
    expect(message).toContain(`\`unix://${join(directory, name)}\` (the test): `);
    return message;
  }

  test('uses the first address that answers', async () => {
    await listen(address('second').socketPath, OK);
    await listen(address('third').socketPath, OK);
    await expect(firstAnswering(['first', 'second', 'third'].map(address))).resolves.toEqual(
      address('second'),
    );
  });

  test('finds an engine on TCP through `DOCKER_HOST`', async () => {
    const server = await listen(0, OK);
    const { port } = server.address() as { port: number };
    const url = `tcp://127.0.0.1:${port}`;
    await expect(findEngine({ env: { DOCKER_HOST: url } })).resolves.toMatchObject({
      url,
      host: '127.0.0.1',
      port,
      tls: null,
    });
  });

  test('does not replace a `DOCKER_HOST` that does not answer', async () => {
    await expect(findEngine({ env: { DOCKER_HOST: address('nobody').url } })).rejects.toThrow(
      /`DOCKER_HOST`\): no such file\nNo other is tried, because this one was chosen/,
    );
  });

  test.each([
    ['is silent', null, /no answer within 0.3 s/],
    ['never ends its answer', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nO', /no answer within 0.3 s/],
    ['does not talk HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', /not in HTTP/],
    [
      'is another HTTP server',
      'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
      /HTTP 404.*not a Docker engine/,
    ],
    [
      'is Podman',
      OK.replace('Api-Version', 'Libpod-Api-Version: 4.3.1\r\nApi-Version'),
      /this is Podman, which answers as Docker does, and lurkbox does not run on it/,
    ],
    ['sends without end', `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(100_000)}`, /not a Docker engine/],
  ])('skips an address that %s', async (_title, answer, reason) => {
    await listen(address('engine').socketPath, answer);
    expect(await failureAt('engine')).toMatch(reason);
  });

  test('distinguishes a dead socket from a missing one', async () => {
    const { socketPath } = address('engine');
    const server = await listen(join(directory, 'alive'), OK);
    renameSync(join(directory, 'alive'), socketPath);
    await new Promise((resolve) => server.close(resolve));
    expect(await failureAt('engine')).toMatch(/connection refused/);
  });

  test('names a file or a folder in the place of the socket', async () => {
    writeFileSync(join(directory, 'file'), '');
    mkdirSync(join(directory, 'folder'));
    expect(await failureAt('file')).toMatch(/not a socket/);
    expect(await failureAt('folder')).toMatch(/not a socket/);
  });

  test('names the group to join for a socket without access', async () => {
    await listen(address('engine').socketPath, OK);
    chmodSync(address('engine').socketPath, 0);
    const failure = await withoutRoot(directory, () => failureAt('engine'));
    expect(failure).toMatch(/permission denied; add yourself to the group `docker`/);
  });

  test('fails with every address, the reason for each, and what to do', async () => {
    writeFileSync(join(directory, 'file'), '');
    const error = await firstAnswering(['missing', 'file'].map(address)).catch((reason: unknown) => reason);
    expect((error as Error).message.split('\n')).toEqual([
      'No container engine answers. Tried:',
      `  - \`${address('missing').url}\` (the test): no such file`,
      `  - \`${address('file').url}\` (the test): this is not a socket; remove it and start the engine again`,
      expect.stringContaining('DOCKER_HOST'),
    ]);
  });
});

/** Root may open every socket, so for a moment this process is somebody else. */
async function withoutRoot<T>(directory: string, work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work();
  chmodSync(directory, 0o755);
  process.seteuid?.(65_534);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}
