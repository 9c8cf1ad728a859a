import * as z from 'zod';
import { LOG_LEVELS } from './messages.ts';

const text = z.string();

const Version = z.literal('2.0');
const RequestId = z.number().int().min(0);

export const ReadySchema = z.object({
  jsonrpc: Version,
  method: z.literal('ready'),
  params: z.object({
    protocol: z.number().int(),
    node: text,
    /** By name, what is bound there: `<device>:<inode>`. */
    mounts: z.record(text, text).optional(),
  }),
});

export const LogSchema = z.object({
  jsonrpc: Version,
  method: z.literal('log'),
  params: z.object({ level: z.enum(LOG_LEVELS), message: text }),
});

export const ProgressSchema = z.object({
  jsonrpc: Version,
  method: z.literal('progress'),
  params: z.object({ fraction: z.number().min(0).max(1), message: text.optional() }),
});

/** What did not cross as it was. */
const WarningSchema = z.object({
  jsonrpc: Version,
  method: z.literal('warning'),
  params: z.object({ path: text, message: text }),
});

/** Nothing of an answered request is under way any more, or it was not waited for longer, or it threw what nobody caught. */
const SettledSchema = z.object({
  jsonrpc: Version,
  method: z.literal('settled'),
  params: z.object({ id: RequestId, cut: z.boolean(), error: text.optional() }),
});

const CancelRequestSchema = z.object({
  jsonrpc: Version,
  method: z.literal('cancelRequest'),
  params: z.object({ id: RequestId }),
});

const RequestSchema = z.object({
  jsonrpc: Version,
  id: RequestId,
  method: text,
  // Not looked into: whoever handles the method knows what it may be.
  params: z
    .unknown()
    .refine((value) => typeof value === 'object' && value !== null)
    .optional(),
});

export const ResultSchema = z.object({
  jsonrpc: Version,
  id: RequestId,
  result: z.unknown().refine((value) => value !== undefined, 'expected a result'),
});

export const ErrorSchema = z.object({
  jsonrpc: Version,
  id: RequestId,
  error: z.object({
    code: z.number().int(),
    message: text,
    data: z
      .object({ name: text.optional(), stack: text.optional(), details: z.unknown().optional() })
      .optional(),
  }),
});

/** What a runner may ask of the host. */
export type RunnerRequest =
  | { kind: 'request'; id: number; method: string; params: unknown }
  /** One that gets an error for an answer, whatever it asks for. */
  | { kind: 'badRequest'; id: number | null; reason: string }
  /** Nobody waits any more for the response to that request. */
  | { kind: 'cancelRequest'; id: number };

/** Everything else a runner may say. Fields that are not known are dropped: the host reads nothing it does not expect. */
export type RunnerMessage =
  | ({ kind: 'ready' } & z.infer<typeof ReadySchema>['params'])
  | ({ kind: 'log' } & z.infer<typeof LogSchema>['params'])
  | ({ kind: 'progress' } & z.infer<typeof ProgressSchema>['params'])
  | ({ kind: 'warning' } & z.infer<typeof WarningSchema>['params'])
  | ({ kind: 'settled' } & z.infer<typeof SettledSchema>['params'])
  | { kind: 'result'; id: number; result: unknown }
  | ({ kind: 'error'; id: number } & z.infer<typeof ErrorSchema>['error']);

const NOTIFICATIONS = {
  ready: ReadySchema,
  log: LogSchema,
  progress: ProgressSchema,
  warning: WarningSchema,
  settled: SettledSchema,
  cancelRequest: CancelRequestSchema,
} as const;

/** One parsed record → the message in it, or what is wrong with it: only then does the container break the protocol. */
export function parseRunnerMessage(
  record: unknown,
): RunnerMessage | RunnerRequest | { kind: 'invalid'; reason: string } {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return invalid('not an object');
  const method: unknown = Reflect.get(record, 'method');
  if (method !== undefined)
    return Object.hasOwn(record, 'id') ? parseRequest(record) : parseNotification(method, record);
  if (Object.hasOwn(record, 'error')) {
    const parsed = ErrorSchema.safeParse(record);
    return parsed.success
      ? { kind: 'error', id: parsed.data.id, ...parsed.data.error }
      : invalid('an error response that is none');
  }
  const parsed = ResultSchema.safeParse(record);
  return parsed.success
    ? { kind: 'result', id: parsed.data.id, result: parsed.data.result }
    : invalid('a response that is none');
}

function parseRequest(record: object): RunnerRequest {
  const parsed = RequestSchema.safeParse(record);
  if (parsed.success) {
    const { id, method, params } = parsed.data;
    return { kind: 'request', id, method, params };
  }
  const id = RequestId.safeParse(Reflect.get(record, 'id'));
  return {
    kind: 'badRequest',
    id: id.success ? id.data : null,
    reason:
      'a request has a version, an id that is a whole number from 0 on, a method that is a text, and as parameters an object or a list',
  };
}

function parseNotification(
  method: unknown,
  record: object,
): RunnerMessage | RunnerRequest | { kind: 'invalid'; reason: string } {
  if (typeof method !== 'string' || !Object.hasOwn(NOTIFICATIONS, method))
    return invalid('a method nobody knows');
  const kind = method as keyof typeof NOTIFICATIONS;
  const parsed = NOTIFICATIONS[kind].safeParse(record);
  return parsed.success
    ? ({ kind, ...parsed.data.params } as RunnerMessage | RunnerRequest)
    : invalid(`a \`${kind}\` notification with wrong parameters`);
}

function invalid(reason: string): { kind: 'invalid'; reason: string } {
  return { kind: 'invalid', reason };
}
