import type { Admission } from '../../calls/admission/admission.ts';
import { sharedCeiling } from '../../calls/admission/reserve.ts';
import { LurkboxError } from '../../errors.ts';
import type { PluginPool } from './plugin-pool.ts';
import { sum } from './sum.ts';

const MIB = 1024 * 1024;

export interface WarmCeilingsOptions {
  readonly admission: Admission;
  /** How many may wait, over all plugins; 0 is none. */
  readonly maxWarm: number;
  /** What the grants of all that wait may come to; never more than the memory that the admission gives out. */
  readonly maxWarmBytes: number;
}

/** How many containers may wait, and whether what somebody asks for fits beside what others have asked for. */
export class WarmCeilings {
  readonly #options: WarmCeilingsOptions;
  readonly #all: ReadonlySet<PluginPool>;

  constructor(options: WarmCeilingsOptions, all: ReadonlySet<PluginPool>) {
    this.#options = options;
    this.#all = all;
  }

  get count(): number {
    return this.#options.maxWarm;
  }

  get bytes(): number {
    return Math.min(this.#options.maxWarmBytes, this.#options.admission.memoryCeilingBytes);
  }

  /** How many of one plugin may wait that nobody has asked for; the rest is for others, where there are any. */
  mostOf({ plugin, memoryBytes }: PluginPool): number {
    if (![...this.#all].some((other) => other.plugin !== plugin)) return Number.POSITIVE_INFINITY;
    const byMemory = sharedCeiling(this.bytes, memoryBytes) / memoryBytes;
    return Math.max(1, Math.floor(Math.min(byMemory, sharedCeiling(this.count, 1))));
  }

  /** @throws LurkboxError `POLICY_INVALID` with both numbers. `replaced` is about to close. */
  assertPolicyFits(pluginPool: PluginPool, size: number, replaced: PluginPool | undefined): void {
    const fault = this.count === 0 ? null : this.#misfit(pluginPool, size, replaced);
    if (fault === null) return;
    throw new LurkboxError(
      'POLICY_INVALID',
      `The containers of \`${pluginPool.plugin}\` that should wait do not fit.`,
      { problems: [{ path: `plugins.${pluginPool.plugin}.warm`, message: fault }] },
    );
  }

  /** @throws LurkboxError `OPTIONS_INVALID` with both numbers */
  assertFits(pluginPool: PluginPool, size: number): void {
    const fault = this.#misfit(pluginPool, size);
    if (fault === null) return;
    throw new LurkboxError(
      'OPTIONS_INVALID',
      `So many containers of \`${pluginPool.plugin}\` cannot wait: ${fault}.`,
    );
  }

  /** What was asked for and has no room, in megabytes, with how many there are; `null`: all of it has. */
  excessMb(): { readonly askedMb: number; readonly mostMb: number } | null {
    const now = performance.now();
    const bytes = sum(this.#all, (pluginPool) => pluginPool.firmSize(now) * pluginPool.memoryBytes);
    if (this.count === 0 || bytes <= this.bytes) return null;
    return { askedMb: Math.ceil(bytes / MIB), mostMb: Math.floor(this.bytes / MIB) };
  }

  /** Why `size` waiting containers do not fit beside those that others ask for; `null`: they do. */
  #misfit(pluginPool: PluginPool, size: number, replaced?: PluginPool): string | null {
    const now = performance.now();
    const others = [...this.#all].filter(
      (other) => other !== pluginPool && other !== replaced && other.firmSize(now) > 0,
    );
    const count = size + sum(others, (other) => other.firmSize(now));
    if (count > this.count)
      return `${describe(count, others.length)} asked for, and at most ${this.count} may wait (\`maxWarm\`)`;
    const bytes =
      size * pluginPool.memoryBytes + sum(others, (other) => other.firmSize(now) * other.memoryBytes);
    if (bytes <= this.bytes) return null;
    return (
      `${describe(count, others.length)} asked for with ${Math.ceil(bytes / MIB)} MB of memory, and all that wait may ` +
      `have ${Math.floor(this.bytes / MIB)} MB (\`maxWarmMemoryMb\`, and \`maxMemoryMb\` or the memory of the host of the engine)`
    );
  }
}

function describe(count: number, others: number): string {
  const who = others === 0 ? '' : `, those of ${others} other plugin${others === 1 ? '' : 's'} among them,`;
  return `${count} containers${who} are`;
}
