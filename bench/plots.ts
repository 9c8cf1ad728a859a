import { DURATION_PEERS, DURATIONS_MS, durationKey } from './cells/duration.ts';
import { CALLERS, SUSTAINED_WAYS, type SustainedWay } from './cells/sustained.ts';
import { PEERS, type PeerId } from './peers/peer.ts';
import { drawBars, drawLines } from './plot.ts';
import type { Results } from './results.ts';
import { median } from './statistics.ts';
import { rateOf } from './targets.ts';

/** Each plot by its file name; `null` where its cell was not measured. */
export const PLOTS: Readonly<Record<string, (results: Results) => string | null>> = {
  'cold.svg': ({ cold }) => {
    if (cold === undefined) return null;
    const groups = (Object.keys(PEERS) as PeerId[]).flatMap((id) => {
      const column = cold.columns[id];
      if (column === undefined) return [];
      const gone = column.goneMs.length === 0 ? undefined : median(column.goneMs);
      return [{ label: PEERS[id], values: [median(column.resultMs), gone] }];
    });
    const legend = ['until the result', 'until nothing is left'];
    const x = { label: 'milliseconds, median (logarithmic)', log: true };
    return drawBars({ title: 'One call', x, legend, groups });
  },

  'warm.svg': ({ warm }) => {
    if (warm === undefined) return null;
    const series = (['lurkbox-warm', 'lurkbox-cold', 'docker-run'] as const).flatMap((id) => {
      const sorted = warm.columns[id]?.overheadMs.toSorted((a, b) => a - b) ?? [];
      if (sorted.length === 0) return [];
      const points = [0, ...sorted].map(
        (value, count) =>
          [count === 0 ? (sorted[0] as number) : value, (count / sorted.length) * 100] as const,
      );
      return [{ label: PEERS[id], points }];
    });
    return drawLines({
      title: 'Overhead of a call',
      x: { label: 'milliseconds beside the plugin (logarithmic)', log: true },
      y: { label: 'calls that took no longer, %' },
      series,
    });
  },

  'sustained.svg': (results) => {
    if (results.sustained === undefined) return null;
    const series = (Object.keys(SUSTAINED_WAYS) as SustainedWay[]).flatMap((way) => {
      const points = CALLERS.flatMap((callers) => {
        const rate = rateOf(results, way, callers);
        return rate === undefined ? [] : [[callers, rate] as const];
      });
      const label = SUSTAINED_WAYS[way].replaceAll('`', '');
      return points.length === 0 ? [] : [{ label, points, dots: true }];
    });
    return drawLines({
      title: 'Fresh containers, removal included',
      x: { label: 'callers', log: true, ticks: CALLERS.map((at) => ({ at, label: `${at}` })) },
      y: { label: 'per second' },
      series,
    });
  },

  'duration.svg': ({ duration }) => {
    if (duration === undefined) return null;
    // By place and not by value: 0 has none on a logarithmic axis.
    const series = DURATION_PEERS.flatMap((id) => {
      const points = DURATIONS_MS.flatMap((sleepMs, index) => {
        const column = duration.columns[durationKey(id, sleepMs)];
        return column === undefined ? [] : [[index, median(column.overheadMs)] as const];
      });
      return points.length === 0 ? [] : [{ label: PEERS[id], points, dots: true }];
    });
    const ticks = DURATIONS_MS.map((ms, at) => ({ at, label: `${ms}` }));
    return drawLines({
      title: 'Overhead by how long the plugin takes',
      x: { label: 'milliseconds of the plugin', ticks },
      y: { label: 'milliseconds beside it (logarithmic)', log: true },
      series,
    });
  },
};
