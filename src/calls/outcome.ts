import type { LurkboxErrorCode } from '../errors.ts';

/** How an execution can end: a closed set, each with what it means and what to do about it. */
export const OUTCOMES = {
  OK: 'The plugin answered with a result.',
  PLUGIN_ERROR: 'The plugin threw, or could not be loaded. Fix the plugin.',
  PLUGIN_CRASHED: 'The process ended abnormally before it answered. Look at the logs of the execution.',
  NO_RESULT:
    'The plugin ended, or had nothing left to wait for, without an answer. Return a value from `execute`.',
  TIMEOUT: 'The plugin did not answer before its deadline. Raise `timeout_seconds`, or do less.',
  CANCELLED: 'The caller aborted the execution.',
  OUT_OF_MEMORY: 'The plugin used more memory than it has. Raise `memory_mb`, or hold less.',
  OUTPUT_LIMIT: 'The plugin answered with more than it may.',
  PROTOCOL_ERROR: 'The container sent something that is not the protocol.',
  INPUT_INVALID: 'The context of the call does not fit what the plugin takes, or is too large.',
  OUTPUT_INVALID: 'The result does not fit the `output_schema` of the plugin.',
  PERMISSION_DENIED:
    'The plugin may not be called like this: from this channel, or with a folder that is not what it was.',
  PLUGIN_NOT_FOUND: 'No plugin of that name is loaded.',
  PLUGIN_DISABLED: 'The plugin is loaded but not enabled.',
  BUSY: 'Too many executions are waiting already. Try again later.',
  IMAGE_MISSING: 'The image of the plugin is not there and could not be built.',
  RUNTIME_UNAVAILABLE:
    'The OCI runtime is not registered in the engine, or cannot start the container there.',
  ENGINE_UNAVAILABLE: 'No engine answers.',
  ENGINE_TIMEOUT: 'The engine did not answer a call in time.',
  ENGINE_LOST: 'The engine went away or failed during the execution; whether the plugin finished is unknown.',
  ENGINE_INSECURE: 'The engine cannot or did not apply a control of the grant; nothing was started.',
  CONTAINER_VANISHED: 'Somebody else removed the container.',
  HOST_RESOURCES: 'The host of the engine has no memory, disk, process or address left.',
  INTERNAL: 'A fault in lurkbox itself.',
} as const;

export type Outcome = keyof typeof OUTCOMES;

/** Who is at fault for an outcome. `engine` includes its host and images; `caller` is the program and the person that called. */
export const FAULT_OF: Readonly<Record<Outcome, 'nobody' | 'plugin' | 'caller' | 'engine' | 'lurkbox'>> = {
  OK: 'nobody',
  PLUGIN_ERROR: 'plugin',
  PLUGIN_CRASHED: 'plugin',
  NO_RESULT: 'plugin',
  TIMEOUT: 'plugin',
  CANCELLED: 'caller',
  OUT_OF_MEMORY: 'plugin',
  OUTPUT_LIMIT: 'plugin',
  PROTOCOL_ERROR: 'plugin',
  INPUT_INVALID: 'caller',
  OUTPUT_INVALID: 'plugin',
  PERMISSION_DENIED: 'caller',
  PLUGIN_NOT_FOUND: 'caller',
  PLUGIN_DISABLED: 'caller',
  BUSY: 'caller',
  IMAGE_MISSING: 'engine',
  RUNTIME_UNAVAILABLE: 'engine',
  ENGINE_UNAVAILABLE: 'engine',
  ENGINE_TIMEOUT: 'engine',
  ENGINE_LOST: 'engine',
  ENGINE_INSECURE: 'engine',
  CONTAINER_VANISHED: 'engine',
  HOST_RESOURCES: 'engine',
  INTERNAL: 'lurkbox',
};

const FROM_ERROR: Readonly<Record<LurkboxErrorCode, Outcome>> = {
  MANIFEST_INVALID: 'IMAGE_MISSING',
  POLICY_INVALID: 'PERMISSION_DENIED',
  POLICY_DENIED: 'PERMISSION_DENIED',
  WORKFLOW_INVALID: 'INTERNAL',
  CANCELLED: 'CANCELLED',
  CONTEXT_INVALID: 'INPUT_INVALID',
  OPTIONS_INVALID: 'INTERNAL',
  PLUGIN_NOT_FOUND: 'PLUGIN_NOT_FOUND',
  PLUGIN_BROKEN: 'PLUGIN_ERROR',
  REQUIREMENT_UNMET: 'PLUGIN_DISABLED',
  CONSENT_NEEDED: 'PERMISSION_DENIED',
  REGISTRY_INVALID: 'INTERNAL',
  STATE_INVALID: 'INTERNAL',
  DEPENDENCY_FAILED: 'IMAGE_MISSING',
  ENGINE_UNAVAILABLE: 'ENGINE_UNAVAILABLE',
  ENGINE_TIMEOUT: 'ENGINE_TIMEOUT',
  ENGINE_LOST: 'ENGINE_LOST',
  ENGINE_INSECURE: 'ENGINE_INSECURE',
  ENGINE_ERROR: 'INTERNAL',
  RUNTIME_UNAVAILABLE: 'RUNTIME_UNAVAILABLE',
  IMAGE_MISSING: 'IMAGE_MISSING',
  IMAGE_BUILD_FAILED: 'IMAGE_MISSING',
  CONTAINER_VANISHED: 'CONTAINER_VANISHED',
  HOST_RESOURCES: 'HOST_RESOURCES',
  INTERNAL: 'INTERNAL',
};

/** The outcome of an execution that an error of the engine or of the preparation ended. */
export function toOutcome(code: LurkboxErrorCode): Outcome {
  return FROM_ERROR[code];
}
