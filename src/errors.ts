import { escapeAndCut } from './printable.ts';

/** One thing that is wrong in something a person wrote: where it is, and what was expected and what came. */
export interface Problem {
  /** Dotted path inside the document, e.g. `resources.memory_mb`; empty for the document itself. */
  readonly path: string;
  readonly message: string;
}

/** Faults that the caller, the plugin's author or the operator can correct. */
export const USER_ERROR_CODES = {
  MANIFEST_INVALID: 'The plugin folder or its `plugin.json` breaks a rule of the manifest.',
  POLICY_INVALID: 'The policy file breaks a rule of the policy.',
  POLICY_DENIED: 'The manifest asks for more than the policy allows.',
  WORKFLOW_INVALID: 'The workflow file breaks a rule of a workflow.',
  CONTEXT_INVALID: 'The context given for an execution is not a usable execution context.',
  OPTIONS_INVALID: 'An option of the library or an argument of the command line is wrong.',
  PLUGIN_NOT_FOUND: 'No plugin of that name or folder exists in the workspace.',
  REGISTRY_INVALID: 'The stored registry of plugins, or an import of one, cannot be used.',
  STATE_INVALID: 'A version of a plugin cannot take that step from the state that it is in.',
  PLUGIN_BROKEN: 'The code of the plugin cannot be loaded.',
  REQUIREMENT_UNMET: 'A plugin that another one requires is missing, does not fit, or would be taken away.',
  CONSENT_NEEDED: 'A version asks for more permissions than somebody agreed to.',
  DEPENDENCY_FAILED: 'An npm dependency that the manifest names could not be installed.',
} as const;

/** Faults of the engine, the host or lurkbox itself. */
export const SYSTEM_ERROR_CODES = {
  ENGINE_UNAVAILABLE: 'No container engine answers, or it is too old or too new to talk to.',
  ENGINE_TIMEOUT: 'The engine did not answer a call within the deadline of that call.',
  ENGINE_LOST: 'The engine failed, or the connection to it broke, in the middle of a call.',
  ENGINE_INSECURE:
    'The engine cannot or did not apply a control that the grant demands; nothing was started.',
  ENGINE_ERROR: 'The engine refused a call for a reason that has no code of its own.',
  RUNTIME_UNAVAILABLE:
    'The OCI runtime is not registered in the engine, or cannot start the container there.',
  IMAGE_MISSING: 'The image of the plugin is not in the engine.',
  IMAGE_BUILD_FAILED: 'The base image or a plugin image could not be assembled.',
  CONTAINER_VANISHED: 'The container was removed by somebody else while it was in use.',
  HOST_RESOURCES: 'The host of the engine has no memory, disk, process or address left.',
  CANCELLED: 'The caller aborted what was going on.',
  INTERNAL: 'A fault in lurkbox itself.',
} as const;

export type LurkboxErrorCode = keyof typeof USER_ERROR_CODES | keyof typeof SYSTEM_ERROR_CODES;

/** Enough to correct a file. */
const MAX_PROBLEMS = 60;
const MAX_PATH_CHARS = 300;
const MAX_PROBLEM_CHARS = 1_000;
const MAX_MESSAGE_CHARS = 4_000;
const MAX_LINES = 60;

/**
 * The one error class of lurkbox: the configuration is wrong, or the engine failed outside an execution.
 * An execution that ends badly is not an error but a `PluginExecutionResult`.
 *
 * Its texts quote strangers: names, keys, paths, what other programs said. They are made harmless and are bounded here, so
 * that no message of an error can begin a line, steer a terminal or be without end.
 */
export class LurkboxError extends Error {
  override readonly name = 'LurkboxError';
  readonly code: LurkboxErrorCode;
  /** Every problem found, not only the first. Empty when the message says it all. */
  readonly problems: readonly Problem[];

  constructor(
    code: LurkboxErrorCode,
    message: string,
    options: {
      problems?: readonly Problem[];
      /** More lines of the message, each with a mark of its own at its beginning. */
      lines?: readonly string[];
      cause?: unknown;
    } = {},
  ) {
    super(toMessage(message, options.lines), 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.problems = escapeProblems(options.problems ?? []);
  }
}

function toMessage(message: string, lines: readonly string[] = []): string {
  const more = lines.slice(0, MAX_LINES).map((line) => escapeAndCut(line, MAX_PROBLEM_CHARS));
  return [escapeAndCut(message, MAX_MESSAGE_CHARS), ...more].join('\n');
}

function escapeProblems(problems: readonly Problem[]): readonly Problem[] {
  const shown = problems.slice(0, MAX_PROBLEMS).map(({ path, message }) => ({
    path: escapeAndCut(path, MAX_PATH_CHARS),
    message: escapeAndCut(message, MAX_PROBLEM_CHARS),
  }));
  const more = problems.length - shown.length;
  return more === 0 ? shown : [...shown, { path: '', message: `and ${more} more problems` }];
}

/** An error with its problems, one a line, as a person reads them. */
export function describeError(error: LurkboxError): string {
  const lines = error.problems.map(
    ({ path, message }) => `  - ${path === '' ? '' : `\`${path}\`: `}${message}`,
  );
  return [error.message, ...lines].join('\n');
}
