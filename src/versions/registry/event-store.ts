import * as z from 'zod';
import { deepFreeze } from '../../deep-freeze.ts';
import { LurkboxError } from '../../errors.ts';
import {
  EVENT_VERSION,
  PLUGIN_EVENT_TYPES,
  type PluginEvent,
  type PluginEventType,
} from '../../events/event.ts';
import { spend } from '../../json/size.ts';
import type { Logger } from '../../logger.ts';
import { quoteValue } from '../../printable.ts';
import type { Database } from '../../storage/database.ts';
import { Store, type StoreOptions } from '../../storage/store.ts';
import { STORE_TABLE, type StoreFormat } from '../../storage/store-format.ts';
import { WriteBehind } from '../../storage/write-behind.ts';
import { ACTIVITY_FROM_1 } from './activity-from-1.ts';
import type { RecordedCall } from './record.ts';

const MAX_EVENTS = 100_000;
export const MAX_CALLS_PER_PLUGIN = 100;
const MAX_CALL_BYTES = 256 * 1024;
const MAX_EVENT_BYTES = 64 * 1024;
/** Of the texts of an event that is larger, in characters. */
const MAX_CUT_CHARS = 1000;

/** While they cannot be written, older ones give way. */
const MAX_WAITING = 10_000;
/** Then they are written at once. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
const WRITE_PERIOD_MS = 100;

const DEFAULT_EVENTS = 1000;

/** A file of its own: it grows by megabytes, and the backups of the registry must not. */
export const ACTIVITY_FORMAT: StoreFormat = {
  name: 'activity',
  applicationId: 0x6c726b32,
  version: 2,
  isDurable: false,
  tables: [
    STORE_TABLE,
    `CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  plugin TEXT NOT NULL,
  type TEXT NOT NULL,
  event TEXT NOT NULL
) STRICT`,
    'CREATE INDEX events_by_plugin ON events (plugin, id)',
    `CREATE TABLE calls (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  plugin_id INTEGER NOT NULL,
  call TEXT NOT NULL
) STRICT`,
    'CREATE INDEX calls_by_plugin ON calls (plugin_id, id)',
  ],
  migrations: [ACTIVITY_FROM_1],
  counted: ['events', 'calls'],
  wayOut: null,
};

export interface EventQuery {
  /** Only of this plugin. */
  readonly plugin?: string;
  /** Only of these types. */
  readonly types?: readonly PluginEventType[];
  /** Only those with a greater id, from there on. Absent: the newest. */
  readonly after?: number;
  /** 0 to 100,000. @default 1000 */
  readonly limit?: number;
}

export type StoredEvent = PluginEvent & { readonly id: number };

type Waiting =
  | { readonly kind: 'event'; readonly plugin: string; readonly type: string; readonly json: string }
  | { readonly kind: 'call'; readonly pluginId: number; readonly json: string };

/** Events and recorded calls. They are written a little later; a crash loses the last moment of them. */
export class EventStore {
  readonly #store: Store;
  readonly #logger: Logger;
  readonly #later: WriteBehind;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;

  constructor(options: StoreOptions, logger: Logger) {
    this.#store = new Store(ACTIVITY_FORMAT, options);
    this.#logger = logger;
    this.#later = new WriteBehind({ periodMs: WRITE_PERIOD_MS, write: () => this.#write(), logger });
  }

  appendEvent(event: PluginEvent): void {
    const json = toJson(event, MAX_EVENT_BYTES) ?? JSON.stringify(cut(event));
    this.#gather({ kind: 'event', plugin: event.pluginName, type: event.eventType, json });
  }

  recordCall(pluginId: number, call: RecordedCall): void {
    const json = toJson(call, MAX_CALL_BYTES);
    if (json === null) {
      const facts = { executionId: call.executionId, maxBytes: MAX_CALL_BYTES };
      this.#logger.debug(facts, 'A call is too large to be recorded, or is no JSON.');
    } else this.#gather({ kind: 'call', pluginId, json });
  }

  /** By growing id. */
  events({ plugin, types, after, limit = DEFAULT_EVENTS }: EventQuery): readonly StoredEvent[] {
    assertLimit(limit, MAX_EVENTS);
    this.flush();
    const rows = this.#store.read((database) =>
      database.all<{ id: number; event: string }>(
        selectEvents({ plugin, types, after }),
        after ?? 0,
        plugin ?? null,
        JSON.stringify(types ?? []),
        limit,
      ),
    );
    return Object.freeze(
      rows.flatMap(({ id, event }) => {
        const read = this.#read(EventSchema, event);
        return read === null ? [] : [deepFreeze({ ...read, id })];
      }),
    );
  }

  /** Newest first. */
  calls(pluginId: number, limit: number): readonly RecordedCall[] {
    assertLimit(limit, MAX_CALLS_PER_PLUGIN);
    this.flush();
    const rows = this.#store.read((database) =>
      database.all<{ call: string }>(
        'SELECT call FROM calls WHERE plugin_id = ? ORDER BY id DESC LIMIT ?',
        pluginId,
        limit,
      ),
    );
    return deepFreeze(rows.map(({ call }) => this.#read(CallSchema, call)).filter((call) => call !== null));
  }

  /** Takes away the calls of plugins that are known no more. */
  forget(pluginIds: readonly number[]): void {
    this.flush();
    this.#store.write((database) => {
      for (const id of pluginIds) database.run('DELETE FROM calls WHERE plugin_id = ?', id);
    });
  }

  /** Calls of plugins that were forgotten while nobody could take them away. */
  keepOnly(pluginIds: readonly number[]): void {
    // One that is newer than all of these is known to another process already.
    const newest = pluginIds.reduce((greatest, id) => Math.max(greatest, id), 0);
    const list = JSON.stringify(pluginIds);
    const gone = this.#store.read((database) =>
      database.all<{ plugin_id: number }>(
        'SELECT DISTINCT plugin_id FROM calls WHERE plugin_id <= ? AND plugin_id NOT IN (SELECT value FROM json_each(?))',
        newest,
        list,
      ),
    );
    if (gone.length > 0) this.forget(gone.map(({ plugin_id }) => plugin_id));
  }

  flush(): void {
    this.#later.flush();
  }

  close(): void {
    this.#later.close();
    this.#store.close();
  }

  #gather(item: Waiting): void {
    this.#waiting.push(item);
    this.#waitingBytes += item.json.length;
    if (this.#waiting.length > MAX_WAITING) {
      this.#waitingBytes -= this.#waiting.shift()!.json.length;
      this.#logger.warn(
        { maxWaiting: MAX_WAITING },
        'The oldest record that waited to be written was left out.',
      );
    }
    this.#later.touch();
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.flush();
  }

  #write(): void {
    const items = this.#waiting;
    this.#store.write((database) => {
      for (const item of items) insert(database, item);
      database.run(OLD_EVENTS, MAX_EVENTS);
      const plugins = new Set(items.flatMap((item) => (item.kind === 'call' ? [item.pluginId] : [])));
      for (const id of plugins) database.run(OLD_CALLS, id, MAX_CALLS_PER_PLUGIN);
    });
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  #read<T>(schema: z.ZodType<T>, json: string): T | null {
    try {
      return schema.parse(JSON.parse(json));
    } catch {
      this.#logger.warn({}, 'A damaged record of a plugin was left out.');
      return null;
    }
  }
}

function assertLimit(limit: number, max: number): void {
  if (Number.isInteger(limit) && limit >= 0 && limit <= max) return;
  const message = `expected a whole number from 0 to ${max}, got ${quoteValue(limit)}`;
  throw new LurkboxError('OPTIONS_INVALID', 'The limit is not usable.', {
    problems: [{ path: 'limit', message }],
  });
}

/** `?1` after, `?2` plugin, `?3` types as JSON, `?4` limit. */
function selectEvents({ plugin, types, after }: { [Key in 'plugin' | 'types' | 'after']: unknown }): string {
  const conditions = [
    'id > ?1',
    ...(plugin === undefined ? [] : ['plugin = ?2']),
    ...(types === undefined ? [] : ['type IN (SELECT value FROM json_each(?3))']),
  ];
  const found = `SELECT id, event FROM events WHERE ${conditions.join(' AND ')}`;
  return after === undefined
    ? `SELECT * FROM (${found} ORDER BY id DESC LIMIT ?4) ORDER BY id`
    : `${found} ORDER BY id LIMIT ?4`;
}

// Ids follow each other without a gap: one that is rolled back is given again.
const OLD_EVENTS = 'DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?';
const OLD_CALLS = `DELETE FROM calls WHERE plugin_id = ?1 AND id NOT IN (
  SELECT id FROM calls WHERE plugin_id = ?1 ORDER BY id DESC LIMIT ?2
)`;

function insert(database: Database, item: Waiting): void {
  if (item.kind === 'event')
    database.run(
      'INSERT INTO events (plugin, type, event) VALUES (?, ?, ?)',
      item.plugin,
      item.type,
      item.json,
    );
  else database.run('INSERT INTO calls (plugin_id, call) VALUES (?, ?)', item.pluginId, item.json);
}

/** `null` when it is no JSON, or longer. */
function toJson(value: unknown, maxBytes: number): string | null {
  try {
    // To write a large one would hold up everything else, only to throw it away.
    if (spend(value, maxBytes) < 0) return null;
    const json = JSON.stringify(value);
    return Buffer.byteLength(json) > maxBytes ? null : json;
  } catch {
    return null;
  }
}

function cut(event: PluginEvent): PluginEvent {
  const shorten = (text: string | null) => text?.slice(0, MAX_CUT_CHARS) ?? null;
  return { ...event, message: shorten(event.message), error: shorten(event.error), metadata: {} };
}

/** Of an event that this program knows; what a newer one wrote beside it is kept. */
const KnownEventSchema = z.looseObject({
  v: z.int().min(1).default(1),
  eventType: z.enum(PLUGIN_EVENT_TYPES),
  pluginName: z.string(),
  version: z.string().nullable(),
  digest: z.string().nullable(),
  timestamp: z.string(),
  success: z.boolean(),
  message: z.string().nullable(),
  error: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()),
});
/** One of a newer program may be of a type that is not known here. */
const NewerEventSchema = KnownEventSchema.extend({
  v: z.int().gt(EVENT_VERSION),
  eventType: z.string(),
});
const EventSchema = z.union([KnownEventSchema, NewerEventSchema]) as unknown as z.ZodType<PluginEvent>;

const CallSchema: z.ZodType<RecordedCall> = z.looseObject({
  executionId: z.string(),
  versionId: z.int(),
  at: z.string(),
  context: z.unknown(),
  outcome: z.string(),
  result: z.unknown(),
});
