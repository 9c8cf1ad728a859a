import { setTimeout as delay } from 'node:timers/promises';
import type { PluginEvent, PluginEventType } from '../index.ts';
import { escapeControls } from '../printable.ts';
import { EXIT } from './exit.ts';
import { interruption } from './interruption.ts';
import { paint, print, printJson } from './output.ts';
import { type CommonOptions, withLurkbox } from './workspace.ts';

export interface EventsOptions extends CommonOptions {
  readonly plugin?: string;
  readonly type?: readonly PluginEventType[];
  readonly limit: number;
  readonly follow?: boolean;
}

const LOOK_MS = 250;

/** What happened to plugins, of whatever process of this workspace; a JSON document a line with `--json`. */
export async function events(options: EventsOptions): Promise<number> {
  return withLurkbox(options, async ({ registry }) => {
    const filter = {
      ...(options.plugin !== undefined && { plugin: options.plugin }),
      ...(options.type !== undefined && { types: options.type }),
    };
    let last = show(registry.events({ ...filter, limit: options.limit }), options);
    if (last === 0 && !options.follow && !options.json)
      print(Object.keys(filter).length === 0 ? 'Nothing happened yet.' : 'No event fits.');
    if (!options.follow) return EXIT.ok;
    const signal = interruption('stopping');
    while (!signal.aborted) {
      await delay(LOOK_MS, undefined, { signal }).catch(() => {});
      last = show(registry.events({ ...filter, after: last }), options) || last;
    }
    return EXIT.ok;
  });
}

/** Answers the id of the last one, 0 where there is none. */
function show(found: readonly (PluginEvent & { readonly id: number })[], { json }: EventsOptions): number {
  for (const event of found) {
    if (json) printJson(event);
    else print(describe(event));
  }
  return found.at(-1)?.id ?? 0;
}

function describe({
  timestamp,
  eventType,
  pluginName,
  version,
  success,
  message,
  error,
  metadata,
}: PluginEvent): string {
  const mark = success ? paint('green', '✔') : paint('red', '✖');
  const what = escapeControls(`${pluginName}${version === null ? '' : ` ${version}`}`);
  const { outcome, executionTimeMs } = metadata;
  const told = [
    typeof outcome === 'string' ? outcome : '',
    typeof executionTimeMs === 'number' ? `${Math.round(executionTimeMs)} ms` : '',
    message ?? '',
    error ?? '',
  ];
  const text = told.filter((part) => part !== '').join('  ');
  return `${paint('dim', timestamp.replace('T', ' ').slice(0, 23))} ${mark} ${eventType.padEnd(8)} ${what}  ${escapeControls(text)}`.trimEnd();
}
