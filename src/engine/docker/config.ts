import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { LurkboxError } from '../../errors.ts';
import { parseJson } from '../../json/reader.ts';
import { escapeAndCut, quoteValue } from '../../printable.ts';
import { readWrittenFile } from '../../storage/files.ts';
import { PathError } from '../../storage/path-error.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Docker's own has a line for each registry; whatever is larger is something else. */
const MAX_CONFIG_BYTES = 1024 * 1024;
/** The path of a context has a hash in it. */
const MAX_NAME_CHARS = 300;

/** The name of the context that is none: what the environment says, or the usual sockets. */
export const DEFAULT_CONTEXT = 'default';

/** A context that was made by `docker context create`. */
export interface DockerContext {
  /** The file that it is described in. */
  readonly file: string;
  readonly host: string;
  readonly skipTlsVerify: boolean;
  /** Where its `ca.pem`, `cert.pem` and `key.pem` are, those that it has. */
  readonly tlsFolder: string;
}

/** Where Docker's command line keeps its settings. */
export function dockerConfigFolder(env: Environment): string {
  return resolve(env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker'));
}

/** `currentContext`, as `docker context use` writes it; `null` where there is none. @throws LurkboxError `OPTIONS_INVALID` */
export async function readCurrentContext(folder: string): Promise<{ name: string; file: string } | null> {
  const file = join(folder, 'config.json');
  const config = await readObject(file);
  const name = config?.['currentContext'];
  if (name === undefined || name === null || name === '') return null;
  if (typeof name !== 'string')
    throw unreadable(file, `\`currentContext\` is ${quoteValue(name)} and not a name`);
  return { name, file };
}

/** @throws LurkboxError `OPTIONS_INVALID` where there is none of that name, or it says of no engine */
export async function readContext(folder: string, name: string): Promise<DockerContext> {
  // Under a hash of its name, so that no name leads out of the folder.
  const id = createHash('sha256').update(name).digest('hex');
  const file = join(folder, 'contexts/meta', id, 'meta.json');
  const context = await readObject(file);
  if (context === null)
    throw new LurkboxError(
      'OPTIONS_INVALID',
      `There is no context ${showName(name)} in ${showName(join(folder, 'contexts'))}. ` +
        '`docker context ls` shows those that there are, `docker context use` chooses one.',
    );
  const endpoint = toObject(toObject(context['Endpoints'])?.['docker']);
  const host = endpoint?.['Host'];
  if (typeof host !== 'string' || host === '')
    throw unreadable(file, 'it names no `Host` of an engine below `Endpoints.docker`');
  const skipTlsVerify = endpoint?.['SkipTLSVerify'] ?? false;
  if (typeof skipTlsVerify !== 'boolean')
    throw unreadable(file, `\`SkipTLSVerify\` is ${quoteValue(skipTlsVerify)} and neither true nor false`);
  return { file, host, skipTlsVerify, tlsFolder: join(folder, 'contexts/tls', id, 'docker') };
}

/** A name or path that others wrote, for a message. */
export function showName(name: string): string {
  return `\`${escapeAndCut(name, MAX_NAME_CHARS)}\``;
}

/** `null` where there is no such file. */
async function readObject(file: string): Promise<Readonly<Record<string, unknown>> | null> {
  const content = await readSetting(file, MAX_CONFIG_BYTES);
  if (content === null) return null;
  const text = content.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw unreadable(file, `it is no JSON${whereOf(text)}`);
  }
  return toObject(value) ?? fail(unreadable(file, `it holds ${quoteValue(value)} and not an object`));
}

/** `JSON.parse` quotes what stands around the fault, and passwords for registries stand there. */
function whereOf(text: string): string {
  const reading = parseJson(text, { allowsProto: true });
  const fault = reading.ok ? undefined : reading.faults.find(({ reason }) => reason === 'syntax');
  return fault === undefined ? '' : ` (${fault.message})`;
}

/** A file of Docker's settings, `null` where there is none. Links are followed: such files often lie elsewhere. */
export async function readSetting(file: string, maxBytes: number): Promise<Buffer | null> {
  try {
    const content = await readWrittenFile(file, maxBytes);
    return content ?? fail(unreadable(file, `it has more than ${maxBytes} bytes`));
  } catch (error) {
    if (!(error instanceof PathError)) throw error;
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw unreadable(file, error.message);
  }
}

function toObject(value: unknown): Readonly<Record<string, unknown>> | null {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : null;
}

function unreadable(file: string, reason: string): LurkboxError {
  return new LurkboxError(
    'OPTIONS_INVALID',
    `Which engine to use cannot be read from ${showName(file)}: ${reason}. ` +
      'Mend or remove that file, or set `DOCKER_HOST` to where the engine listens.',
  );
}

function fail(error: Error): never {
  throw error;
}
