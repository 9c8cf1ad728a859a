import type { Lurkbox } from '../lurkbox.ts';
import type { AttackOptions, AttackSummary } from './run.ts';

/** @deprecated It is in `lurkbox/attack`, and goes from here with 2.0. */
export async function attackEngine(lurkbox: Lurkbox, options: AttackOptions = {}): Promise<AttackSummary> {
  process.emitWarning('`attackEngine` is in `lurkbox/attack` now, and goes from `lurkbox` with 2.0.', {
    type: 'DeprecationWarning',
    code: 'LURKBOX_ATTACK',
  });
  return (await import('./run.ts')).attackEngine(lurkbox, options);
}
