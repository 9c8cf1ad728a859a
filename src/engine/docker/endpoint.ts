import type { SecureContextOptions } from 'node:tls';
import { LurkboxError } from '../../errors.ts';
import { escapeAndCut } from '../../printable.ts';
import type { EngineConnection, EngineEndpoint } from '../engine.ts';

/** Where an engine listens and who named it, as whoever connects needs to know. */
export type EngineAddress = UnixAddress | NetworkAddress;

/** As `DOCKER_HOST` writes it: `unix:///var/run/docker.sock`, `tcp://127.0.0.1:2375`. */
interface Choice extends Omit<EngineEndpoint, 'connection'> {
  /** Every variable that has a say is in it, empty where it has none. */
  readonly env: Readonly<Record<(typeof CHOOSING_VARIABLES)[number], string>>;
}

export interface UnixAddress extends Choice {
  readonly socketPath: string;
}

export interface NetworkAddress extends Choice {
  readonly host: string;
  readonly port: number;
  /** `null`: whoever is on the way may read and change what is said. */
  readonly tls: TlsOptions | null;
}

/** In the words of `node:https`. */
export interface TlsOptions extends Pick<SecureContextOptions, 'ca' | 'cert' | 'key'> {
  /** Whether the engine has to show a certificate that is signed for it. */
  readonly rejectUnauthorized: boolean;
  /** The folder that the certificates are in; `null` for those of Node. */
  readonly folder: string | null;
}

/** With them, and the files that they name, Docker's command line decides which engine it talks to. */
const CHOOSING_VARIABLES = [
  'DOCKER_HOST',
  'DOCKER_CONTEXT',
  'DOCKER_CONFIG',
  'DOCKER_TLS',
  'DOCKER_TLS_VERIFY',
  'DOCKER_CERT_PATH',
] as const;

const NO_CHOICE = Object.fromEntries(CHOOSING_VARIABLES.map((name) => [name, ''])) as Choice['env'];

/** An environment that has one choice in it and no other. */
export function choosing(choice: Partial<Choice['env']>): Choice['env'] {
  return { ...NO_CHOICE, ...choice };
}

export function toUnixAddress(
  socketPath: string,
  { chosenBy, isChosen }: Pick<Choice, 'chosenBy' | 'isChosen'>,
): UnixAddress {
  const url = `unix://${socketPath}`;
  return { url, chosenBy, isChosen, env: choosing({ DOCKER_HOST: url }), socketPath };
}

export function toEndpoint(address: EngineAddress): EngineEndpoint {
  const { url, chosenBy, isChosen, env } = address;
  return { url, chosenBy, isChosen, env, connection: connectionOf(address) };
}

function connectionOf(address: EngineAddress): EngineConnection {
  if ('socketPath' in address) return 'socket';
  if (address.tls === null) return 'plain TCP';
  return address.tls.rejectUnauthorized ? 'TLS' : 'TLS, unverified';
}

/** As messages name it. */
export function nameOf({ url, chosenBy }: Pick<Choice, 'url' | 'chosenBy'>): string {
  return `${url} (${chosenBy})`;
}

/** A host as it is written, taken apart. */
export type ParsedHost =
  | { readonly kind: 'unix'; readonly socketPath: string }
  | {
      readonly kind: 'tcp' | 'http' | 'https';
      readonly host: string;
      readonly port: number;
    };

const DEFAULT_PORTS = { tcp: 2375, http: 80, https: 443 } as const;
const MAX_SHOWN_CHARS = 200;

/**
 * @param named what the host is the value of, for messages: `DOCKER_HOST`
 * @throws LurkboxError `OPTIONS_INVALID`
 */
export function parseHost(value: string, named: string): ParsedHost {
  const url = URL.parse(value);
  switch (url?.protocol) {
    case 'unix:':
      return parseUnix(value, named);
    case 'tcp:':
    case 'http:':
    case 'https:':
      return parseNetwork(value, url, named);
    case 'ssh:':
      throw unusable(
        named,
        `${url.protocol}//${url.host}`,
        'an engine behind SSH is not reached directly, because dockerode takes any key of a host for the right one. ' +
          `Forward its socket (\`ssh -N -L /tmp/engine.sock:/var/run/docker.sock ${toSshTarget(url)}\`) and set ` +
          '`DOCKER_HOST=unix:///tmp/engine.sock`',
      );
    case 'npipe:':
      throw unusable(
        named,
        value,
        'a named pipe is one of Windows, which lurkbox does not run on; name the socket of an engine on Linux',
      );
    default:
      throw unusable(
        named,
        value,
        'expected `unix:///path/to.sock`, `tcp://host:port`, `http://host:port` or `https://host:port`',
      );
  }
}

/** Not by way of `URL`, which would change a path that holds a space or a `%`. */
function parseUnix(value: string, named: string): ParsedHost {
  const socketPath = value.slice('unix://'.length);
  if (!value.startsWith('unix://') || !socketPath.startsWith('/')) {
    throw unusable(named, value, 'expected an absolute path, as in `unix:///var/run/docker.sock`');
  }
  return { kind: 'unix', socketPath };
}

function parseNetwork(value: string, url: URL, named: string): ParsedHost {
  const kind = url.protocol.slice(0, -1) as 'tcp' | 'http' | 'https';
  if (url.hostname === '') throw unusable(named, value, 'expected a host, as in `tcp://127.0.0.1:2375`');
  if (url.username !== '' || url.password !== '') {
    throw unusable(named, `${kind}://…`, 'it carries a user name or password, which no engine understands');
  }
  if (!['', '/'].includes(url.pathname) || url.search !== '') {
    throw unusable(named, value, 'expected nothing after the port');
  }
  return {
    kind,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'), // `URL` keeps the brackets of an IPv6 address.
    port: url.port === '' ? DEFAULT_PORTS[kind] : Number(url.port),
  };
}

function toSshTarget({ username, hostname, port }: URL): string {
  return `${port === '' ? '' : `-p ${port} `}${username === '' ? '' : `${username}@`}${hostname || '<host>'}`;
}

function unusable(named: string, value: string, reason: string): LurkboxError {
  return new LurkboxError(
    'OPTIONS_INVALID',
    `${named} is \`${escapeAndCut(value, MAX_SHOWN_CHARS)}\`: ${reason}.`,
  );
}
