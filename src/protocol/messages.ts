/**
 * Protocol version 1: JSON-RPC 2.0 messages in JSON text sequences (RFC 7464) over stdin and stdout. The runner sends
 * `ready` once. Then the host sends requests, one at a time: `load` at most once, before it has a context, and `execute`,
 * more than once only where the policy lets a container be kept. Each gets notifications, then exactly one response.
 */
export const PROTOCOL_VERSION = 1;

/** The id of the request `load`. */
export const LOAD_ID = 0;
/** The id of the first request `execute`; each further one of the same container has the next. */
export const EXECUTE_ID = 1;

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * The runner ends with it when the host hangs up. A host that did not hang up learns by it that the connection broke;
 * a plugin that ends with it by itself only lies about itself.
 */
export const HUNG_UP_EXIT_CODE = 85;

/**
 * Where an image has its plugin's TypeScript files without their types, as a JSON object from `file:` URL to source. It is
 * not there when nothing was stripped.
 */
export const STRIPPED_FILE = '/lurkbox/stripped.json';

/** Where folders of the host are bound, each under its name in the policy. */
export const MOUNTS_FOLDER = '/mnt';

/** Where plugins are in the container, and what their working directory is. */
export const PLUGIN_FOLDER = '/plugin';

/** Lists and objects in each other that a result may have: it is a tree of data, and deeper ones are hard on whoever walks them. */
export const MAX_RESULT_DEPTH = 64;
/** Values of every kind in a result. Each takes some hundred bytes of memory on the other side, whatever it took on the wire. */
export const MAX_RESULT_VALUES = 100_000;
/** Of a key in a result, as JSON: the host reads a key in one step. */
export const MAX_RESULT_KEY_BYTES = 16 * 1024;

/** The notification that the runner writes on stderr where the output of an execution ends, before its response. */
export function toOutputEnd(id: number): string {
  return `{"jsonrpc":"2.0","method":"outputEnd","params":{"id":${id}}}`;
}

/** Milliseconds that work which is still under way has after the answer. */
export const GRACE_MS = 200;

/** What a plugin is given, complete. Field names are those of the plugin system that this one rebuilds. */
export interface PluginExecutionContext {
  readonly executionId: string;
  readonly userId: string | null;
  readonly channelId: string | null;
  readonly sessionId: string | null;
  readonly inputData: unknown;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Plain values for the plugin; never the environment of a process, except that its clock shows the time zone `TZ`. */
  readonly environment: Readonly<Record<string, unknown>>;
  readonly config: Readonly<Record<string, unknown>>;
}

export interface LoadParams {
  /** Path of the plugin's entry point inside the container. */
  readonly entryPoint: string;
}

export interface ExecuteParams extends LoadParams {
  /** What the result may have as JSON. */
  readonly maxResultBytes: number;
  readonly context: PluginExecutionContext;
}

/** Codes that the runner puts into an error response; from −32000 down, where JSON-RPC leaves room for applications. */
export const RUNNER_ERRORS = {
  /** The plugin's `execute` threw, or its promise was rejected. */
  pluginFailed: -32001,
  /** The plugin has no `execute`, or it could not be loaded. */
  notLoadable: -32002,
  /** Nothing is left to wait for, and the plugin's promise is still pending. */
  noResult: -32003,
  /** The result is none that JSON can carry. */
  notSerializable: -32004,
  /** Something threw that nobody called, or a promise was rejected that nobody waits for. */
  uncaught: -32005,
  /** The result is deeper, longer or larger than it may be. */
  overLimit: -32006,
} as const;
