import { toPluginPolicy } from '../../policy/plugin-policy.ts';
import type { Policy } from '../../policy/schema.ts';
import type { Activation } from '../activate.ts';
import type { LifecycleRecorder } from '../lifecycle-recorder.ts';
import type { InstalledVersion } from '../registry/record.ts';
import type { PluginRegistry } from '../registry/registry.ts';
import { callableBefores } from '../resolve.ts';
import { countCanaryCall, describe, Health, judgeCanary, shareOf } from './canary.ts';
import { type CallOutcome, type Evidence, judgeCall, type Probe } from './evidence.ts';

export interface RolloutMonitorOptions {
  readonly registry: PluginRegistry;
  readonly activation: Activation;
  readonly policy: Policy;
  readonly recorder: LifecycleRecorder;
  readonly probe: Probe;
}

/** Looks at what the outcomes of calls say about versions: ends canaries, and goes back from a version that fails too often. */
export class RolloutMonitor {
  readonly #options: RolloutMonitorOptions;
  /** Of active versions, by the name of their plugin; of this process. */
  readonly #health = new Map<string, { readonly id: number; readonly health: Health }>();

  constructor(options: RolloutMonitorOptions) {
    this.#options = options;
  }

  async note(version: InstalledVersion, call: CallOutcome): Promise<void> {
    const { registry, policy, probe } = this.#options;
    const record = registry.get(version.name);
    if (record === null) return;
    const isTried = record.canary?.versionId === version.id;
    const isActive = record.active?.id === version.id;
    const isWatched = toPluginPolicy(policy, version.name).rollback !== null;
    if (!(isTried || (isActive && (isWatched || record.canary !== null)))) return;
    const befores = isTried && record.active !== null ? [record.active] : callableBefores(record);
    const failed = await judgeCall(version, call, befores, probe);
    if (record.canary !== null) this.#noteCanary(version, failed);
    if (isActive && isWatched && registry.get(version.name)?.active?.id === version.id)
      this.#noteHealth(version, failed);
  }

  /** The tallies are in the registry: other processes execute the plugin as well. */
  #noteCanary({ id, name }: InstalledVersion, failed: Evidence): void {
    const { registry, activation, recorder } = this.#options;
    const ended = registry.transaction(() => {
      const { canary = null, active = null, versions = [] } = registry.get(name) ?? {};
      // A version that is neither active nor a canary was called by its number, which shows nothing.
      if (canary === null || (id !== canary.versionId && id !== active?.id)) return null;
      // What is active by now is no canary any more.
      if (canary.versionId === active?.id) {
        registry.setCanary(name, null);
        return null;
      }
      const counted = countCanaryCall(canary, id, failed);
      // The call says nothing about the version, and nothing has to be written down.
      if (counted === canary) return null;
      const verdict = judgeCanary(counted);
      const isOver = verdict.kind !== 'undecided';
      registry.setCanary(name, isOver ? null : counted);
      const tried = versions.find((version) => version.id === canary.versionId);
      return isOver && tried !== undefined ? { verdict, tried } : null;
    });
    if (ended === null) return;
    const { verdict, tried } = ended;
    if (verdict.kind === 'better') {
      activation.activate(tried, 'ACTIVATE', `its canary went well: ${verdict.message}`);
      return;
    }
    if (verdict.kind === 'unknown') {
      recorder.tell('ERROR', tried, { error: `its canary ended without a verdict: ${verdict.message}` });
      return;
    }
    const reason = `its canary did not go well: ${verdict.message}`;
    registry.setState(tried.id, 'fail', reason);
    recorder.tell('ERROR', tried, { error: reason });
  }

  #noteHealth(version: InstalledVersion, failed: Evidence): void {
    const { registry, activation, policy, recorder } = this.#options;
    const { rollback } = toPluginPolicy(policy, version.name);
    if (rollback === null) return;
    const known = this.#health.get(version.name);
    const health = known?.id === version.id ? known.health : new Health(rollback.calls);
    this.#health.set(version.name, { id: version.id, health });
    const tally = health.note(failed);
    if (tally === null || shareOf(tally) < rollback.failureShare) return;
    this.#health.delete(version.name);
    const reason = `${describe(tally)} failed`;
    try {
      activation.rollback(version.name, reason);
      registry.setState(version.id, 'fail', reason);
      recorder.tell('ERROR', version, { error: reason });
    } catch (error) {
      const { message } = error as Error;
      recorder.tell('ERROR', version, { error: `${reason}, and there is nothing to go back to: ${message}` });
    }
  }
}
