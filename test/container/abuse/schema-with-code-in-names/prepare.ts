import type { Prepared } from '../../../helpers/abuse.ts';

export async function prepare(): Promise<Prepared> {
  return {
    check: async () => {
      if ('pwned' in globalThis) throw new Error('code of the schema ran in the orchestrator');
    },
  };
}
