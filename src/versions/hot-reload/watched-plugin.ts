import type { Stats } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { LimitFunction } from 'p-limit';
import { LurkboxError } from '../../errors.ts';
import { isBecauseOfChange } from '../../manifest/changed.ts';
import { MANIFEST_FILE } from '../../manifest/load.ts';
import type { Reloaded, Reloader } from './reloader.ts';

/** A plugin that is written to without a pause is reloaded after this many times `debounceMs`. */
const MAX_WAIT_FACTOR = 10;

/** From then on another reload may begin beside it. */
const LONG_RELOAD_MS = 20_000;

/** So often a plugin is tried that changes while it is read, before that counts as a failure. */
const TRIES_WHILE_CHANGING = 5;

/** What became of a plugin folder. */
export interface Consequences {
  reloaded(folder: string, reloaded: Reloaded, reloadMs: number): void;
  failed(folder: string, error: LurkboxError): void;
  removed(folder: string): void;
}

export interface WatchedPluginOptions {
  readonly reloader: Reloader;
  readonly debounceMs: number;
  /** Shared by all plugins: how many are reloaded at once. */
  readonly limit: LimitFunction;
  readonly consequences: Consequences;
  /** Ends what is under way, and lets nothing begin any more. */
  readonly signal: AbortSignal;
  /** Called when it turned out to be no plugin, and nothing would be lost if it were forgotten. */
  readonly forget: () => void;
}

/**
 * One plugin folder, or what may become one. Is told of every change, waits until there is none for a while, and has the
 * plugin reloaded or removed then, by what is there: never twice at once, and once more when it changed meanwhile.
 */
export class WatchedPlugin {
  readonly #folder: string;
  readonly #options: WatchedPluginOptions;
  #firstChangeAt: number | null = null;
  #lastChangeAt = 0;
  #timer: NodeJS.Timeout | undefined;
  /** From when it is due until its turn has come and is over. */
  #isDue = false;
  #underWay: Promise<void> | undefined;
  /** Whether the reloader, or somebody before it, may have heard of it. */
  #isKnown = false;
  #wasRead = false;
  #hasFailed = false;
  #tries = 0;

  constructor(folder: string, options: WatchedPluginOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /** The reloader has heard of it, and not that it is gone. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** It has a manifest: somebody may have loaded it, and wants to hear when it is gone. */
  isThere(): void {
    this.#isKnown = true;
  }

  changed(): void {
    this.#lastChangeAt = performance.now();
    this.#firstChangeAt ??= this.#lastChangeAt;
    this.#arm();
  }

  /** Tries again what could not be reloaded. */
  retry(): void {
    if (this.#hasFailed) this.changed();
  }

  /** For when the signal has aborted: resolves when nothing is under way. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#underWay;
  }

  #arm(): void {
    if (this.#options.signal.aborted || this.#isDue) return;
    this.#timer ??= setTimeout(() => this.#look(), this.#waitMs());
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#waitMs() > 0) {
      this.#arm();
      return;
    }
    this.#isDue = true;
    // A build that hangs does not keep the other plugins from their turns.
    void this.#options.limit(() =>
      Promise.race([this.#takeTurn(), delay(LONG_RELOAD_MS, undefined, { ref: false })]),
    );
  }

  async #takeTurn(): Promise<void> {
    this.#underWay = this.#apply();
    await this.#underWay;
    this.#isDue = false;
    if (this.#firstChangeAt !== null) this.#arm();
    else if (!this.#isKnown) this.#options.forget();
  }

  /** Until there was no change for long enough, or the first one is too long ago. */
  #waitMs(): number {
    const { debounceMs } = this.#options;
    const settledAt = this.#lastChangeAt + debounceMs;
    const latestAt = (this.#firstChangeAt ?? 0) + debounceMs * MAX_WAIT_FACTOR;
    return Math.max(0, Math.min(settledAt, latestAt) - performance.now());
  }

  async #apply(): Promise<void> {
    // It may have changed while others were reloaded.
    if (this.#options.signal.aborted || this.#waitMs() > 0) return;
    // From here on a change is one that what follows may have missed.
    this.#firstChangeAt = null;
    try {
      if (await isPlugin(this.#folder)) await this.#reload();
      else if (this.#isKnown) await this.#remove();
    } catch (error) {
      this.#fail(error);
    }
  }

  async #reload(): Promise<void> {
    const { reloader, consequences, signal } = this.#options;
    this.#isKnown = true;
    const startedAt = performance.now();
    const isFirst = !this.#wasRead;
    this.#wasRead = true;
    const reloaded = await reloader.reload(this.#folder, { signal, isFirst });
    this.#succeed();
    if (reloaded !== null) consequences.reloaded(this.#folder, reloaded, performance.now() - startedAt);
  }

  async #remove(): Promise<void> {
    const { reloader, consequences } = this.#options;
    await reloader.removed(this.#folder);
    this.#isKnown = false;
    this.#succeed();
    consequences.removed(this.#folder);
  }

  #succeed(): void {
    this.#hasFailed = false;
    this.#tries = 0;
  }

  #fail(error: unknown): void {
    const { consequences, signal } = this.#options;
    // The caller stopped it, so there is nothing to report.
    if (signal.aborted) return;
    if (isBecauseOfChange(error) && ++this.#tries < TRIES_WHILE_CHANGING) {
      this.changed();
      return;
    }
    this.#tries = 0;
    this.#hasFailed = true;
    consequences.failed(this.#folder, toLurkboxError(error));
  }
}

/** A link is none: what it leads to is not watched. */
async function isPlugin(folder: string): Promise<boolean> {
  return (
    (await kindOf(folder))?.isDirectory() === true && (await kindOf(join(folder, MANIFEST_FILE))) !== null
  );
}

async function kindOf(path: string): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}

function toLurkboxError(error: unknown): LurkboxError {
  if (error instanceof LurkboxError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new LurkboxError('INTERNAL', `A changed plugin could not be reloaded: ${message}`, { cause: error });
}
