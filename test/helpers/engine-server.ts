import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Answers `<method> <path>` without the version, or leaves the request open. */
export type Answers = (
  call: string,
  response: http.ServerResponse,
  request: http.IncomingMessage,
) => void | Promise<void>;

export interface EngineServer extends AsyncDisposable {
  readonly url: string;
  readonly env: { readonly DOCKER_HOST: string };
  /** `<method> <path>`, as they came. */
  readonly calls: string[];
  answers: Answers;
}

/** What answers an engine's API on a socket of its own; pings it answers by itself. */
export async function serveEngine(answers: Answers): Promise<EngineServer> {
  const server = http.createServer((request, response) => {
    const call = `${request.method} ${request.url}`;
    engine.calls.push(call);
    if (request.url === '/_ping') response.end('OK');
    else void engine.answers(call.replace(/\/v[\d.]+(?=\/)|\?.*$/g, ''), response, request);
  });
  const { url, close } = await listen(server);
  const engine: EngineServer = {
    url,
    env: { DOCKER_HOST: url },
    calls: [],
    answers,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await close();
    },
  };
  return engine;
}

/** Whatever the handler does with a connection; for what does not speak HTTP at all. */
export async function serveBytes(
  onConnection: (socket: net.Socket) => void,
): Promise<AsyncDisposable & Pick<EngineServer, 'url' | 'env'>> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  const { url, close } = await listen(server);
  return {
    url,
    env: { DOCKER_HOST: url },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await close();
    },
  };
}

export function json(response: http.ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function listen(server: net.Server): Promise<{ url: string; close: () => Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'lurkbox-engine-'));
  const socketPath = join(folder, 'engine.sock');
  await new Promise<void>((resolve) => {
    server.listen(socketPath, resolve);
  });
  return {
    url: `unix://${socketPath}`,
    close: async () => {
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
}
