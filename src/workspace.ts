import { AuditLog } from './audit/audit-log.ts';
import { PluginEvents } from './events/plugin-events.ts';
import { sha256Of } from './manifest/digest.ts';
import type { LurkboxConfig } from './options.ts';
import type { Policy } from './policy/schema.ts';
import { VERSION } from './version.ts';
import type { PluginFiles } from './versions/install/plugin-files.ts';
import { LifecycleRecorder } from './versions/lifecycle-recorder.ts';
import { PluginRegistry } from './versions/registry/registry.ts';
import { openStatePlace, type StatePlace } from './versions/state-place.ts';
import { readPolicy } from './workspace-policy.ts';

/** What a workspace says and keeps: its policy, and what is known of its plugins. */
export interface Workspace {
  readonly policy: Policy;
  readonly place: StatePlace;
  readonly registry: PluginRegistry;
  readonly files: PluginFiles;
  readonly events: PluginEvents;
  readonly recorder: LifecycleRecorder;
  close(): Promise<void>;
}

/**
 * Reads the policy, and opens what is kept; in memory, where nothing is to be.
 * @throws LurkboxError `POLICY_INVALID` or `REGISTRY_INVALID`
 */
export async function openWorkspace(config: LurkboxConfig): Promise<Workspace> {
  const policy = await readPolicy(config);
  const place = await openStatePlace(config);
  try {
    return await openStores(config, place, policy);
  } catch (error) {
    await place[Symbol.asyncDispose]();
    throw error;
  }
}

async function openStores(
  { workspaceRoot, logger }: LurkboxConfig,
  place: StatePlace,
  policy: Policy,
): Promise<Workspace> {
  const { storeFolder, auditFolder, files, isKept, notice } = place;
  const registry = await PluginRegistry.open({
    stateFolder: storeFolder,
    workspaceRoot,
    isKept,
    notice,
    logger,
  });
  // Where nothing is known, files tell of records that somebody took away.
  const wasMended = registry.repairs.length > 0 || registry.list().length === 0;
  const orphans = registry.transaction(() => {
    const known = registry.list().flatMap(({ versions }) => versions.map(({ folder }) => folder));
    return files.sweep(new Set(known), { keep: wasMended });
  });
  const what = wasMended ? 'put files aside whose records were lost' : 'removed what a killed process left';
  if (orphans.length > 0) logger.warn({ orphans }, what);
  const events = new PluginEvents({ logger });
  const audit = auditFolder === null ? null : await AuditLog.open({ folder: auditFolder, logger });
  const policyHash = sha256Of(Buffer.from(JSON.stringify(policy)));
  audit?.append({ kind: 'opened', lurkbox: VERSION, pid: process.pid, policyHash });
  const recorder = new LifecycleRecorder({
    onEvent: (event) => {
      events.emit(event);
      registry.appendEvent(event);
    },
    onAudit: (entry) => audit?.append(entry),
  });
  const close = async (): Promise<void> => {
    events.close();
    audit?.close();
    await registry.close();
    await place[Symbol.asyncDispose]();
  };
  return { policy, place, registry, files, events, recorder, close };
}
