import type Docker from 'dockerode';
import { LurkboxError } from '../errors.ts';
import { readStrictly } from './answers.ts';
import { withDeadline } from './deadlines.ts';
import { DockerEngine, type Link } from './docker.ts';
import type { ContainerEngine } from './engine.ts';
import { toEngineError } from './errors.ts';
import { type EngineAddress, findEngine } from './find.ts';

/** Oldest API that knows every control lurkbox needs, and the one it is tested on. */
const OLDEST_API = '1.41';
/** Newest API whose changes were read and leave what lurkbox sends as it is. */
const NEWEST_API = '1.56';

/**
 * Finds the engine that answers (`DOCKER_HOST`, then the usual sockets) and agrees with it on a version of the API.
 * @throws LurkboxError `ENGINE_UNAVAILABLE` when none answers or none of its versions fits
 */
export async function connectEngine({
  env = process.env,
}: {
  env?: NodeJS.ProcessEnv;
} = {}): Promise<ContainerEngine> {
  const address = await findEngine({ env });
  const connect = (): Promise<Link> => negotiate(address);
  return new DockerEngine(address.url, await connect(), connect);
}

/** The connection itself, for what belongs to no one engine call. */
export async function connectDocker(env: NodeJS.ProcessEnv): Promise<Link> {
  return negotiate(await findEngine({ env }));
}

async function negotiate(address: EngineAddress): Promise<Link> {
  const unversioned = await dial(address);
  try {
    const reply: unknown = await withDeadline(
      'ask the engine what it is',
      async (abortSignal) => await unversioned.version({ abortSignal } as never),
    );
    const apiVersion = chooseApiVersion(reply as Docker.DockerVersion);
    return { docker: await dial(address, apiVersion), apiVersion };
  } catch (error) {
    throw toEngineError('ask the engine what it is', address.url, error);
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

// Loaded when an engine is needed: it takes longer to load than everything else of lurkbox together.
async function dial(address: EngineAddress, version?: string): Promise<Docker> {
  const { default: DockerClient } = await import('dockerode');
  const at =
    'socketPath' in address
      ? { socketPath: address.socketPath }
      : { host: address.host, port: address.port, protocol: address.protocol };
  return readStrictly(
    new DockerClient({ ...at, ...(version === undefined ? {} : { version: `v${version}` }) }),
  );
}
