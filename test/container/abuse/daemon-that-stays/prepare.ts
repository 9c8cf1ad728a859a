import { readdir, readFile } from 'node:fs/promises';
import type { Prepared } from '../../../helpers/abuse.ts';

/** How long the daemon sleeps, which nobody else does. */
const MARK = '8675309';

export async function prepare(): Promise<Prepared> {
  return {
    check: async () => {
      const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
      const commands = await Promise.all(
        pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
      );
      const left = commands.filter((command) => command.includes(MARK));
      if (left.length > 0) throw new Error(`still there: ${left.join(', ')}`);
    },
  };
}
