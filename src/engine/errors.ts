import { LurkboxError, type LurkboxErrorCode } from '../errors.ts';

interface EngineReply extends Error {
  readonly code?: string;
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

/** What the engine or the connection said → our code and what to do. The first rule that fits wins. */
const RULES: readonly ErrorRule[] = [
  {
    when: is('ENOENT', 'ECONNREFUSED', 'EACCES', 'EPERM', 'ENOTFOUND', 'EHOSTUNREACH', 'ETIMEDOUT'),
    code: 'ENGINE_UNAVAILABLE',
    advice: 'Start the engine, or set DOCKER_HOST to the one to use; `lurkbox doctor` tells more.',
  },
  {
    when: (error) =>
      is('ECONNRESET', 'EPIPE')(error) || says(/socket hang up|aborted|premature close/i)(error),
    code: 'ENGINE_LOST',
    advice: 'The engine restarted or closed the connection; look at its log.',
  },
  {
    when: says(/no such image|image .*not found|does not exist/i, 404),
    code: 'IMAGE_MISSING',
    advice: 'Build it again with `lurkbox image build`.',
  },
  {
    when: says(/no such container|no such network|is not running|not found/i, 404),
    code: 'CONTAINER_VANISHED',
    advice: 'Somebody else removed it.',
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
      /no space left|cannot allocate memory|resource temporarily unavailable|too many open files|address pool|disk quota/i,
    ),
    code: 'HOST_RESOURCES',
    advice: 'Free memory, disk or address space on the host of the engine.',
  },
  {
    when: says(/seccomp|apparmor|cgroup|capabilit|NanoCPUs|memory limit|pids limit/i),
    code: 'ENGINE_INSECURE',
    advice: 'The engine cannot apply a control; `lurkbox doctor` says which.',
  },
];

/** A dependency's error → ours, with what was being done, what the engine said and what to do. */
export function toEngineError(action: string, address: string, error: unknown): LurkboxError {
  if (error instanceof LurkboxError) return error;
  const reply = (error instanceof Error ? error : new Error(String(error))) as EngineReply;
  const rule = RULES.find(({ when }) => when(reply));
  const said = messageOf(reply).trim().slice(0, 500);
  return new LurkboxError(
    rule?.code ?? 'ENGINE_ERROR',
    `Could not ${action}: the engine at ${address} said: ${said}.${rule === undefined ? '' : ` ${rule.advice}`}`,
    { cause: error },
  );
}

function messageOf(error: EngineReply): string {
  return error.json?.message ?? error.message;
}
