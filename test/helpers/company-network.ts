import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { createCertificates } from './certificates.ts';
import type { NpmRegistry } from './npm-registry.ts';

/** A name that no resolver knows. */
const HOST = 'packages.test';

/** A registry that is reached only through a proxy, with a certificate that only a company's own authority vouches for. */
export interface CompanyNetwork extends AsyncDisposable {
  /** Address of the proxy. */
  readonly proxy: string;
  /** File with the certificate of the authority. */
  readonly authority: string;
  /** The registry by its name, which only the proxy knows. */
  readonly http: string;
  readonly https: string;
  /** The same on this host, where no proxy is needed. */
  readonly direct: string;
  /** What the proxy was asked for. */
  readonly asked: readonly string[];
}

export async function startCompanyNetwork(registry: NpmRegistry): Promise<CompanyNetwork> {
  const certificates = createCertificates();
  const folder = certificates.issue('registry', { names: `DNS:${HOST},DNS:localhost` });
  const read = (name: string) => readFileSync(join(folder, name));
  const asked: string[] = [];
  /** Its answers name the address that it was reached by. */
  const answerAs =
    (scheme: string): RequestListener =>
    async (request, response) => {
      const { pathname } = new URL(request.url ?? '', `${scheme}://${request.headers.host}`);
      const inside = (registry.env['npm_config_registry'] as string).replace(/\/$/, '');
      const answer = await fetch(inside + pathname);
      const body = Buffer.from(await answer.arrayBuffer());
      const isText = body[0] === '{'.charCodeAt(0);
      const own = `${scheme}://${request.headers.host}`;
      response.writeHead(answer.status).end(isText ? body.toString().replaceAll(inside, own) : body);
    };
  const tls = createTlsServer({ cert: read('cert.pem'), key: read('key.pem') }, answerAs('https'));
  const proxy = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    answerAs('http')(request, response);
  });
  proxy.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url}`);
    const isSecure = request.url?.endsWith(':443') === true;
    const onward = connect(portOf(isSecure ? tls : proxy), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    for (const end of [socket, onward])
      end.on('error', () => [socket, onward].map((other) => other.destroy()));
  });
  for (const server of [tls, proxy]) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  return {
    proxy: `http://127.0.0.1:${portOf(proxy)}`,
    authority: join(folder, 'ca.pem'),
    http: `http://${HOST}/`,
    https: `https://${HOST}/`,
    direct: `https://localhost:${portOf(tls)}/`,
    asked,
    [Symbol.asyncDispose]: async () => {
      for (const server of [tls, proxy]) {
        server.closeAllConnections();
        server.close();
      }
      certificates[Symbol.dispose]();
    },
  };
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
