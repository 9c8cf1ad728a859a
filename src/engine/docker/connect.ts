import https from 'node:https';
import type Docker from 'dockerode';
import { LurkboxError } from '../../errors.ts';
import { withDeadline } from '../deadlines.ts';
import type { ContainerEngine } from '../engine.ts';
import { readStrictly } from './answers.ts';
import { DockerEngine } from './docker.ts';
import { type EngineAddress, nameOf, toEndpoint } from './endpoint.ts';
import { toEngineError } from './errors.ts';
import { findEngine } from './find.ts';
import type { Link } from './link.ts';
import { refusePodman } from './podman.ts';

/** Oldest API that knows every control lurkbox needs, and the one it is tested on. */
const OLDEST_API = '1.41';
/** Newest API whose changes were read and leave what lurkbox sends as it is. */
const NEWEST_API = '1.56';

/**
 * Finds the engine that the user means, as `findEngine` does, and agrees with it on a version of the API.
 * @throws LurkboxError `OPTIONS_INVALID` when a choice cannot be used, `ENGINE_UNAVAILABLE` when none answers, it is Podman or
 * none of its versions fits
 */
export async function connectEngine({
  env = process.env,
}: {
  env?: NodeJS.ProcessEnv;
} = {}): Promise<ContainerEngine> {
  const address = await findEngine({ env });
  const connect = (): Promise<Link> => negotiate(address);
  return new DockerEngine(toEndpoint(address), await connect(), connect);
}

/** The connection itself, for what belongs to no one engine call. */
export async function connectDocker(env: NodeJS.ProcessEnv): Promise<Link> {
  return negotiate(await findEngine({ env }));
}

async function negotiate(address: EngineAddress): Promise<Link> {
  const dial = await createDial(address);
  const unversioned = dial();
  try {
    const reply: unknown = await withDeadline(
      'ask the engine what it is',
      async (abortSignal) => await unversioned.version({ abortSignal } as never),
    );
    refusePodman(reply, address.url);
    const apiVersion = chooseApiVersion(reply as Docker.DockerVersion);
    return { docker: dial(apiVersion), apiVersion };
  } catch (error) {
    throw toEngineError('ask the engine what it is', nameOf(address), error);
  }
}

/** The oldest version that both sides know: what was tested is what is spoken, as long as the engine still takes it. */
export function chooseApiVersion(reply: { ApiVersion?: string; MinAPIVersion?: string }): string {
  const newest = reply.ApiVersion ?? '0.0';
  const oldest = reply.MinAPIVersion ?? newest;
  const chosen = isBefore(oldest, OLDEST_API) ? OLDEST_API : oldest;
  if (isBefore(newest, chosen) || isBefore(NEWEST_API, chosen)) {
    throw new LurkboxError(
      'ENGINE_UNAVAILABLE',
      `The engine speaks API ${oldest} to ${newest}, lurkbox ${OLDEST_API} to ${NEWEST_API}. ` +
        'Docker 20.10 is the oldest engine that knows every control.',
    );
  }
  return chosen;
}

function isBefore(a: string, b: string): boolean {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number);
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number);
  return aMajor < bMajor || (aMajor === bMajor && aMinor < bMinor);
}

/** As the agent that all requests of Node share. */
const AGENT = { keepAlive: true, scheduling: 'lifo', timeout: 5_000 } as const;

// Loaded when an engine is needed: it takes longer to load than everything else of lurkbox together.
async function createDial(address: EngineAddress): Promise<(version?: string) => Docker> {
  const [{ default: DockerClient }, { default: Modem }] = await Promise.all([
    import('dockerode'),
    import('docker-modem'),
  ]);
  const at = toModemFields(address);
  return (version) => {
    // Its constructor fills in what it is not given from `DOCKER_*` of the process, and reads files that they name.
    const modem = Object.assign(Object.create(Modem.prototype) as object, {
      ...at,
      headers: {},
      version: version === undefined ? undefined : `v${version}`,
    });
    return readStrictly(new DockerClient({ modem } as never));
  };
}

function toModemFields(address: EngineAddress): object {
  if ('socketPath' in address) return { socketPath: address.socketPath, protocol: 'http' };
  const { host, port, tls } = address;
  const place = { host, port, pathPrefix: '/' };
  if (tls === null) return { ...place, protocol: 'http' };
  const { folder: _, ...material } = tls;
  return { ...place, protocol: 'https', agent: new https.Agent({ ...AGENT, ...material }) };
}
