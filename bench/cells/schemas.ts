import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createLurkbox, type Lurkbox } from '../../src/index.ts';
import { SchemaChecker } from '../../src/schemas/schema-checker.ts';
import { toSchemaText } from '../../src/schemas/schema-text.ts';
import { createWorkspace } from '../../test/helpers/workspace.ts';
import { createKept } from '../peers/lurkbox.ts';
import { MANIFEST, PAYLOAD_BYTES, PLUGIN, POLICY, pluginCode } from '../plugin.ts';
import { measureRounds, type Rounds } from '../rounds.ts';
import type { CellContext } from './cell.ts';

/** Columns are the kinds, and `none before` where there is a version before. */
export interface SchemasResult extends Rounds {
  readonly callsPerRound: number;
  /** Of checks alone, as a call makes them. */
  readonly tripMs: readonly number[];
}

const object = (payload: object) => ({
  type: 'object',
  properties: {
    payload: { type: 'string', ...payload },
    sleepMs: { type: 'number' },
    ownMs: { type: 'number' },
  },
  required: ['payload'],
  additionalProperties: false,
});
const both = (schema: object) => ({ input_schema: schema, output_schema: schema });

export const SCHEMA_KINDS = {
  none: {},
  schema: both(object({ maxLength: PAYLOAD_BYTES })),
  patterns: both(object({ pattern: '^(?:[0-9a-f]{2})+$' })),
} as const;
export type SchemaKind = keyof typeof SCHEMA_KINDS;

const WARM_UPS = 50;
const TRIPS = 2_000;

/**
 * The same call in a reused container, with and without schemas. `BENCH_BEFORE` names a built checkout of the version
 * before, whose call without a schema is measured beside it.
 */
export async function measureSchemas({ stage, scale, tell }: CellContext): Promise<SchemasResult> {
  const { rounds, callsPerRound } = scale.schemas;
  await using stack = new AsyncDisposableStack();
  const { caller } = stage;
  const toWay = async (key: string, manifest: object, create: Create = createLurkbox) => {
    const lurkbox = await open(stack, manifest, create);
    return {
      key,
      peer: createKept('lurkbox-plugin', { lurkbox, caller, plugin: PLUGIN, quiet: false }),
      calls: callsPerRound,
    };
  };
  const ways = [];
  for (const [kind, manifest] of Object.entries(SCHEMA_KINDS)) ways.push(await toWay(kind, manifest));
  const before = process.env['BENCH_BEFORE'];
  if (before !== undefined) ways.push(await toWay('none before', {}, await createOf(before)));
  const onRound = (round: number): void => tell(`round ${round} of ${rounds}`);
  return { callsPerRound, ...(await measureRounds(ways, { rounds, onRound })), tripMs: await measureTrips() };
}

type Create = typeof createLurkbox;

async function createOf(checkout: string): Promise<Create> {
  const { href } = pathToFileURL(join(checkout, 'dist/index.js'));
  return ((await import(href)) as { createLurkbox: Create }).createLurkbox;
}

async function open(stack: AsyncDisposableStack, manifest: object, create: Create): Promise<Lurkbox> {
  const workspace = stack.use(await createWorkspace());
  await workspace.addPlugin(PLUGIN, { manifest: { ...MANIFEST, ...manifest }, code: pluginCode() });
  const lurkbox = stack.use(await create({ workspaceRoot: workspace.root, policy: POLICY }));
  await lurkbox.plugins.discoverAndLoadAll(workspace.root);
  await lurkbox.plugins.prepare(PLUGIN);
  return lurkbox;
}

async function measureTrips(): Promise<number[]> {
  await using checker = new SchemaChecker();
  const schema = toSchemaText(SCHEMA_KINDS.patterns.input_schema, 'input_schema');
  if (schema === null) return [];
  const value = JSON.stringify({ payload: 'ab'.repeat(PAYLOAD_BYTES / 2) });
  const times: number[] = [];
  for (let trip = 0; trip < WARM_UPS + TRIPS; trip++) {
    const startedAt = performance.now();
    await checker.check({ plugin: PLUGIN, checks: [{ schema, value }] });
    if (trip >= WARM_UPS) times.push(performance.now() - startedAt);
  }
  return times;
}
