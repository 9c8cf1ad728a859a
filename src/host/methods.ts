/** What a handler knows of the call that it works for. */
export interface HostCall {
  /** Aborted when nobody waits for its answer any more: it ends then. */
  readonly signal: AbortSignal;
}

/**
 * Does what a plugin asks for, and answers a value that JSON can carry. `params` is as the plugin sent it. Throws `RequestError` to tell
 * the plugin why not; of anything else that it throws the plugin learns nothing.
 */
export type HostMethod = (params: unknown, call: HostCall) => unknown;

/** What plugins may ask of the host, by the name of the method. */
export const HOST_METHODS: ReadonlyMap<string, HostMethod> = new Map();
