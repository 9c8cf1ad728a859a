// The public API. Each line is a decision: what is not here is nobody's business outside.

// The door: a lurkbox of your own.

export type { Logger } from './logger.ts';
export { type ConnectedEngineFacts, createLurkbox, type Lurkbox } from './lurkbox.ts';
export type { LurkboxOptions } from './options.ts';
export { VERSION } from './version.ts';

// One lurkbox for a whole process.

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

// Plugins: what they are, and what happens to them.

export { type LoadedPlugin, loadPlugin as loadPluginFolder } from './manifest/load.ts';
export { type PluginManifest, PluginManifestSchema } from './manifest/schema.ts';
export type { ExecutePluginsOptions } from './versions/former-methods.ts';
export {
  type HotReload,
  HotReloadManager,
  type HotReloadOptions,
} from './versions/hot-reload/hot-reload-manager.ts';
export type { Reloaded, Reloader } from './versions/hot-reload/reloader.ts';
export type { Discovery } from './versions/install/discovery.ts';
export type { LoadOptions } from './versions/install/load-folder.ts';
export type { PackageRefresh } from './versions/install/package-locks.ts';
export type { PluginLoader } from './versions/plugin-loader.ts';
export { PluginManager } from './versions/plugin-manager.ts';
export { type Replay, ReplayError, type ReplayedCall } from './versions/rollout/replay.ts';
export type {
  ActivateOptions,
  ActivateOptions as UseOptions,
  CanaryOptions,
} from './versions/rollout/rollout.ts';
export type { PluginInstance } from './versions/version-grants.ts';

// Calls: what goes in, and what comes out.

export { type FormatOptions, formatPluginResults } from './agent/format-results.ts';
export type { ExecuteOptions } from './calls/call.ts';
export { type ExecutionContextOptions, MAX_CONTEXT_BYTES } from './calls/context.ts';
export { OUTCOMES, type Outcome } from './calls/outcome.ts';
export type { ExecutionError, LogLine, Phases, PluginExecutionResult, Usage } from './calls/result.ts';
export type { LogLevel, PluginExecutionContext } from './protocol/messages.ts';
export type { PluginSandbox } from './sandboxes/plugin-sandbox.ts';

// What is known of plugins, and what happened to them.

export type { AuditProblem, AuditReport } from './audit/chain-check.ts';
export { verifyAuditLog } from './audit/verify.ts';
export { PLUGIN_EVENT_TYPES, type PluginEvent, type PluginEventType } from './events/event.ts';
export type { HistoryFilter, PluginEvents } from './events/plugin-events.ts';
export type { PluginEventFilter, PluginEventHandler } from './events/subscription.ts';
export type { RegistryExport } from './versions/registry/export.ts';
export type {
  Canary,
  Consent,
  InstalledVersion,
  PluginOrigin,
  PluginRecord,
  RecordedCall,
  Statistics,
} from './versions/registry/record.ts';
export type { PluginRegistry } from './versions/registry/registry.ts';
export {
  listRegistryBackups,
  type RegistryBackup,
  type RegistryContent,
  type RestoreOptions,
  restoreRegistry,
} from './versions/registry/restore.ts';
export { PLUGIN_STATES, type PluginState, TRANSITIONS } from './versions/registry/state.ts';
export { AUDIT_FOLDER, STATE_FOLDER } from './versions/state-place.ts';

// What the operator allows, and what a plugin gets of it.

export type { PolicyCheck } from './policy/check-file.ts';
export type { Grant, GrantedMount, Isolation, Origin, Restriction } from './policy/grant.ts';
export { POLICY_FILE } from './policy/load.ts';
export type { PermissionChange } from './policy/permission-changes.ts';
export type { Rating } from './policy/rating.ts';
export { type Policy, PolicySchema } from './policy/schema.ts';
export { checkPolicy } from './workspace-policy.ts';

// Contents and npm packages of plugins.

export {
  type ContentDifferences,
  compareContents,
  describeDifferences,
} from './manifest/content-differences.ts';
export { compareLocks, type LockDifference } from './manifest/lock-differences.ts';
export {
  countPackages as countLockedPackages,
  type LockEntry,
  lockSourceOf,
  type PackageLock,
  parseLock,
} from './manifest/package-lock.ts';

// Workflows: plugins in an order.

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

// The engine, its images, and whether it holds.

export { attackEngine } from './attack/former.ts';
export type { AttackReport } from './attack/reports.ts';
export type { AttackOptions, AttackSummary } from './attack/run.ts';
export type { DockerCreateOptions } from './engine/docker/to-create-options.ts';
export type { EngineFacts } from './engine/engine.ts';
export { REQUIREMENTS as ENGINE_REQUIREMENTS } from './engine/facts.ts';
export type { RuntimeCheck } from './engine/runtimes.ts';
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
export type { Pruned } from './sandboxes/cleanup/prune.ts';

// Errors.

export {
  describeError,
  LurkboxError,
  type LurkboxErrorCode,
  type Problem,
  SYSTEM_ERROR_CODES,
  USER_ERROR_CODES,
} from './errors.ts';

// Exported by 1.0, and of no use outside; until 2.0.

/** @deprecated */
export type { AuditLog } from './audit/audit-log.ts';
/** @deprecated Named `DockerCreateOptions`. */
export type { DockerCreateOptions as CreateOptions } from './engine/docker/to-create-options.ts';
/** @deprecated */
export type { ContainerEngine } from './engine/engine.ts';
/** @deprecated `PluginSandbox` is the type of what executes a plugin. */
export { ContainerSandbox } from './sandboxes/container/container-sandbox.ts';
