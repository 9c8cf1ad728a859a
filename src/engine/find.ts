import { stat } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { LurkboxError } from '../errors.ts';

/** Where an engine listens, in the words that dockerode and `node:http` take. */
export type EngineAddress = UnixAddress | NetworkAddress;

export interface UnixAddress {
  /** As `DOCKER_HOST` writes it, for messages: `unix:///var/run/docker.sock`. */
  readonly url: string;
  readonly socketPath: string;
}

export interface NetworkAddress {
  /** As `DOCKER_HOST` writes it, for messages: `tcp://127.0.0.1:2375`. */
  readonly url: string;
  readonly protocol: 'http' | 'https';
  readonly host: string;
  readonly port: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** An engine that has not answered a ping by then is as good as none. */
const PING_DEADLINE_MS = 3_000;
/** The answer is two letters; whatever sends more is not an engine. */
const PING_ANSWER_BYTES = 1_024;
const DEFAULT_PORTS = { 'tcp:': 2375, 'http:': 80, 'https:': 443 } as const;

const WHAT_TO_DO =
  'Start the engine (`sudo systemctl start docker`), install one (Debian, Ubuntu: `sudo apt-get install docker.io`), ' +
  'or set `DOCKER_HOST` to where it listens.';

/**
 * The engine to use: the one that `DOCKER_HOST` names, else the first that answers at the places where Docker listens.
 * @throws `LurkboxError` `OPTIONS_INVALID` when `DOCKER_HOST` cannot be used, `ENGINE_UNAVAILABLE` when nothing answers
 */
export async function findEngine({ env = process.env }: { env?: Environment } = {}): Promise<EngineAddress> {
  return firstAnswering(engineCandidates(env));
}

/** The addresses to try, in order. Reads nothing but the given environment. */
export function engineCandidates(env: Environment): EngineAddress[] {
  if (env['DOCKER_HOST']) return [parseDockerHost(env['DOCKER_HOST'], env)];
  const { XDG_RUNTIME_DIR: runtimeDirectory, HOME: home } = env;
  const socketPaths = [
    '/var/run/docker.sock',
    ...(runtimeDirectory ? [`${runtimeDirectory}/docker.sock`] : []),
    ...(home ? [`${home}/.docker/run/docker.sock`, `${home}/.docker/desktop/docker.sock`] : []),
  ];
  return socketPaths.map(unixAddress);
}

/** Asks one address after the other; `deadlineMs` is for each. */
export async function firstAnswering(
  candidates: readonly EngineAddress[],
  deadlineMs: number = PING_DEADLINE_MS,
): Promise<EngineAddress> {
  const failures: string[] = [];
  for (const address of candidates) {
    const failure = await whyUnusable(address, deadlineMs);
    if (failure === null) return address;
    failures.push(`  - \`${address.url}\`: ${failure}`);
  }
  throw new LurkboxError('ENGINE_UNAVAILABLE', 'No container engine answers. Tried:', {
    lines: [...failures, ...WHAT_TO_DO.split('\n')],
  });
}

function parseDockerHost(value: string, env: Environment): EngineAddress {
  const url = URL.parse(value);
  switch (url?.protocol) {
    case 'unix:':
      return parseUnix(value);
    case 'tcp:':
    case 'http:':
    case 'https:':
      refuseClientCertificates(value, env);
      return parseNetwork(value, url, DEFAULT_PORTS[url.protocol]);
    case 'ssh:':
      throw unusable(
        value,
        'an engine behind SSH is not reached directly. Forward its socket ' +
          '(`ssh -N -L /tmp/engine.sock:/var/run/docker.sock <host>`) and set `DOCKER_HOST=unix:///tmp/engine.sock`',
      );
    default:
      throw unusable(
        value,
        'expected `unix:///path/to.sock`, `tcp://host:port`, `http://host:port` or `https://host:port`',
      );
  }
}

/** Not by way of `URL`, which would change a path that holds a space or a `%`. */
function parseUnix(value: string): EngineAddress {
  const socketPath = value.slice('unix://'.length);
  if (!value.startsWith('unix://') || !socketPath.startsWith('/')) {
    throw unusable(value, 'expected an absolute path, as in `unix:///var/run/docker.sock`');
  }
  return unixAddress(socketPath);
}

function unixAddress(socketPath: string): UnixAddress {
  return { url: `unix://${socketPath}`, socketPath };
}

function parseNetwork(value: string, url: URL, defaultPort: number): NetworkAddress {
  if (url.hostname === '') throw unusable(value, 'expected a host, as in `tcp://127.0.0.1:2375`');
  if (url.username !== '' || url.password !== '') {
    throw unusable(`${url.protocol}//…`, 'it carries a user name or password, which no engine understands');
  }
  if (!['', '/'].includes(url.pathname) || url.search !== '') {
    throw unusable(value, 'expected nothing after the port');
  }
  return {
    url: value,
    protocol: url.protocol === 'https:' ? 'https' : 'http',
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'), // `URL` keeps the brackets of an IPv6 address.
    port: url.port === '' ? defaultPort : Number(url.port),
  };
}

/** Client certificates are not read, and going on without them would talk to an engine that nobody verified. */
function refuseClientCertificates(value: string, env: Environment): void {
  if (!env['DOCKER_TLS_VERIFY']) return;
  throw unusable(
    value,
    '`DOCKER_TLS_VERIFY` asks for client certificates, which are not supported. Forward the socket of that engine ' +
      'with `ssh -L` instead and unset `DOCKER_TLS_VERIFY`',
  );
}

function unusable(value: string, reason: string): LurkboxError {
  return new LurkboxError('OPTIONS_INVALID', `\`DOCKER_HOST\` is \`${value}\`: ${reason}.`);
}

/** `null` when an engine answers at the address, else why not. */
async function whyUnusable(address: EngineAddress, deadlineMs: number): Promise<string | null> {
  const deadline = AbortSignal.timeout(deadlineMs);
  try {
    if ('socketPath' in address && !(await stat(address.socketPath)).isSocket()) {
      return 'this is not a socket; remove it and start the engine again';
    }
    const { status, body } = await ping(address, deadline);
    return status === 200 && body === 'OK'
      ? null
      : `something answers (HTTP ${status}), but not a Docker engine`;
  } catch (error) {
    // An answer that is cut off by the deadline fails as a lost connection.
    if (deadline.aborted) return `no answer within ${deadlineMs / 1_000} s`;
    return toReason(error as NodeJS.ErrnoException);
  }
}

/** `GET /_ping`: every engine answers it, of whatever API version. */
async function ping(address: EngineAddress, signal: AbortSignal): Promise<{ status: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const { request } = 'socketPath' in address || address.protocol === 'http' ? http : https;
  request({ ...toRequestOptions(address), path: '/_ping', agent: false, signal }, resolve)
    .on('error', reject)
    .end();
  const response = await promise;
  return { status: response.statusCode ?? 0, body: await readAnswer(response) };
}

function toRequestOptions(address: EngineAddress): http.RequestOptions {
  if ('socketPath' in address) return { socketPath: address.socketPath };
  return { host: address.host, port: address.port };
}

async function readAnswer(response: http.IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) {
    body += chunk;
    if (body.length > PING_ANSWER_BYTES) break; // Leaving the loop closes the connection.
  }
  return body.trim();
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EACCES:
    'permission denied; add yourself to the group `docker` (`sudo usermod -aG docker $USER`), then log in again',
  ECONNREFUSED: 'connection refused: the address is there, but no engine listens on it',
  ECONNRESET: 'the connection was closed without an answer',
  EPIPE: 'the connection was closed without an answer',
  EAGAIN: 'it takes no more connections; whatever listens there hangs',
  ENOTFOUND: 'no host of that name',
  EHOSTUNREACH: 'no route to that host',
};

function toReason(error: NodeJS.ErrnoException): string {
  const code = error.code ?? '';
  if (code.startsWith('HPE_')) return 'something answers, but not in HTTP';
  return REASONS[code] ?? error.message;
}
