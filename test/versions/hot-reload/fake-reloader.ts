import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Reloaded, Reloader } from '../../../src/versions/hot-reload/reloader.ts';

/** Tells what it was asked, in order, and answers with the content of `index.js` as the digest. */
export interface FakeReloader extends Reloader {
  /** `reload hello`, `removed hello`. */
  readonly asked: readonly string[];
  /** What each reload that succeeded has read, by the name of the folder. */
  readonly read: Readonly<Record<string, readonly string[]>>;
  /** The most that were under way at once, over all folders and for one. */
  readonly mostAtOnce: number;
  readonly mostAtOnceOfOne: number;
  readonly underWay: number;
  /** What a reload does after it has read. @default nothing */
  during: (folder: string, signal: AbortSignal) => Promise<void> | void;
  onRemoved: (folder: string) => Promise<void> | void;
}

export function createFakeReloader(): FakeReloader {
  const asked: string[] = [];
  const read: Record<string, string[]> = {};
  const underWay = new Map<string, number>();
  const total = () => [...underWay.values()].reduce((sum, count) => sum + count, 0);
  const fake = {
    asked,
    read,
    mostAtOnce: 0,
    mostAtOnceOfOne: 0,
    get underWay() {
      return total();
    },
    during: (_folder: string, _signal: AbortSignal): Promise<void> | void => {},
    onRemoved: (_folder: string): Promise<void> | void => {},
    reload: async (folder: string, { signal }: { signal: AbortSignal }): Promise<Reloaded | null> => {
      const name = basename(folder);
      asked.push(`reload ${name}`);
      underWay.set(folder, (underWay.get(folder) ?? 0) + 1);
      fake.mostAtOnce = Math.max(fake.mostAtOnce, total());
      fake.mostAtOnceOfOne = Math.max(fake.mostAtOnceOfOne, underWay.get(folder) ?? 0);
      try {
        const content = await readFile(join(folder, 'index.js'), 'utf8').catch(() => 'nothing');
        await fake.during(folder, signal);
        const before = read[name]?.at(-1);
        read[name] ??= [];
        read[name].push(content);
        if (content === before) return null;
        return { name, version: '1.0.0', digest: content, buildMs: 1, built: true };
      } finally {
        underWay.set(folder, (underWay.get(folder) ?? 1) - 1);
      }
    },
    removed: async (folder: string): Promise<void> => {
      asked.push(`removed ${basename(folder)}`);
      await fake.onRemoved(folder);
    },
  };
  return fake;
}
