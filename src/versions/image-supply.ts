import { Admission, type AdmissionOptions } from '../calls/admission/admission.ts';
import { LurkboxError } from '../errors.ts';
import type { InstalledVersion } from './registry/record.ts';

/** After a build that failed; twice as long after each further one of the same version. */
const FIRST_PAUSE_MS = 5_000;
const MAX_PAUSE_MS = 300_000;
const MAX_REMEMBERED = 1_000;

/** Failures that another try soon would not end. */
const LASTING: ReadonlySet<string> = new Set(['DEPENDENCY_FAILED', 'IMAGE_BUILD_FAILED', 'MANIFEST_INVALID']);

interface FailedBuild {
  readonly error: LurkboxError;
  readonly failures: number;
  readonly retryAt: number;
}

type Version = Pick<InstalledVersion, 'id' | 'name'>;

/**
 * Where calls wait for the image of their plugin, before they have a slot: however long a build takes, it holds up nobody who
 * needs none. As many may wait here as may wait for a slot, and plugins share the room in the same way. A build that failed is
 * not tried again by every call.
 */
export class ImageSupply {
  readonly #room: Admission;
  readonly #failed = new Map<number, FailedBuild>();

  constructor({ concurrency, maxQueue }: Pick<AdmissionOptions, 'concurrency' | 'maxQueue'>) {
    // This room has no slots: a call leaves it when its image is there.
    this.#room = new Admission({
      concurrency: 0,
      maxQueue: concurrency + maxQueue,
      memoryBytes: Number.POSITIVE_INFINITY,
      cpuCores: Number.POSITIVE_INFINITY,
    });
  }

  /**
   * What `build` answers, whose signal aborts when the caller leaves.
   * @throws RefusedError when too many wait, a LurkboxError that is remembered, or what `build` throws
   */
  async wait<T>(
    version: Version,
    build: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    this.#assertMayTry(version);
    const over = new AbortController();
    const left = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
    const waiting = this.#room.acquire({ plugin: version.name, memoryBytes: 0, cpuCores: 0, signal: left });
    try {
      const built = await Promise.race([
        build(left),
        waiting.then(() => Promise.reject(new Error('no slot here'))),
      ]);
      this.#failed.delete(version.id);
      return built;
    } catch (error) {
      this.#remember(version, error);
      throw error;
    } finally {
      waiting.catch(() => {});
      over.abort();
    }
  }

  /** Somebody wants it tried again now, or it is gone. */
  forget(id: number): void {
    this.#failed.delete(id);
  }

  #assertMayTry({ id }: Version): void {
    const failed = this.#failed.get(id);
    if (failed === undefined) return;
    const pauseMs = failed.retryAt - performance.now();
    if (pauseMs <= 0) return;
    const { code, message, problems } = failed.error;
    throw new LurkboxError(
      code,
      `${message.endsWith('.') ? message : `${message}.`} The next try is in ${Math.ceil(pauseMs / 1000)} s, or with \`lurkbox image build\`.`,
      { problems, cause: failed.error },
    );
  }

  #remember({ id }: Version, error: unknown): void {
    if (!(error instanceof LurkboxError) || !LASTING.has(error.code)) return;
    const before = this.#failed.get(id);
    // Calls that shared one build end with the same failure.
    if (before !== undefined && before.retryAt > performance.now()) return;
    const failures = (before?.failures ?? 0) + 1;
    const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
    this.#failed.delete(id);
    this.#failed.set(id, { error, failures, retryAt: performance.now() + pauseMs });
    const [oldest] = this.#failed.keys();
    if (this.#failed.size > MAX_REMEMBERED && oldest !== undefined) this.#failed.delete(oldest);
  }
}
