import type { Prepared } from '../../../helpers/abuse.ts';

export async function prepare(): Promise<Prepared> {
  return { input: { text: 'x'.repeat(15 * 1024 * 1024) } };
}
