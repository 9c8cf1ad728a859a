import type { PluginExecutionResult } from '../../calls/result.ts';
import {
  type AttackGroup,
  all,
  type ControlTarget,
  describeEnd,
  type Host,
  heldIf,
  notCarriedOut,
  type Program,
} from '../attack.ts';
import { createAttacker } from '../attacker.ts';
import { rawCallsOnly, TABLES_PROBE } from '../probes.ts';
import { HELD_TIMERS } from '../syscalls.ts';

/** Takes all that there is of both tables, says so, and keeps it. */
const fillTables = (file: string, host: Host): Promise<never> => {
  try {
    process.dlopen({ exports: {} }, file);
  } catch {
    // It is no module of Node; its calls are made by then.
  }
  host.progress(0);
  return new Promise(() => setInterval(() => {}, 1_000));
};

interface Tables {
  /** `works`, or the error of a watcher. */
  readonly watch: string;
  /** How many signals the kernel counts for this user. */
  readonly signals: number;
}

const lookAtTables = (): Tables => {
  const { readFileSync, watch } = process.getBuiltinModule('node:fs');
  const [, signals] = /SigQ:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  try {
    watch('/tmp').close();
    return { watch: 'works', signals: Number(signals) };
  } catch (error) {
    return { watch: (error as NodeJS.ErrnoException).code ?? String(error), signals: Number(signals) };
  }
};

interface Looks {
  /** In another container of the plugin that fills: what it had to share. */
  readonly own: PluginExecutionResult;
  readonly other: PluginExecutionResult;
}

async function lookBesideAFiller({ lurkbox, engine, instance, signal }: ControlTarget): Promise<Looks> {
  await using other = await createAttacker(lurkbox, engine, { signal });
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  const execute = (plugin: string, program: Program, args: string | null, onProgress = () => {}) =>
    lurkbox.plugins.executePlugin(
      plugin,
      { inputData: { program: `(${program})`, args } },
      { signal: until, onProgress, waitForRemoval: true },
    );
  const filled = Promise.withResolvers<void>();
  const filling = execute(instance.name, fillTables as Program, TABLES_PROBE, filled.resolve);
  try {
    await Promise.race([filled.promise, filling]);
    return {
      own: await execute(instance.name, lookAtTables as Program, null),
      other: await execute(other.instance.name, lookAtTables as Program, null),
    };
  } finally {
    over.abort();
    await filling;
  }
}

export const TABLES: AttackGroup = {
  area: 'What the kernel counts by user',
  attacks: [
    {
      id: 'tables-shared',
      title: 'who holds all watchers and many signals of its user takes none of another plugin',
      promises: ['P10', 'P7'],
      notHere: rawCallsOnly,
      ask: lookBesideAFiller,
      judge: ({ own, other }: Looks) => {
        const failed = [own, other].find(({ outcome }) => outcome !== 'OK');
        if (failed !== undefined) return notCarriedOut(describeEnd(failed));
        const [mine, theirs] = [own.result as unknown as Tables, other.result as unknown as Tables];
        if (!(mine.signals >= HELD_TIMERS)) return notCarriedOut('the tables were not filled');
        return all(
          heldIf(theirs.signals < HELD_TIMERS, 'no signals of another user', `${theirs.signals}`),
          // Where its table is larger than one process can fill, the first one gets another too.
          heldIf(theirs.watch === 'works', 'a watcher for another plugin', theirs.watch),
        );
      },
    },
  ],
};
