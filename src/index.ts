export { type FormatOptions, formatPluginResults } from './agent/format-results.ts';
export type { AttackReport } from './attack/ledger.ts';
export { type AttackOptions, type AttackSummary, attackEngine } from './attack/run.ts';
export type { ContainerEngine, EngineFacts } from './engine/engine.ts';
export { REQUIREMENTS as ENGINE_REQUIREMENTS } from './engine/facts.ts';
export type { RuntimeCheck } from './engine/runtimes.ts';
export type { CreateOptions } from './engine/to-create-options.ts';
export {
  describeError,
  LurkboxError,
  type LurkboxErrorCode,
  type Problem,
  SYSTEM_ERROR_CODES,
  USER_ERROR_CODES,
} from './errors.ts';
export { ContainerSandbox, type ExecuteOptions, type PluginSandbox } from './execution/container-sandbox.ts';
export { type ExecutionContextOptions, MAX_CONTEXT_BYTES } from './execution/context.ts';
export { OUTCOMES, type Outcome } from './execution/outcome.ts';
export type { Pruned } from './execution/prune.ts';
export type { ExecutionError, LogLine, Phases, PluginExecutionResult, Usage } from './execution/result.ts';
export type {
  ImageProgress,
  ImageStore,
  PreparedImage,
  PruneResult,
  StoredImage,
} from './image/image-store.ts';
export { type HotReload, HotReloadManager, type HotReloadOptions } from './lifecycle/hot-reload.ts';
export type { Discovery, PluginInstance } from './lifecycle/plugin-manager.ts';
export { PluginManager } from './lifecycle/plugin-manager.ts';
export type { Reloaded, Reloader } from './lifecycle/reloader.ts';
export type { Logger } from './logger.ts';
export { createLurkbox, type Lurkbox } from './lurkbox.ts';
export type { LoadedPlugin } from './manifest/load.ts';
export { type PluginManifest, PluginManifestSchema } from './manifest/schema.ts';
export type { LurkboxOptions } from './options.ts';
export type { Grant, GrantedMount, Isolation, Origin, Restriction } from './policy/grant.ts';
export type { Rating } from './policy/rating.ts';
export { type Policy, PolicySchema } from './policy/schema.ts';
export type { LogLevel, PluginExecutionContext } from './protocol/messages.ts';
export { VERSION } from './version.ts';
export { buildGraph as buildWorkflowGraph, type Graph as WorkflowGraph } from './workflow/graph.ts';
export { loadWorkflow, parseWorkflow } from './workflow/load.ts';
export type {
  StepResult,
  StepStatus,
  WorkflowOutcome,
  WorkflowProgress,
  WorkflowResult,
} from './workflow/result.ts';
export { runWorkflow, type WorkflowOptions, type WorkflowPlugins } from './workflow/run.ts';
export { type Workflow, type WorkflowDocument, WorkflowSchema } from './workflow/schema.ts';
