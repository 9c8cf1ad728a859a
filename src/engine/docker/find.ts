import { stat } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { LurkboxError } from '../../errors.ts';
import { engineCandidates } from './candidates.ts';
import type { EngineAddress } from './endpoint.ts';
import { PODMAN_REASON } from './podman.ts';
import { tlsReason } from './tls.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** An engine that has not answered a ping by then is as good as none. */
const PING_DEADLINE_MS = 3_000;
/** The answer is two letters; whatever sends more is not an engine. */
const PING_ANSWER_BYTES = 1_024;

const WHAT_TO_DO =
  'Start the engine (`sudo systemctl start docker`), install one (Debian, Ubuntu: `sudo apt-get install docker.io`), ' +
  'or set `DOCKER_HOST` to where it listens.';
const WHAT_TO_DO_WITH_A_CHOICE =
  'No other is tried, because this one was chosen. Start it, or choose another one with `DOCKER_HOST`, `DOCKER_CONTEXT` or ' +
  '`docker context use`.';

/**
 * The engine to use: the one that the user chose, in the words of Docker's command line, else the first that answers at the
 * places where Docker listens.
 * @throws `LurkboxError` `OPTIONS_INVALID` when a choice cannot be used, `ENGINE_UNAVAILABLE` when nothing answers
 */
export async function findEngine({ env = process.env }: { env?: Environment } = {}): Promise<EngineAddress> {
  return firstAnswering(await engineCandidates(env));
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
    failures.push(`  - \`${address.url}\` (${address.chosenBy}): ${failure}`);
  }
  const advice = candidates.some(({ isChosen }) => isChosen) ? WHAT_TO_DO_WITH_A_CHOICE : WHAT_TO_DO;
  throw new LurkboxError('ENGINE_UNAVAILABLE', 'No container engine answers. Tried:', {
    lines: [...failures, advice],
  });
}

/** `null` when an engine answers at the address, else why not. */
async function whyUnusable(address: EngineAddress, deadlineMs: number): Promise<string | null> {
  const deadline = AbortSignal.timeout(deadlineMs);
  try {
    if ('socketPath' in address && !(await stat(address.socketPath)).isSocket()) {
      return 'this is not a socket; remove it and start the engine again';
    }
    return judge(await ping(address, deadline));
  } catch (error) {
    // An answer that is cut off by the deadline fails as a lost connection.
    if (deadline.aborted) return `no answer within ${deadlineMs / 1_000} s`;
    return toReason(error as NodeJS.ErrnoException, address);
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly isPodman: boolean;
}

function judge({ status, body, isPodman }: Answer): string | null {
  if (isPodman) return PODMAN_REASON;
  if (status === 200 && body === 'OK') return null;
  if (/HTTP request to an HTTPS server/i.test(body)) return SPEAKS_TLS;
  return `something answers (HTTP ${status}), but not a Docker engine`;
}

const PERHAPS_REFUSED = 'perhaps it does not take the certificate of this client';
const SPEAKS_TLS =
  'it speaks TLS alone at that port; set `DOCKER_TLS_VERIFY=1`, and `DOCKER_CERT_PATH` to the folder of its certificates';

/** `GET /_ping`: every engine answers it, of whatever API version. */
async function ping(address: EngineAddress, signal: AbortSignal): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const { request } = 'socketPath' in address || address.tls === null ? http : https;
  request({ ...toRequestOptions(address), path: '/_ping', agent: false, signal }, resolve)
    .on('error', reject)
    .end();
  const response = await promise;
  const isPodman = response.headers['libpod-api-version'] !== undefined;
  return { status: response.statusCode ?? 0, body: await readAnswer(response), isPodman };
}

function toRequestOptions(address: EngineAddress): https.RequestOptions {
  if ('socketPath' in address) return { socketPath: address.socketPath };
  const { folder: _, ...tls } = address.tls ?? {};
  return { host: address.host, port: address.port, ...tls };
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
  EPERM: 'permission denied by a security module or a sandbox around this process',
  ECONNREFUSED: 'connection refused: the address is there, but no engine listens on it',
  ECONNRESET: 'the connection was closed without an answer',
  EPIPE: 'the connection was closed without an answer',
  EAGAIN: 'it takes no more connections; whatever listens there hangs',
  ENOTFOUND: 'no host of that name',
  EHOSTUNREACH: 'no route to that host',
};

function toReason(error: NodeJS.ErrnoException, address: EngineAddress): string {
  const code = error.code ?? '';
  const ofTls = tlsReason(error);
  if (ofTls !== null) return ofTls;
  const isNoHttp = code.startsWith('HPE_');
  const reason = isNoHttp ? 'something answers, but not in HTTP' : (REASONS[code] ?? error.message);
  if ('socketPath' in address || !(isNoHttp || code === 'ECONNRESET')) return reason;
  return `${reason}; ${address.tls === null ? `perhaps ${SPEAKS_TLS}` : PERHAPS_REFUSED}`;
}
