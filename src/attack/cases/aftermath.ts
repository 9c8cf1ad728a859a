import { OUTCOMES } from '../../calls/outcome.ts';
import type { PluginExecutionResult } from '../../calls/result.ts';
import { type Aftermath, type AttackGroup, all, HELD, heldIf, notCarriedOut } from '../attack.ts';

export const AFTERMATH: AttackGroup = {
  area: 'After all of them',
  attacks: [
    {
      id: 'after-outcomes',
      title: 'every execution has settled with exactly one outcome of the closed set',
      promises: ['P1'],
      after: true,
      judge: ({ results, calls }: Aftermath) => {
        const ids = new Set(results.map(({ executionId }) => executionId));
        const wrong = results.filter(
          ({ outcome }) => !Object.hasOwn(OUTCOMES, outcome) || outcome === 'INTERNAL',
        );
        return all(
          heldIf(calls > 0 && ids.size === calls, `${calls} executions, each with its result`, `${ids.size}`),
          heldIf(wrong.length === 0, 'no fault of lurkbox', wrong.map(({ outcome }) => outcome).join(', ')),
        );
      },
    },
    {
      id: 'after-left',
      title: 'no container, network, image or file of them is left',
      promises: ['P2'],
      after: true,
      judge: ({ left }: Aftermath) => heldIf(left.length === 0, 'nothing', left.join(', ')),
    },
    {
      id: 'after-others',
      title: 'no container of anybody else was touched',
      promises: ['P8'],
      after: true,
      judge: ({ touched, others }: Aftermath) =>
        others === 0
          ? { held: null, reason: 'nobody else has a container on this engine' }
          : heldIf(touched.length === 0, 'no call that names another container', touched.join(', ')),
    },
    {
      id: 'after-starts',
      title: 'the engine started one container for each execution, and none twice',
      promises: ['P9'],
      after: true,
      judge: ({ results, starts }: Aftermath) => {
        const started = results.filter(({ phases }) => phases.startMs !== null);
        if (started.length === 0) return notCarriedOut('nothing was started');
        const countOf = ({ executionId }: PluginExecutionResult): number => starts[executionId] ?? 0;
        const describe = (list: readonly PluginExecutionResult[]): string =>
          list.map((result) => `${countOf(result)} of ${result.executionId}`).join(', ');
        const twice = results.filter((result) => countOf(result) > 1);
        const untold = started.filter((result) => countOf(result) === 0);
        return all(
          heldIf(twice.length === 0, 'one start of each', describe(twice)),
          untold.length === 0 ? HELD : notCarriedOut(`the engine did not tell: ${describe(untold)}`),
        );
      },
    },
  ],
};
