import type { Refusal } from './admission/admission.ts';
import { type Ending, failed } from './ending.ts';

/** How a call ends that got no slot: the message has the numbers. */
export function toBusy(refusal: Refusal): Ending {
  if (refusal.kind !== 'too large') return failed('BUSY', describeLine(refusal));
  const { what, asked, ceiling } = refusal;
  const show = (value: number): string =>
    what === 'memory' ? `${Math.floor(value / (1024 * 1024))} MB of memory` : `${value} cores`;
  return failed(
    'HOST_RESOURCES',
    `The plugin is granted ${show(asked)}, and all sandboxes together may have ${show(ceiling)}`,
  );
}

function describeLine({
  kind,
  waiting,
  ofPlugin,
  plugins,
  share,
}: Exclude<Refusal, { kind: 'too large' }>): string {
  const line = `${waiting} executions are waiting`;
  if (plugins === 1) return line;
  const shares = `${line}, ${ofPlugin} of this plugin, and the share of each of ${plugins} plugins is ${share}`;
  return kind === 'full' ? shares : `It waited, and gave its room to a call of another plugin: ${shares}`;
}
