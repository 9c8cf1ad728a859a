import { EXIT } from './exit.ts';
import { print, printJson } from './output.ts';
import { type CommonOptions, withLurkbox } from './workspace.ts';

/** Removes what dead orchestrators of this machine left in the engine. */
export async function prune(options: CommonOptions): Promise<number> {
  return withLurkbox(
    options,
    async (lurkbox) => {
      const { containers, networks } = await lurkbox.prune();
      const removed = [...containers, ...networks];
      if (options.json) printJson({ containers, networks });
      else print(removed.length === 0 ? 'Nothing was left behind.' : `Removed ${removed.join(', ')}.`);
      return EXIT.ok;
    },
    { persist: false },
  );
}
