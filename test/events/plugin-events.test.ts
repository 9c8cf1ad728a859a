import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { PluginEvent } from '../../src/events/event.ts';
import { PluginEvents } from '../../src/events/plugin-events.ts';
import { SILENT_LOGGER } from '../../src/logger.ts';
import { until } from '../helpers/until.ts';
import { recordingLogger } from './recording-logger.ts';

const QUIET = { logger: SILENT_LOGGER };
const messages = (events: readonly PluginEvent[]) => events.map(({ message }) => message);

/** Tells so many events, their numbers as messages. */
function emitMany(events: PluginEvents, count: number): string[] {
  const numbers = Array.from({ length: count }, (_, index) => String(index));
  for (const message of numbers) events.emit({ eventType: 'EXECUTE', pluginName: 'weather', message });
  return numbers;
}

test('an event is complete, with defaults for what its emitter left out', () => {
  const events = new PluginEvents({ ...QUIET, now: () => new Date('2030-01-02T03:04:05.678Z') });
  events.emit({ eventType: 'LOAD', pluginName: 'weather' });
  events.emit({ eventType: 'ERROR', pluginName: 'weather', error: 'it broke' });
  expect(events.history()).toEqual([
    {
      v: 3,
      eventType: 'LOAD',
      pluginName: 'weather',
      version: null,
      digest: null,
      timestamp: '2030-01-02T03:04:05.678Z',
      success: true,
      message: null,
      error: null,
      metadata: {},
    },
    expect.objectContaining({ success: false, error: 'it broke' }),
  ]);
});

test('handlers get each event once and in order, after the turn of the emitter', async () => {
  const events = new PluginEvents(QUIET);
  const told: PluginEvent[] = [];
  events.addEventHandler((event) => void told.push(event));
  const sent = emitMany(events, 100);
  await Promise.resolve();
  expect(told).toEqual([]);
  await until('it was told', () => told.length === 100);
  expect(messages(told)).toEqual(sent);
});

test('an asynchronous handler gets the next event when it is done with the last one', async () => {
  const events = new PluginEvents(QUIET);
  const trace: string[] = [];
  events.addEventHandler(async ({ message }) => {
    trace.push(`begin ${message}`);
    await turn();
    await turn();
    trace.push(`end ${message}`);
  });
  emitMany(events, 3);
  await until('it was told', () => trace.length === 6);
  expect(trace).toEqual(['begin 0', 'end 0', 'begin 1', 'end 1', 'begin 2', 'end 2']);
});

test('handlers that throw, reject or never end do not keep events from others', async () => {
  const logger = recordingLogger();
  const events = new PluginEvents({ logger });
  const told: PluginEvent[] = [];
  events.addEventHandler(function throws() {
    throw new Error('thrown');
  });
  events.addEventHandler(async function rejects() {
    throw null;
  });
  events.addEventHandler(function hangs() {
    return new Promise<void>(() => {});
  });
  // biome-ignore lint/suspicious/noThenProperty: it is about a hostile one.
  events.addEventHandler(() => ({ then: () => JSON.parse('{') }) as never);
  events.addEventHandler((event) => void told.push(event));
  const sent = emitMany(events, 500);
  await until('it was told', () => told.length === 500);
  expect(messages(told)).toEqual(sent);
  expect(logger.entries.map(({ message }) => message)).toEqual(Array(3).fill('an event handler failed'));
});

test('a handler that fails is logged once until it succeeds again', async () => {
  const logger = recordingLogger();
  const events = new PluginEvents({ logger });
  let calls = 0;
  events.addEventHandler(({ message }) => {
    calls++;
    if (message !== '5') throw new Error('thrown');
  });
  emitMany(events, 10);
  await until('it was told', () => calls === 10);
  await turn();
  expect(logger.entries).toHaveLength(2);
});

test('a flood drops the oldest events of a slow handler, and says so once per burst', async () => {
  const logger = recordingLogger();
  const events = new PluginEvents({ logger });
  const told: PluginEvent[] = [];
  events.addEventHandler((event) => void told.push(event));
  const sent = emitMany(events, 2500);
  expect(logger.entries.map(({ message }) => message)).toEqual([
    'an event handler is too slow; its oldest events are dropped',
  ]);
  await until('it was told', () => logger.entries.length === 2);
  expect(messages(told)).toEqual(sent.slice(1500));
  expect(logger.entries[1]).toMatchObject({ level: 'warn', facts: { dropped: 1500 } });

  emitMany(events, 1001);
  expect(logger.entries).toHaveLength(3);
});

test('a handler that never ends holds a bounded number of events, and emitting stays fast', async () => {
  const events = new PluginEvents(QUIET);
  events.addEventHandler(() => new Promise<void>(() => {}));
  emitMany(events, 5_000);
  await turn();
  const before = process.threadCpuUsage();
  emitMany(events, 20_000);
  const { user, system } = process.threadCpuUsage(before);
  expect((user + system) / 20_000).toBeLessThan(100); // Microseconds; some 2 where nothing else runs.
});

test('a handler gets only the events that match its filter', async () => {
  const events = new PluginEvents(QUIET);
  const told: string[] = [];
  const filters = {
    all: {},
    plugin: { plugin: 'weather' },
    types: { types: ['LOAD', 'UNLOAD'] },
    both: { plugin: 'notes', types: ['LOAD'] },
    none: { types: [] },
  } as const;
  for (const [name, filter] of Object.entries(filters))
    events.addEventHandler(
      (event) => void told.push(`${name} ${event.eventType} ${event.pluginName}`),
      filter,
    );
  events.emit({ eventType: 'LOAD', pluginName: 'weather' });
  events.emit({ eventType: 'ENABLE', pluginName: 'weather' });
  events.emit({ eventType: 'LOAD', pluginName: 'notes' });
  await until('it was told', () => told.length >= 8);
  await turn();
  expect(told.sort()).toEqual([
    'all ENABLE weather',
    'all LOAD notes',
    'all LOAD weather',
    'both LOAD notes',
    'plugin ENABLE weather',
    'plugin LOAD weather',
    'types LOAD notes',
    'types LOAD weather',
  ]);
});

test('a removed handler gets no more events, not even waiting ones', async () => {
  const events = new PluginEvents(QUIET);
  const told: string[] = [];
  const handler = () => void told.push('removed');
  events.addEventHandler(handler);
  events.addEventHandler(handler, { plugin: 'weather' });
  const registration = events.addEventHandler(() => void told.push('disposed'));
  events.addEventHandler(() => void told.push('stays'));
  emitMany(events, 1);
  registration[Symbol.dispose]();
  expect(events.removeEventHandler(handler)).toBe(true);
  expect(events.removeEventHandler(handler)).toBe(false);
  emitMany(events, 1);
  await until('it was told', () => told.length === 2);
  await turn();
  expect(told).toEqual(['stays', 'stays']);
});

test('a handler can add, remove and emit while it runs', async () => {
  const events = new PluginEvents(QUIET);
  const told: string[] = [];
  const registration = events.addEventHandler(({ message }) => {
    told.push(`first ${message}`);
    registration[Symbol.dispose]();
    events.addEventHandler((event) => void told.push(`second ${event.message}`));
    events.emit({ eventType: 'LOAD', pluginName: 'notes', message: 'again' });
  });
  emitMany(events, 2);
  await until('it was told', () => told.length === 2);
  await turn();
  expect(told).toEqual(['first 0', 'second again']);
});

test('the history of events is bounded and filtered, with the newest last', () => {
  const events = new PluginEvents({ ...QUIET, historySize: 3 });
  emitMany(events, 4);
  events.emit({ eventType: 'LOAD', pluginName: 'notes', message: 'loaded' });
  expect(messages(events.history())).toEqual(['2', '3', 'loaded']);
  expect(messages(events.history({ plugin: 'weather' }))).toEqual(['2', '3']);
  expect(messages(events.history({ types: ['LOAD'] }))).toEqual(['loaded']);
  expect(messages(events.history({ limit: 2 }))).toEqual(['3', 'loaded']);
  expect(events.history({ limit: 0 })).toEqual([]);
});

test('after the close no events are taken, and earlier ones are still delivered', async () => {
  const events = new PluginEvents(QUIET);
  const told: PluginEvent[] = [];
  events.addEventHandler((event) => void told.push(event));
  emitMany(events, 2);
  events.close();
  events.close();
  emitMany(events, 1);
  events.addEventHandler(() => expect.fail('told after the close'));
  await until('it was told', () => told.length === 2);
  await turn();
  expect(messages(told)).toEqual(['0', '1']);
});

test('an unreadable event is logged and does no harm', () => {
  const logger = recordingLogger();
  const events = new PluginEvents({ logger });
  events.emit({ eventType: 'LOAD', pluginName: undefined as never });
  events.emit(null as never);
  expect(events.history()).toEqual([]);
  expect(logger.entries).toHaveLength(2);
});

test.each([
  ['what is no function', 'x', {}],
  ['a type that there is not', () => {}, { types: ['FOO'] }],
  ['an unknown filter', () => {}, { plugins: ['x'] }],
])('%s is refused as a handler', (_what, handler, filter) => {
  const events = new PluginEvents({ logger: SILENT_LOGGER });
  expect(() => events.addEventHandler(handler as never, filter as never)).toThrow(
    expect.objectContaining({ code: 'OPTIONS_INVALID' }),
  );
});
