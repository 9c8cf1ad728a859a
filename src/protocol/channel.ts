// What both ends of the channel know of it: requests go either way, each end has its own ids, and each request gets one response.
// The runner is one of the ends: what is used of the language is taken before any code of a plugin is loaded.

const { Promise: NativePromise } = globalThis;
const { create, hasOwn } = Object;
const { stringify } = JSON;
const addListener = uncurried(EventTarget.prototype.addEventListener);
const removeListener = uncurried(EventTarget.prototype.removeEventListener);

function uncurried<Args extends unknown[]>(
  method: (...args: Args) => void,
): (self: object, ...args: Args) => void {
  return Function.prototype.call.bind(method) as never;
}

/** Requests of a container that wait for their responses. */
export const MAX_OPEN_REQUESTS = 16;
/** Of a request as a record, and of the value that answers it as JSON. */
export const MAX_REQUEST_BYTES = 256 * 1024;
export const MAX_RESPONSE_BYTES = 1024 * 1024;

/** Codes of the host's error responses: those that JSON-RPC has, and from −32010 down its own. */
export const HOST_ERRORS = {
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  /** Nobody calls the container at the time, or its call is answered. */
  notServed: -32010,
  tooManyOpen: -32011,
  /** The request, or the value that answers it. */
  tooLarge: -32012,
  /** The runner does not wait for the response any more. */
  cancelled: -32013,
} as const;

export interface ErrorObject {
  readonly code: number;
  readonly message: string;
}

/** `params` is JSON: an object would ask `toJSON` of whatever prototype it has. */
export function toNotification(method: string, params: string): string {
  return `{"jsonrpc":"2.0","method":"${method}","params":${params}}`;
}

export function toRequest(id: number, method: string, params: string): string {
  return `{"jsonrpc":"2.0","id":${id},"method":${stringify(method)},"params":${params}}`;
}

/** `result` is JSON. */
export function toResponse(id: number, result: string): string {
  return `{"jsonrpc":"2.0","id":${id},"result":${result}}`;
}

/** `null`: the id of the request could not be read. */
export function toErrorResponse(id: number | null, { code, message }: ErrorObject): string {
  return `{"jsonrpc":"2.0","id":${id},"error":{"code":${code},"message":${stringify(message)}}}`;
}

/** The other end did not do what it was asked for; `code` is one of `HOST_ERRORS`, or of the method. */
export class RequestError extends Error {
  readonly code: number;

  constructor({ code, message }: ErrorObject) {
    super(message);
    this.code = code;
  }
}

function notServed(): RequestError {
  return new RequestError({ code: HOST_ERRORS.notServed, message: 'the call that asked is over' });
}

export interface RequestsOptions {
  /** Puts one message on the channel. */
  readonly send: (json: string) => void;
  /** Told when something begins to be waited for, and when nothing is any more. */
  readonly onWaiting: (isWaiting: boolean) => void;
}

interface PendingRequest {
  /** 0 until it is sent. */
  id: number;
  readonly method: string;
  readonly params: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
  isWaitedFor: boolean;
}

export interface Response {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: ErrorObject;
}

/**
 * The requests that one end makes. No more of them are open at once than the other end takes, and the others wait for their turn.
 * Uses no method of a prototype that a plugin can replace.
 */
export class Requests {
  readonly #options: RequestsOptions;
  #open: Record<number, PendingRequest> = create(null);
  #openCount = 0;
  #waiting = 0;
  #queue: PendingRequest[] = [];
  #queueStart = 0;
  #nextId = 1;
  #isOpen = false;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /** A call is under way, in which the other end serves requests. */
  open(): void {
    this.#isOpen = true;
  }

  /** Forgets all of them: whoever would answer does not do so any more. */
  close(): void {
    const open = this.#open;
    const queue = this.#queue;
    const start = this.#queueStart;
    this.#isOpen = false;
    this.#open = create(null);
    this.#openCount = 0;
    this.#queue = [];
    this.#queueStart = 0;
    for (const id in open) if (open[id]?.isWaitedFor) open[id].reject(notServed());
    for (let at = start; at < queue.length; at++) if (queue[at]?.isWaitedFor) queue[at]?.reject(notServed());
  }

  /**
   * Resolves with the result; rejects with a `RequestError`, or with the reason of the signal: then the other end is told that nobody
   * waits any more.
   * @param params as JSON
   */
  request(method: string, params: string, signal?: AbortSignal): Promise<unknown> {
    return new NativePromise((resolve, reject) => {
      if (!this.#isOpen) return reject(notServed());
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = (): void => this.#abandon(request, signal?.reason);
      const request: PendingRequest = {
        id: 0,
        method,
        params,
        isWaitedFor: true,
        resolve: (result) => {
          this.#stopWaiting(request);
          if (signal !== undefined) removeListener(signal, 'abort', onAbort);
          resolve(result);
        },
        reject: (reason) => {
          this.#stopWaiting(request);
          if (signal !== undefined) removeListener(signal, 'abort', onAbort);
          reject(reason);
        },
      };
      if (signal !== undefined) addListener(signal, 'abort', onAbort);
      if (this.#waiting++ === 0) this.#options.onWaiting(true);
      this.#queue[this.#queue.length] = request;
      this.#sendQueued();
    });
  }

  /** One to no request that is open is of one that was forgotten. */
  take(response: Response): void {
    const request = this.#open[response.id];
    if (request === undefined) return;
    this.#close(request);
    if (request.isWaitedFor) {
      if (hasOwn(response, 'error')) request.reject(new RequestError(response.error as ErrorObject));
      else request.resolve(response.result);
    }
    this.#sendQueued();
  }

  #sendQueued(): void {
    while (this.#openCount < MAX_OPEN_REQUESTS && this.#queueStart < this.#queue.length) {
      const request = this.#queue[this.#queueStart] as PendingRequest;
      this.#queueStart++;
      if (request.isWaitedFor) this.#send(request);
    }
    if (this.#queueStart < this.#queue.length) return;
    this.#queue = [];
    this.#queueStart = 0;
  }

  #send(request: PendingRequest): void {
    request.id = this.#nextId++;
    this.#open[request.id] = request;
    this.#openCount++;
    try {
      this.#options.send(toRequest(request.id, request.method, request.params));
    } catch (error) {
      this.#close(request);
      request.reject(error);
    }
  }

  #close({ id }: PendingRequest): void {
    delete this.#open[id];
    this.#openCount--;
  }

  /** It stays open until the other end has answered, so that both count alike. */
  #abandon(request: PendingRequest, reason: unknown): void {
    if (!request.isWaitedFor) return;
    request.reject(reason);
    if (request.id !== 0) this.#options.send(toNotification('cancelRequest', `{"id":${request.id}}`));
  }

  #stopWaiting(request: PendingRequest): void {
    request.isWaitedFor = false;
    if (--this.#waiting === 0) this.#options.onWaiting(false);
  }
}
