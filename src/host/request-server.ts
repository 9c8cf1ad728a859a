import {
  type ErrorObject,
  HOST_ERRORS,
  MAX_OPEN_REQUESTS,
  MAX_REQUEST_BYTES,
  MAX_RESPONSE_BYTES,
  RequestError,
  toErrorResponse,
  toResponse,
} from '../protocol/channel.ts';
import type { RunnerRequest } from '../protocol/runner-message.ts';
import type { HostMethod } from './methods.ts';

/** Refusals that may wait for a container that does not read them; with more, the container is not read any further. */
const MAX_UNREAD_REFUSALS = 64;

const NOT_SERVED = refusal(
  'notServed',
  'the host serves no request now: nobody waits for an answer of the plugin',
);
const TOO_MANY = refusal('tooManyOpen', `at most ${MAX_OPEN_REQUESTS} requests may be open at once`);
const TOO_LARGE = refusal('tooLarge', `a request has at most ${MAX_REQUEST_BYTES} bytes`);
const RESPONSE_TOO_LARGE = refusal('tooLarge', `the answer has more than ${MAX_RESPONSE_BYTES} bytes`);
const UNKNOWN = refusal('methodNotFound', 'the host has no such method');
const IN_USE = refusal('invalidRequest', 'a request of this id is open already');
const CANCELLED = refusal('cancelled', 'the request was cancelled');
const FAILED = refusal('internal', 'the host failed; its log tells why');

export interface RequestServerOptions {
  readonly methods: ReadonlyMap<string, HostMethod>;
  /** Puts one message on the channel; resolves when it is on its way, or never will be. */
  readonly send: (json: string) => Promise<void>;
  readonly onFailure: (method: string, error: unknown) => void;
}

/** Answers the requests of one container. What is open and what waits to be read by the container is bounded. */
export class RequestServer {
  readonly #options: RequestServerOptions;
  readonly #open = new Map<number, AbortController>();
  readonly #closed = Promise.withResolvers<void>();
  #unreadRefusals = 0;
  #isClosed = false;

  constructor(options: RequestServerOptions) {
    this.#options = options;
  }

  /** From now on no request is answered, and nobody waits for the container to read: an engine cannot end one that is not read. */
  close(): void {
    this.#isClosed = true;
    this.#closed.resolve();
  }

  /**
   * @param signal of the call that the plugin works for, aborted at its end; `null` when there is none
   * @returns what has to be waited for before more of the container is read, if anything
   */
  take(request: RunnerRequest, bytes: number, signal: AbortSignal | null): Promise<void> | undefined {
    if (this.#isClosed) return undefined;
    if (request.kind === 'cancelRequest') {
      this.#open.get(request.id)?.abort();
      return undefined;
    }
    if (request.kind === 'badRequest')
      return this.#refuse(request.id, { code: HOST_ERRORS.invalidRequest, message: request.reason });
    const method = this.#options.methods.get(request.method);
    if (signal === null || signal.aborted) return this.#refuse(request.id, NOT_SERVED);
    if (bytes > MAX_REQUEST_BYTES) return this.#refuse(request.id, TOO_LARGE);
    if (method === undefined) return this.#refuse(request.id, UNKNOWN);
    if (this.#open.has(request.id)) return this.#refuse(request.id, IN_USE);
    if (this.#open.size >= MAX_OPEN_REQUESTS) return this.#refuse(request.id, TOO_MANY);
    void this.#serve(request, method, signal);
    return undefined;
  }

  async #serve(
    { id, method: name, params }: Extract<RunnerRequest, { kind: 'request' }>,
    method: HostMethod,
    callSignal: AbortSignal,
  ): Promise<void> {
    const cancellation = new AbortController();
    const signal = AbortSignal.any([cancellation.signal, callSignal]);
    this.#open.set(id, cancellation);
    const response = await this.#respond(id, name, () => method(params, { signal }), signal);
    // Once the call is over nobody waits for the answer.
    if (!callSignal.aborted) await this.#options.send(response);
    // Not before it is on its way: what a container leaves unread counts as open.
    this.#open.delete(id);
  }

  async #respond(id: number, name: string, handle: () => unknown, signal: AbortSignal): Promise<string> {
    try {
      const result = JSON.stringify((await untilAborted(handle, signal)) ?? null);
      if (Buffer.byteLength(result) > MAX_RESPONSE_BYTES) return toErrorResponse(id, RESPONSE_TOO_LARGE);
      return toResponse(id, result);
    } catch (error) {
      if (signal.aborted) return toErrorResponse(id, CANCELLED);
      if (error instanceof RequestError) return toErrorResponse(id, error);
      this.#options.onFailure(name, error);
      return toErrorResponse(id, FAILED);
    }
  }

  #refuse(id: number | null, error: ErrorObject): Promise<void> | undefined {
    this.#unreadRefusals++;
    const sent = this.#options.send(toErrorResponse(id, error)).then(() => void this.#unreadRefusals--);
    return this.#unreadRefusals > MAX_UNREAD_REFUSALS
      ? Promise.race([sent, this.#closed.promise])
      : undefined;
  }
}

function refusal(code: keyof typeof HOST_ERRORS, message: string): ErrorObject {
  return { code: HOST_ERRORS[code], message };
}

/** Frees the place of a handler that goes on after it was aborted. */
async function untilAborted(handle: () => unknown, signal: AbortSignal): Promise<unknown> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([handle(), aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
