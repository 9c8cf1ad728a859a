import { z } from 'zod';
import { ExecutionContextSchema } from '../src/calls/context.ts';
import { FORMER_NAMES } from '../src/former-names.ts';
import { NO_CONTENT } from '../src/manifest/no-content.ts';
import { PluginManifestSchema } from '../src/manifest/schema.ts';
import { FORMER_KEYS } from '../src/policy/former-keys.ts';
import { ENGINE_SOCKETS, FORBIDDEN_MOUNTS } from '../src/policy/mount-path.ts';
import { RATING_TABLE } from '../src/policy/rating.ts';
import { type Granted, resolveOrThrow } from '../src/policy/resolve.ts';
import { RESOURCE_KEYS, RESOURCES, withUnit } from '../src/policy/resources.ts';
import { DEFAULT_POLICY, PolicySchema } from '../src/policy/schema.ts';
import { EXEC_GROUP, SYSCALL_GROUPS } from '../src/policy/seccomp-table.ts';
import { WorkflowSchema } from '../src/workflow/schema.ts';
import { TRIED } from '../test/long/npm-packages.ts';
import { COMPOSITION, LEAVES, MAY_IMPORT } from './check-imports.ts';
import { commandList, commonOptions } from './command-pages.ts';
import { entriesOf, membersOf } from './source-tables.ts';
import { table } from './tables.ts';

/** The tables of the reference pages, made from the code that enforces them. */

const RENAMED = { ...FORMER_NAMES, ...FORMER_KEYS };
const WHERE_NAMES_ARE: Readonly<Record<keyof typeof RENAMED, string>> = {
  options: 'option of `createLurkbox`',
  activateOptions: 'option of `activatePlugin`',
  methods: 'method of `lurkbox.plugins`',
  flags: 'option of `lurkbox use`',
  policy: 'key of the policy',
  plugin: 'key of the policy, below `plugins.<name>`',
};

// Their keys are those of `ceilings`, which stand in the table already.
const SAME_NUMBERS = ['plugins.<name>.ceilings', 'plugins.<name>.resources'];

export type JsonSchema = z.core.JSONSchema.JSONSchema;

export const MANIFEST_JSON_SCHEMA = toJsonSchema(PluginManifestSchema, 'lurkbox plugin manifest');
export const POLICY_JSON_SCHEMA = toJsonSchema(PolicySchema, 'lurkbox policy');
export const WORKFLOW_JSON_SCHEMA = toJsonSchema(WorkflowSchema, 'lurkbox workflow');

/** Block name, as it stands in the markers of a page → its content. */
export const BLOCKS: Readonly<Record<string, string>> = {
  'manifest-fields': fieldTable(MANIFEST_JSON_SCHEMA),
  'policy-fields': fieldTable(POLICY_JSON_SCHEMA),
  'workflow-fields': fieldTable(WORKFLOW_JSON_SCHEMA),
  'condition-fields': fieldTable(WORKFLOW_JSON_SCHEMA.$defs?.['Condition'] ?? {}),
  numbers: numberTable(),
  baseline: baselineTable(),
  rating: ratingTable(),
  'forbidden-mounts': FORBIDDEN_MOUNTS.map((path) => `- \`${path}\``).join('\n'),
  'no-content': noContentTable(),
  'tried-packages': triedTable(),
  'engine-sockets': ENGINE_SOCKETS.map((name) => `- \`${name}\``).join('\n'),
  syscalls: syscallTable(),
  options: optionTable('LurkboxOptions'),
  'execute-options': optionTable('ExecuteOptions'),
  'format-options': optionTable('FormatOptions'),
  'hot-reload-options': optionTable('HotReloadOptions', ['reloader', 'logger']),
  'context-fields': fieldTable(toJsonSchema(ExecutionContextSchema, 'execution context')),
  'result-fields': memberTable('PluginExecutionResult'),
  'error-fields': memberTable('ExecutionError'),
  'phase-fields': memberTable('Phases'),
  'usage-fields': memberTable('Usage'),
  'log-fields': memberTable('LogLine'),
  'event-fields': memberTable('PluginEvent'),
  'event-types': table(
    ['Type', 'When'],
    entriesOf('PLUGIN_EVENT_TYPES').map(({ name, meaning }) => [`\`${name}\``, meaning]),
  ),
  imports: importTable(),
  commands: commandList(),
  'common-options': commonOptions(),
  'former-names': formerNameTable(),
};

function toJsonSchema(schema: z.ZodType, title: string): JsonSchema {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' });
  return { ...($schema !== undefined && { $schema }), title, ...rest };
}

function fieldTable(schema: JsonSchema): string {
  return table(['Key', 'What', 'Default', 'Meaning'], fieldRows(schema, ''));
}

function fieldRows(schema: JsonSchema, prefix: string): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, value]) => {
    const field = value as JsonSchema;
    const path = `${prefix}${key}`;
    const row = [`\`${path}\``, kindOf(field), defaultOf(field, schema, key), field.description ?? ''];
    return [row, ...innerRows(field, path)];
  });
}

// Down into objects, into the object form of a union, and into the values of a record.
function innerRows(field: JsonSchema, path: string): string[][] {
  if (SAME_NUMBERS.includes(path)) return [];
  const forms = [field, ...((field.anyOf ?? []) as JsonSchema[])];
  return forms.flatMap((form) => {
    const values = form.additionalProperties;
    const inRecord = typeof values === 'object' ? fieldRows(values, `${path}.<name>.`) : [];
    return [...fieldRows(form, `${path}.`), ...inRecord];
  });
}

function kindOf(field: JsonSchema): string {
  if (field.anyOf !== undefined) return (field.anyOf as JsonSchema[]).map(kindOf).join(' or ');
  if (field.enum !== undefined) return field.enum.map(code).join(' or ');
  if (field.const !== undefined) return code(field.const);
  switch (field.type) {
    case 'array':
      return `at most ${field.maxItems} × ${kindOf(field.items as JsonSchema)}`;
    case 'integer':
      return `whole number, ${field.minimum} to ${field.maximum}`;
    case 'number':
      return field.minimum === undefined ? 'number' : `number, ${field.minimum} to ${field.maximum}`;
    case 'string':
      return field.maxLength === undefined ? 'text' : `text of at most ${field.maxLength}`;
    case undefined:
      return field.$ref === undefined ? 'any JSON' : `a ${field.$ref.split('/').at(-1)?.toLowerCase()}`;
    default:
      return String(field.type);
  }
}

function defaultOf(field: JsonSchema, parent: JsonSchema, key: string): string {
  if (parent.required?.includes(key)) return 'required';
  return field.default === undefined ? '' : code(field.default);
}

function numberTable(): string {
  const rows = RESOURCE_KEYS.map((key) => {
    const { baseline, floor, ceiling } = RESOURCES[key];
    return [`\`${key}\``, ...[baseline, floor, ceiling].map((value) => withUnit(key, value))];
  });
  return table(['Key', 'Where nobody says', 'Smallest that works', 'Ceiling without a policy'], rows);
}

/** What a plugin gets that asks for nothing, under no policy. */
export function grantModest(): Granted {
  const manifest = PluginManifestSchema.parse({
    name: 'modest',
    version: '1.0.0',
    author: { name: 'nobody' },
    description: 'Asks for nothing',
    plugin_type: 'tool',
    entry_point: 'index.js',
  });
  return resolveOrThrow(manifest, DEFAULT_POLICY, '');
}

function baselineTable(): string {
  const { restrictions } = grantModest();
  const rows = restrictions.map(({ control, value, reason }) => [control, value, reason]);
  return table(['Control', 'Value', 'Reason'], rows);
}

function ratingTable(): string {
  return table(
    ['Points', 'For'],
    RATING_TABLE.map(({ points, most, reason }) => [
      `${points > 0 ? '+' : '−'}${Math.abs(points)}`,
      most === undefined ? reason : `${reason} Never above ${most}.`,
    ]),
  );
}

function optionTable(interfaceName: string, leftOut: readonly string[] = []): string {
  return table(
    ['Option', 'Type', 'Default', 'Meaning'],
    membersOf(interfaceName)
      .filter(({ name }) => !leftOut.includes(name))
      .map(({ name, type, byDefault, meaning }) => [`\`${name}\``, `\`${type}\``, byDefault, meaning]),
  );
}

function memberTable(interfaceName: string): string {
  return table(
    ['Field', 'Type', 'Meaning'],
    membersOf(interfaceName).map(({ name, type, meaning }) => [`\`${name}\``, `\`${type}\``, meaning]),
  );
}

function formerNameTable(): string {
  const rows = Object.entries(RENAMED).flatMap(([kind, names]) =>
    [...names].map(([before, now]) => [
      WHERE_NAMES_ARE[kind as keyof typeof RENAMED],
      `\`${before}\``,
      `\`${now}\``,
    ]),
  );
  return table(['What', 'Was', 'Is'], rows);
}

/** Who may import whom, from the table that the check goes by. */
function importTable(): string {
  const rooms = Object.entries(MAY_IMPORT).filter(([room]) => !LEAVES.includes(room));
  return [
    `Everyone may import the leaves: ${codes(LEAVES)}. A leaf imports only leaves. ${codes(COMPOSITION)} wire the rooms together and may import everything.`,
    '',
    table(
      ['Room', 'May import, besides leaves and its own files'],
      rooms.map(([room, names]) => [`\`${room}\``, codes(names)]),
    ),
  ].join('\n');
}

function codes(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}

function noContentTable(): string {
  return table(
    ['Names', 'What', 'Where', 'Made by'],
    NO_CONTENT.map(({ names, kind, where, from }) => [
      names.map((name) => `\`${name}\``).join(' '),
      { file: 'files', folder: 'folders', any: 'files and folders' }[kind],
      where === 'top' ? 'at the top' : 'anywhere',
      from,
    ]),
  );
}

function triedTable(): string {
  return table(
    ['Package', 'What it does in a container', 'Works', 'Note'],
    TRIED.map(({ packages, job, fails, note = '' }) => [
      packages.map((name) => `\`${name}\``).join(' '),
      job,
      fails === undefined ? 'yes' : 'no',
      fails?.why ?? note,
    ]),
  );
}

function syscallTable(): string {
  const groups = [...SYSCALL_GROUPS, { ...EXEC_GROUP, reason: `Only with \`exec\`: ${EXEC_GROUP.reason}` }];
  const rows = groups.map(({ reason, names }) => [reason, names.map((name) => `\`${name}\``).join(' ')]);
  return table(['Why', 'Calls'], rows);
}

function code(value: unknown): string {
  return `\`${JSON.stringify(value)}\``;
}
