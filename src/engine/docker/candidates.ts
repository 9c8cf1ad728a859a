import { resolve } from 'node:path';
import { LurkboxError } from '../../errors.ts';
import { DEFAULT_CONTEXT, dockerConfigFolder, readContext, readCurrentContext, showName } from './config.ts';
import { choosing, type EngineAddress, parseHost, type TlsOptions, toUnixAddress } from './endpoint.ts';
import { readTlsFolder } from './tls.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const DOCKER_TLS_HOST = 'tcp://localhost:2376';
/** By the authorities that Node knows. */
const PUBLIC_TLS: TlsOptions = { rejectUnauthorized: true, folder: null };

/**
 * The addresses to try, in order; more than one only where nobody chose. In the order of Docker's command line
 * (`resolveContextName` of docker/cli): `DOCKER_HOST`, `DOCKER_CONTEXT`, `currentContext` of its settings, the default.
 * @throws LurkboxError `OPTIONS_INVALID` where a choice cannot be read, names nothing or cannot be used
 */
export async function engineCandidates(env: Environment): Promise<readonly EngineAddress[]> {
  const folder = dockerConfigFolder(env);
  if (env['DOCKER_HOST']) return [await fromHost(env['DOCKER_HOST'].trim(), env, reasonOfHost(env))];
  const named = env['DOCKER_CONTEXT'];
  if (named) {
    if (named !== DEFAULT_CONTEXT)
      return [await fromContext(folder, named, `context ${showName(named)}, by \`DOCKER_CONTEXT\``)];
  } else {
    const current = await readCurrentContext(folder);
    if (current !== null && current.name !== DEFAULT_CONTEXT) {
      const why = `context ${showName(current.name)}, \`currentContext\` of ${showName(current.file)}`;
      return [await fromContext(folder, current.name, why)];
    }
  }
  if (asksForTls(env)) {
    const why = `${asksForTls(env)} without \`DOCKER_HOST\`: the default of Docker with TLS`;
    return [await fromHost(DOCKER_TLS_HOST, env, why)];
  }
  return usualSockets(env);
}

function reasonOfHost(env: Environment): string {
  const context = env['DOCKER_CONTEXT'];
  return context
    ? `\`DOCKER_HOST\`, which wins over \`DOCKER_CONTEXT\` (${showName(context)})`
    : '`DOCKER_HOST`';
}

/** That of the system first, as Docker's command line has it; then those that it takes no notice of. */
function usualSockets({ XDG_RUNTIME_DIR: runtimeFolder, HOME: home }: Environment): EngineAddress[] {
  const usual = (path: string, chosenBy: string) => toUnixAddress(path, { chosenBy, isChosen: false });
  return [
    usual('/var/run/docker.sock', 'the default socket of Docker'),
    ...(runtimeFolder ? [usual(`${runtimeFolder}/docker.sock`, 'the usual socket of rootless Docker')] : []),
    ...(home ? ['run', 'desktop'] : []).map((folder) =>
      usual(`${home}/.docker/${folder}/docker.sock`, 'a usual socket of Docker Desktop'),
    ),
  ];
}

async function fromHost(url: string, env: Environment, chosenBy: string): Promise<EngineAddress> {
  const parsed = parseHost(url, '`DOCKER_HOST`');
  if (parsed.kind === 'unix') return toUnixAddress(parsed.socketPath, { chosenBy, isChosen: true });
  const { kind, host, port } = parsed;
  refuseContradiction(kind, env);
  const tls = asksForTls(env) ? await readTlsOf(env) : kind === 'https' ? PUBLIC_TLS : null;
  const how =
    tls?.folder == null
      ? {}
      : {
          DOCKER_CERT_PATH: tls.folder,
          ...(tls.rejectUnauthorized ? { DOCKER_TLS_VERIFY: '1' } : { DOCKER_TLS: '1' }),
        };
  return { url, chosenBy, isChosen: true, env: choosing({ DOCKER_HOST: url, ...how }), host, port, tls };
}

function refuseContradiction(kind: string, env: Environment): void {
  if (kind !== 'http' || !asksForTls(env)) return;
  const message = `${asksForTls(env)} asks for TLS, and \`DOCKER_HOST\` for \`http\` without it. Write \`tcp://\` or \`https://\`.`;
  throw new LurkboxError('OPTIONS_INVALID', message);
}

/** Which variable does, for messages. Whatever they hold is a yes, "0" too. */
function asksForTls(env: Environment): string | null {
  if (env['DOCKER_TLS_VERIFY']) return '`DOCKER_TLS_VERIFY`';
  return env['DOCKER_TLS'] ? '`DOCKER_TLS`' : null;
}

function readTlsOf(env: Environment): Promise<TlsOptions | null> {
  const folder = resolve(env['DOCKER_CERT_PATH'] || dockerConfigFolder(env));
  return readTlsFolder({ folder, rejectUnauthorized: Boolean(env['DOCKER_TLS_VERIFY']), needsCa: true });
}

async function fromContext(folder: string, name: string, chosenBy: string): Promise<EngineAddress> {
  const { file, host: url, skipTlsVerify, tlsFolder } = await readContext(folder, name);
  const parsed = parseHost(url, `\`Host\` in ${showName(file)} (${chosenBy})`);
  if (parsed.kind === 'unix') return toUnixAddress(parsed.socketPath, { chosenBy, isChosen: true });
  const { kind, host, port } = parsed;
  const rejectUnauthorized = !skipTlsVerify;
  const ofFolder = await readTlsFolder({ folder: tlsFolder, rejectUnauthorized, needsCa: false });
  const otherwise = skipTlsVerify || kind === 'https' ? { ...PUBLIC_TLS, rejectUnauthorized } : null;
  const env = choosing({ DOCKER_CONTEXT: name, DOCKER_CONFIG: folder });
  return { url, chosenBy, isChosen: true, env, host, port, tls: ofFolder ?? otherwise };
}
