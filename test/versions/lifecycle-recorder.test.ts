import { expect, test } from 'vitest';
import type { PluginEvent } from '../../src/events/event.ts';
import { LifecycleRecorder } from '../../src/versions/lifecycle-recorder.ts';

test('a record does not claim that unawaited work has ended, since it goes on in a reused container', () => {
  const events: PluginEvent[] = [];
  const recorder = new LifecycleRecorder({ onEvent: (event) => events.push(event), onAudit: () => {} });
  const lost = { wasCut: true, graceMs: 200, hasEnded: false, hasPrinted: true, error: null };
  recorder.lost({ name: 'ticker', version: '1.0.0' }, 'an-execution', lost);
  expect(events.map(({ eventType, message }) => [eventType, message])).toEqual([
    [
      'CUT',
      'Work that was still under way 200 ms after the answer was not waited for; what it printed after its answer, up to now, is in no log. Wait in `execute` for all that belongs to the call, and clear its timers.',
    ],
  ]);
});
