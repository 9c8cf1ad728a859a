import * as z from 'zod';
import { strictObject } from '../documents/strict-object.ts';
import {
  decimal,
  dependency,
  entryPoint,
  exactVersion,
  flag,
  hostPort,
  jsonSchema,
  listOf,
  name,
  oneOf,
  requirement,
  splitDependency,
  text,
  versionRange,
  wholeNumber,
} from './fields.ts';
import { VENDORED } from './vendored.ts';

/** Name of a plugin, wherever one is written. */
export const PluginNameSchema = name({ max: 64, example: 'word-count' });

/** Name under which a policy binds a host folder, and a manifest asks for it. */
export const MountNameSchema = name({ max: 32, example: 'data' });

export const MountModeSchema = oneOf(['ro', 'rw']);

/** The numbers that a manifest asks for and a policy bounds, as people write them. All optional: silence is no request. */
export const ResourcesSchema = strictObject({
  memory_mb: wholeNumber({ min: 1, max: 1_048_576 })
    .describe('Memory and swap together, in MiB; the tmpfs of `/tmp` and `/scratch` counts as memory.')
    .optional(),
  cpu_percent: wholeNumber({ min: 1, max: 6400 })
    .describe('Share of one core, in percent; 200 is two whole cores.')
    .optional(),
  timeout_seconds: decimal({ min: 0.001, max: 86_400 })
    .describe('Deadline of one execution, in seconds, from the moment the plugin has its context.')
    .optional(),
  pids: wholeNumber({ min: 1, max: 32_768 })
    .describe('Processes and threads together; Node alone needs about 11.')
    .optional(),
  output_kb: wholeNumber({ min: 1, max: 1_048_576 })
    .describe('The result of one execution as JSON, in KiB; log lines do not count.')
    .optional(),
  tmp_mb: wholeNumber({ min: 1, max: 1_048_576 }).describe('Size of `/tmp`, in MiB.').optional(),
  scratch_mb: wholeNumber({ min: 1, max: 1_048_576 })
    .describe('Size of `/scratch`, in MiB; only with the permission to have one.')
    .optional(),
});

const FilesystemSchema = z
  .union(
    [
      flag(),
      strictObject({
        scratch: flag().default(false).describe('A writable folder `/scratch`, gone with the container.'),
        mounts: z
          .record(MountNameSchema, MountModeSchema, 'expected an object of mount name to "ro" or "rw"')
          .refine((mounts) => Object.keys(mounts).length <= 16, 'expected at most 16 mounts')
          .default({})
          .describe(
            'Folders that the policy binds by name, each "ro" or "rw"; they appear as `/mnt/<name>`.',
          ),
      }),
    ],
    'expected true, false or an object such as { "scratch": true, "mounts": { "data": "ro" } }',
  )
  .default(false)
  .describe('`true`: a writable folder `/scratch`. The object form asks for mounts too.');

const NetworkSchema = z
  .union(
    [
      flag(),
      z.literal('host', 'expected "host"'),
      strictObject({
        hosts: listOf(hostPort(), { min: 1, max: 64 }).describe(
          '`host:port` pairs that may be fetched from.',
        ),
      }),
    ],
    'expected true, false, "host" or an object such as { "hosts": ["api.example.org:443"] }',
  )
  .default(false)
  .describe(
    '`{ hosts }`: the orchestrator fetches for the plugin, for these only. `true`: a bridge network of its own. `"host"`: the network of the host.',
  );

const PermissionsSchema = strictObject({
  filesystem: FilesystemSchema,
  network: NetworkSchema,
  exec: flag().default(false).describe('May start processes, in an image that has a shell.'),
  channels: listOf(text({ max: 64 }), { max: 32 })
    .optional()
    .describe('Channels the plugin may be called from. Absent: any. Empty: none.'),
  secrets: listOf(
    z
      .string('expected a name such as "WEATHER_API_KEY": A-Z, 0-9 and _, at most 64 characters')
      .regex(/^[A-Z][A-Z0-9_]{0,63}$/),
    { max: 32 },
  )
    .default([])
    .describe(
      'Names of secrets that the orchestrator puts into requests; their values never enter the container.',
    ),
});

/** What `plugin.json` may say. */
export const PluginManifestSchema = strictObject({
  $schema: text({ max: 512 }).optional().describe('Address of this schema, for editors; not read.'),
  name: PluginNameSchema.describe('Name of the plugin, unique in a workspace.'),
  version: exactVersion().describe('Exact semantic version.'),
  author: strictObject({
    name: text({ max: 128 }).describe('Name of a person or an organisation.'),
    email: z.email('expected an e-mail address').max(254).optional().describe('Where to reach the author.'),
  }).describe('Who wrote the plugin.'),
  description: text({ max: 1000 }).describe(
    'What the plugin does, for people and for the model that picks tools.',
  ),
  plugin_type: oneOf(['tool', 'middleware', 'hook', 'integration']).describe(
    '`tool` offers a function, `middleware` works on data before and after a model call, `hook` reacts to events, `integration` talks to outside services.',
  ),
  entry_point: entryPoint().describe(
    'File in the plugin folder that exports `execute(context, host)` by name or as default.',
  ),
  enabled: flag().default(true).describe('`false`: loaded but never executed.'),
  preload: flag()
    .default(true)
    .describe(
      'Whether a container that is started ahead loads the plugin before there is a call; `false` for code that does at load what belongs to a call.',
    ),
  tags: listOf(text({ max: 32 }), { max: 32 })
    .default([])
    .describe('Words to find the plugin by.'),
  permissions: PermissionsSchema.prefault({}).describe(
    'What the plugin asks to be allowed; nothing by default.',
  ),
  resources: ResourcesSchema.default({}).describe(
    'How much the plugin asks for; where it is silent the baseline holds.',
  ),
  dependencies: z
    .union(
      [
        z.literal(VENDORED),
        listOf(dependency(), { max: 64, key: (written) => splitDependency(written).name }),
      ],
      'expected a list of npm packages such as ["ms@^2.1.0"], or "vendored" for the `node_modules` of the folder',
    )
    .default([])
    .describe(
      'npm packages as `name@range`, each package once; or "vendored": those in the `node_modules` of the folder. No package script is run at installation.',
    ),
  requires: listOf(
    requirement((written) => PluginNameSchema.safeParse(written).success),
    {
      max: 32,
      key: (written) => splitDependency(written).name,
    },
  )
    .default([])
    .describe(
      'Other plugins that must be installed, as `name@range`, each once; they are loaded first and cannot be unloaded before this one.',
    ),
  engines: strictObject({
    lurkbox: versionRange().default('*').describe('Versions of lurkbox that the plugin works with.'),
  })
    .prefault({})
    .describe('What the plugin needs to run in.'),
  input_schema: jsonSchema()
    .default({})
    .describe('JSON Schema of the input, `inputData` of the context; `{}` accepts anything.'),
  output_schema: jsonSchema().default({}).describe('JSON Schema of the result; `{}` accepts anything.'),
  config_schema: jsonSchema()
    .default({})
    .describe('JSON Schema of the configuration; `{}` accepts anything.'),
});
/** A validated `plugin.json`, defaults filled in. */
export type PluginManifest = z.infer<typeof PluginManifestSchema>;
