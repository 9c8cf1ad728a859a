import type { ExecuteOptions } from '../calls/call.ts';
import type { ExecutionContextConfig } from '../calls/context.ts';
import type { Ending } from '../calls/ending.ts';
import type { PluginExecutionResult } from '../calls/result.ts';

/** Where one plugin version is executed under one grant, whatever it is made of. */
export interface PluginSandbox {
  /** Always resolves, with exactly one outcome. */
  execute(context: ExecutionContextConfig, options?: ExecuteOptions): Promise<PluginExecutionResult>;
  /** How every call with this context ends before anything is started, because of what the plugin asks for; `null`: not so. */
  refusalOf(context: ExecutionContextConfig): Promise<Ending | null>;
  /**
   * Keeps `size` ready for calls for one minute; 0 cancels. Resolves with how many are ready, when all are or no more can be started.
   * @throws LurkboxError `OPTIONS_INVALID` when they do not fit, with both numbers
   */
  prewarm(size: number): Promise<number>;
  /**
   * Loads the plugin where it serves no call, and answers how that ended; what its manifest wants loaded by a call only is `OK`
   * when it could be started. `null`: it was not tried, because there was no memory for it, or a call needed that.
   */
  tryLoading(signal?: AbortSignal): Promise<Ending | null>;
  /** Resolves when nothing of this sandbox is left. */
  close(): Promise<void>;
}

/** The image of a plugin version, as its sandbox needs it. */
export interface SandboxImage {
  /** Its id if the engine has it. */
  find(): Promise<string | null>;
  /** The same, built if need be. That can take minutes, so it is not called by a call that has a slot. */
  prepare(signal?: AbortSignal): Promise<string>;
  /** What was found when the image was built: of its packages, what will not work in it. */
  notes(): Promise<readonly string[]>;
  /** The same once, for the first result after the build. */
  takeWarnings(): readonly string[];
}
