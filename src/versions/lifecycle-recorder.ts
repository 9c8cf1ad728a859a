import { createHash } from 'node:crypto';
import type { AuditEntry } from '../audit/record.ts';
import type { PluginExecutionResult } from '../calls/result.ts';
import { type PluginEvent, type PluginEventType, toPluginEvent } from '../events/event.ts';
import type { Grant } from '../policy/grant.ts';
import type { Decision } from '../policy/resolve.ts';
import type { LostAfterAnswer } from '../sandboxes/container/after-answer.ts';

/** What an event is about. */
export interface Subject {
  readonly name: string;
  readonly version?: string | undefined;
  readonly digest?: string | undefined;
}

export interface EventDetails {
  readonly message?: string | undefined;
  /** What went wrong; given, the event is no success. */
  readonly error?: string | undefined;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export interface LifecycleRecorderOptions {
  /** Who hears of each event; none of them may throw or wait. */
  readonly onEvent: (event: PluginEvent) => void;
  readonly onAudit: (entry: AuditEntry) => void;
  readonly now?: () => Date;
}

/** Where the lifecycle writes down what it did. Nothing in the flow reads it. */
export class LifecycleRecorder {
  readonly #options: LifecycleRecorderOptions;
  readonly #now: () => Date;
  readonly #grantHashes = new WeakMap<Grant, string>();

  constructor(options: LifecycleRecorderOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => new Date());
  }

  tell(
    eventType: PluginEventType,
    { name: pluginName, version, digest }: Subject,
    details: EventDetails = {},
  ): void {
    const event = toPluginEvent({ eventType, pluginName, version, digest, ...details }, this.#now);
    this.#options.onEvent(event);
    // What an execution was has a record of its own, and what was cut is a part of one.
    if (eventType !== 'EXECUTE' && eventType !== 'CUT') this.#options.onAudit({ kind: 'event', event });
  }

  decided(
    { name: plugin, version, digest }: { name: string; version: string; digest: string },
    decisions: readonly Decision[],
  ): void {
    for (const { rule, denials } of decisions) {
      const common = { kind: 'decision' as const, plugin, version, digest, executionId: null, rule };
      if (denials.length === 0)
        this.#options.onAudit({ ...common, allowed: true, path: null, message: null });
      for (const { path, message } of denials)
        this.#options.onAudit({ ...common, allowed: false, path, message });
    }
  }

  executed(result: PluginExecutionResult, grant: Grant | null): void {
    const { executionId, plugin, version, digest, outcome, executionTimeMs, error } = result;
    const known = { executionId, plugin, version, digest };
    this.#options.onAudit({
      kind: 'execution',
      ...known,
      outcome,
      grantHash: grant === null ? null : this.#hashOf(grant),
      executionTimeMs,
    });
    if (outcome === 'PERMISSION_DENIED')
      this.#options.onAudit({
        kind: 'decision',
        ...known,
        rule: 'call',
        allowed: false,
        path: null,
        message: error?.message ?? null,
      });
    const subject = { name: plugin, version: version ?? undefined, digest: digest ?? undefined };
    const details = { error: error?.message, metadata: { executionId, outcome, executionTimeMs } };
    this.tell('EXECUTE', subject, details);
  }

  /** What a plugin did after its answer. */
  lost(
    subject: Subject,
    executionId: string,
    { wasCut, graceMs, hasEnded, hasPrinted, error }: LostAfterAnswer,
  ): void {
    const what = [
      ...(wasCut ? [`work that was still under way ${graceMs} ms after the answer was not waited for`] : []),
      ...(hasEnded ? ['the plugin ended by itself after its answer, with what it had under way'] : []),
      ...(hasPrinted ? ['what it printed after its answer, up to now, is in no log'] : []),
    ].join('; ');
    const message = `${what[0]?.toUpperCase()}${what.slice(1)}. Wait in \`execute\` for all that belongs to the call, and clear its timers.`;
    this.tell('CUT', subject, { message, error: error ?? undefined, metadata: { executionId, graceMs } });
  }

  #hashOf(grant: Grant): string {
    let hash = this.#grantHashes.get(grant);
    if (hash === undefined) {
      hash = createHash('sha256').update(JSON.stringify(grant)).digest('hex');
      this.#grantHashes.set(grant, hash);
    }
    return hash;
  }
}
