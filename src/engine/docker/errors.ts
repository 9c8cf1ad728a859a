import { LurkboxError, type LurkboxErrorCode } from '../../errors.ts';
import { escapeControls } from '../../printable.ts';
import { NOT_AN_ENGINE } from './answers.ts';
import { tlsReason } from './tls.ts';

interface EngineReply extends Error {
  readonly code?: string;
  readonly syscall?: string;
  readonly statusCode?: number;
  readonly reason?: string;
  readonly json?: { readonly message?: string };
}

interface ErrorRule {
  readonly when: (error: EngineReply) => boolean;
  readonly code: LurkboxErrorCode;
  readonly advice: string;
}

const says =
  (pattern: RegExp, status?: number) =>
  (error: EngineReply): boolean =>
    (status === undefined || error.statusCode === status) && pattern.test(messageOf(error));

const is =
  (...codes: string[]) =>
  (error: EngineReply): boolean =>
    error.code !== undefined && codes.includes(error.code);

const UNREACHABLE = ['ENOENT', 'ECONNREFUSED', 'EACCES', 'EPERM', 'ENOTFOUND', 'EHOSTUNREACH', 'ETIMEDOUT'];

const HOST_IS_FULL =
  /no space left|cannot allocate memory|resource temporarily unavailable|too many open files|address pool|no available IPv4 addresses|exchange full|no buffer space|disk quota/i;

export function tellsHostIsFull(text: string): boolean {
  return HOST_IS_FULL.test(text);
}

/** What the engine or the connection said → our code and what to do. The first rule that fits wins. */
const RULES: readonly ErrorRule[] = [
  {
    when: is('EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'),
    code: 'HOST_RESOURCES',
    advice:
      'This process or its host has no file, socket or memory left; raise the limit (`ulimit -n`) or do less at once.',
  },
  {
    when: (error) =>
      error.syscall === 'connect' || error.syscall === 'getaddrinfo' || is(...UNREACHABLE)(error),
    code: 'ENGINE_UNAVAILABLE',
    advice: 'Start the engine, or set DOCKER_HOST to the one to use; `lurkbox doctor` tells more.',
  },
  {
    when: (error) => tlsReason(error) !== null,
    code: 'ENGINE_UNAVAILABLE',
    advice: 'TLS with the engine failed: look at its certificate and at those of this client.',
  },
  {
    when: (error) =>
      is('ECONNRESET', 'EPIPE')(error) || says(/socket hang up|aborted|premature close/i)(error),
    code: 'ENGINE_LOST',
    advice: 'The engine restarted or closed the connection; look at its log.',
  },
  {
    when: (error) => is(NOT_AN_ENGINE)(error) || error.code?.startsWith('HPE_') === true,
    code: 'ENGINE_LOST',
    advice: 'No Docker engine answers like this; look at what listens there or stands before it.',
  },
  {
    when: says(/client version .* is too (old|new)|maximum supported api version/i, 400),
    code: 'ENGINE_UNAVAILABLE',
    advice: 'Another engine listens there now; try again.',
  },
  {
    when: (error) => [401, 403, 407].includes(error.statusCode ?? 0),
    code: 'ENGINE_UNAVAILABLE',
    advice: 'What guards the engine does not let this call through; allow it there.',
  },
  {
    when: says(/no such image|image .*not found|does not exist/i, 404),
    code: 'IMAGE_MISSING',
    advice: 'Build it again with `lurkbox image build`.',
  },
  {
    when: says(/no such container|no such network|is not running|not found/i, 404),
    code: 'CONTAINER_VANISHED',
    advice: 'Somebody else removed it. Leave what carries the label `lurkbox.kind` alone.',
  },
  {
    when: says(
      /unknown or invalid runtime|unknown runtime specified|runtime .* (is )?not found|no such file or directory: unknown.*runtime/i,
    ),
    code: 'RUNTIME_UNAVAILABLE',
    advice: 'Register the runtime in the engine, or take `runtime` out of the policy.',
  },
  {
    when: says(
      /fork\/exec \S+: (no such file|permission denied|exec format)|failed to (start shim|resolve runtime)|binary not installed/i,
    ),
    code: 'RUNTIME_UNAVAILABLE',
    advice:
      'The program of the runtime is not where the engine was told; install it there, or register it anew.',
  },
  {
    when: (error) => tellsHostIsFull(messageOf(error)),
    code: 'HOST_RESOURCES',
    advice: 'Free memory, disk or address space on the host of the engine.',
  },
  {
    when: says(/seccomp|apparmor|cgroup|capabilit|NanoCPUs|memory limit|pids limit/i),
    code: 'ENGINE_INSECURE',
    advice: 'The engine cannot apply a control; `lurkbox doctor` says which.',
  },
  {
    when: says(/OCI runtime \w+ failed|failed to create (shim )?task|failed to create task for container/i),
    code: 'RUNTIME_UNAVAILABLE',
    advice:
      'The runtime cannot start this container on that host; its log and that of the engine may tell more.',
  },
  {
    // Anything but a refusal of what was asked.
    when: ({ statusCode = 400 }) => statusCode < 400 || statusCode >= 500,
    code: 'ENGINE_LOST',
    advice: 'Whether it did what it was asked is unknown; look at its log.',
  },
];

/** Nothing was asked of the engine before this. */
const FIRST_ACTION = 'ask the engine what it is';

/** A dependency's error → ours, with what was being done, what the engine said and what to do. */
export function toEngineError(action: string, address: string, error: unknown): LurkboxError {
  if (error instanceof LurkboxError) return error;
  const reply = (error instanceof Error ? error : new Error(String(error))) as EngineReply;
  const { code, advice } = RULES.find(({ when }) => when(reply)) ?? OTHERWISE;
  const said = quote(messageOf(reply));
  return new LurkboxError(
    action === FIRST_ACTION && isVague(code) ? 'ENGINE_UNAVAILABLE' : code,
    `Could not ${action}: the engine at ${address} said: ${said}. ${advice}`,
    { cause: error },
  );
}

const MAX_SAID_CHARS = 500;

/** Words of an engine as they stand in a message: cut, on one line and unable to steer a terminal. */
export function quote(said: string): string {
  return escapeControls(said.trim().slice(0, MAX_SAID_CHARS));
}

const OTHERWISE = { code: 'ENGINE_ERROR', advice: 'Its log may tell more.' } as const;

function isVague(code: LurkboxErrorCode): boolean {
  return code === 'ENGINE_LOST' || code === 'ENGINE_ERROR';
}

/** Without what docker-modem writes before the words of the engine. */
function messageOf(error: EngineReply): string {
  return error.json?.message ?? error.message.replace(/^\(HTTP code \d+\) .*? - /, '');
}
