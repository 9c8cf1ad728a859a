export { type FormatOptions, formatPluginResults } from './agent/format-results.ts';
export type { AttackReport } from './attack/reports.ts';
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
export type { AuditLog } from './events/audit-log.ts';
export type { AuditProblem, AuditReport } from './events/audit-report.ts';
export { verifyAuditLog } from './events/audit-verify.ts';
export { PLUGIN_EVENT_TYPES, type PluginEvent, type PluginEventType } from './events/event.ts';
export type { HistoryFilter, PluginEvents } from './events/plugin-events.ts';
export type { PluginEventFilter, PluginEventHandler } from './events/subscription.ts';
export { ContainerSandbox, type ExecuteOptions, type PluginSandbox } from './execution/container-sandbox.ts';
export { type ExecutionContextOptions, MAX_CONTEXT_BYTES } from './execution/context.ts';
export { OUTCOMES, type Outcome } from './execution/outcome.ts';
export type { Pruned } from './execution/prune.ts';
export type { ExecutionError, LogLine, Phases, PluginExecutionResult, Usage } from './execution/result.ts';
export type {
  ImageProgress,
  ImageStore,
  PreparedImage,
  PrunedImage,
  PruneOptions,
  PrunePlan,
  PruneResult,
  StoredImage,
} from './image/image-store.ts';
export type { Discovery } from './lifecycle/discovery.ts';
export { type HotReload, HotReloadManager, type HotReloadOptions } from './lifecycle/hot-reload.ts';
export type { PluginLoader } from './lifecycle/plugin-loader.ts';
export {
  type LoadOptions,
  type PackageRefresh,
  PluginManager,
  type UseOptions,
} from './lifecycle/plugin-manager.ts';
export type { Reloaded, Reloader } from './lifecycle/reloader.ts';
export { type Replay, ReplayError, type ReplayedCall } from './lifecycle/replay.ts';
export type { PluginInstance } from './lifecycle/sandbox-cache.ts';
export type { Logger } from './logger.ts';
export { type ConnectedEngineFacts, createLurkbox, type Lurkbox } from './lurkbox.ts';
export {
  type ContentDifferences,
  compareContents,
  describeDifferences,
} from './manifest/content-differences.ts';
export { type LoadedPlugin, loadPlugin as loadPluginFolder } from './manifest/load.ts';
export { compareLocks, type LockDifference } from './manifest/lock-differences.ts';
export {
  countPackages as countLockedPackages,
  type LockEntry,
  lockSourceOf,
  type PackageLock,
  parseLock,
} from './manifest/package-lock.ts';
export { type PluginManifest, PluginManifestSchema } from './manifest/schema.ts';
export type { LurkboxOptions } from './options.ts';
export type { Grant, GrantedMount, Isolation, Origin, Restriction } from './policy/grant.ts';
export { POLICY_FILE } from './policy/load.ts';
export type { PermissionChange } from './policy/permission-changes.ts';
export type { Rating } from './policy/rating.ts';
export { type Policy, PolicySchema } from './policy/schema.ts';
export {
  closeLurkbox,
  getHotReloadManager,
  getLurkbox,
  getPluginEvents,
  getPluginLoader,
  getPluginManager,
  getPluginRegistry,
  openLurkbox,
} from './process-wide.ts';
export type { LogLevel, PluginExecutionContext } from './protocol/messages.ts';
export type { RegistryExport } from './registry/export.ts';
export type {
  Canary,
  Consent,
  InstalledVersion,
  PluginOrigin,
  PluginRecord,
  RecordedCall,
  Statistics,
} from './registry/record.ts';
export type { PluginRegistry } from './registry/registry.ts';
export { PLUGIN_STATES, type PluginState, TRANSITIONS } from './registry/state.ts';
export { AUDIT_FOLDER, STATE_FOLDER } from './state-place.ts';
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
