import { OUTCOMES } from '../execution/outcome.ts';
import { type Aftermath, type AttackGroup, all, heldIf } from './attack.ts';

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
        const wrong = results.filter(({ executionId, phases }) => {
          const count = starts[executionId] ?? 0;
          return phases.startMs === null ? count > 1 : count !== 1;
        });
        return all(
          heldIf(started.length > 0, 'executions that were started', 'none'),
          heldIf(
            wrong.length === 0,
            'one start of each',
            wrong.map(({ executionId }) => `${starts[executionId] ?? 0} of ${executionId}`).join(', '),
          ),
        );
      },
    },
  ],
};
