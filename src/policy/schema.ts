import { isAbsolute } from 'node:path';
import * as z from 'zod';
import { deepFreeze } from '../deep-freeze.ts';
import { strictObject } from '../documents/strict-object.ts';
import { flag, listOf, text, wholeNumber } from '../manifest/fields.ts';
import { MountModeSchema, MountNameSchema, PluginNameSchema, ResourcesSchema } from '../manifest/schema.ts';
import { VENDORED_CEILING, VENDORED_LIMITS, type VendoredLimits } from '../manifest/vendored.ts';
import { isPlainText } from '../printable.ts';
import { mountPathFault } from './mount-path.ts';
import { ProxySchema } from './proxy.ts';
import { RESOURCES } from './resources.ts';
import { locale, timeZone } from './time-and-language.ts';
import { DEFAULT_UID_RANGE, SHARED_UID, UID_BOUNDS } from './uids.ts';
import { UNENFORCED_CONTROLS } from './unenforced.ts';

const numbers = ResourcesSchema.shape;

const CeilingsSchema = strictObject({
  memory_mb: numbers.memory_mb.unwrap().default(RESOURCES.memory_mb.ceiling),
  cpu_percent: numbers.cpu_percent.unwrap().default(RESOURCES.cpu_percent.ceiling),
  timeout_seconds: numbers.timeout_seconds.unwrap().default(RESOURCES.timeout_seconds.ceiling),
  pids: numbers.pids.unwrap().default(RESOURCES.pids.ceiling),
  output_kb: numbers.output_kb.unwrap().default(RESOURCES.output_kb.ceiling),
  tmp_mb: numbers.tmp_mb.unwrap().default(RESOURCES.tmp_mb.ceiling),
  scratch_mb: numbers.scratch_mb.unwrap().default(RESOURCES.scratch_mb.ceiling),
});

const MountPathSchema = z.string('expected an absolute path of a folder on the host').check((context) => {
  const fault = mountPathFault(context.value);
  if (fault === null) return;
  const message = `expected a folder that may be shared, and this one ${fault}`;
  context.issues.push({ code: 'custom', message, input: context.value });
});

const MountSchema = strictObject({
  path: MountPathSchema.describe(
    'Absolute path of an existing folder on the host, without symbolic links. Nothing is created. A "rw" folder must not be, hold or lie in the workspace, the policy file, lurkbox and its packages, Node or programs of the host.',
  ),
  mode: MountModeSchema.describe('"ro": plugins may only read it. "rw": those that ask for it may write.'),
});

const AllowSchema = strictObject({
  scratch: flag().default(true).describe('A writable `/scratch` of its own, gone with the container.'),
  bridge: flag()
    .default(false)
    .describe('A bridge network of its own, with the way to the internet and to the host.'),
  host_network: flag()
    .default(false)
    .describe(
      'The network of the host. Takes effect only together with the same switch under `plugins.<name>.allow`.',
    ),
  exec: flag().default(false).describe('Processes, in an image that has a shell.'),
  mounts: z
    .record(MountNameSchema, MountSchema, 'expected an object of mount name to { "path", "mode" }')
    .default({})
    .describe(
      'Host folders under the names that manifests ask for. No plugin gets one before `plugins.<name>.allow.mounts` lists it.',
    ),
});

const PluginAllowSchema = strictObject({
  scratch: flag().optional().describe('Overrides `allow.scratch` for this plugin.'),
  bridge: flag().optional().describe('Overrides `allow.bridge` for this plugin.'),
  host_network: flag()
    .optional()
    .describe('The second switch beside `allow.host_network`; both must be true.'),
  exec: flag().optional().describe('Overrides `allow.exec` for this plugin.'),
  mounts: listOf(MountNameSchema, { max: 16 })
    .default([])
    .describe('Names from `allow.mounts` that this plugin may ask for.'),
});

const runtimeName = () =>
  z
    .string('expected the name of an OCI runtime as the engine has it, such as "runsc"')
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/);

const unenforcedControls = () =>
  listOf(
    z.enum(
      UNENFORCED_CONTROLS,
      `expected one of ${UNENFORCED_CONTROLS.map((name) => `"${name}"`).join(', ')}`,
    ),
    { max: UNENFORCED_CONTROLS.length },
  );

/** More waiting containers than this help no plugin. */
const MAX_WARM = 1024;

const warm = () =>
  z.union(
    [z.literal('adaptive'), z.number().int().min(0).max(MAX_WARM)],
    `expected "adaptive" or a whole number from 0 to ${MAX_WARM}`,
  );

const caFile = () =>
  z
    .string('expected the absolute path of a file with certificates in PEM')
    .max(1024)
    .refine((path) => isAbsolute(path) && isPlainText(path));

const ReuseSchema = strictObject({
  max_calls: z
    .number('expected a whole number')
    .int()
    .min(1)
    .max(1_000_000)
    .default(1000)
    .describe('Calls that one container serves at most.'),
  max_seconds: z
    .number('expected a number of seconds')
    .min(1)
    .max(86_400)
    .default(300)
    .describe('Seconds from its first call on after which a container serves no more calls.'),
});

const RollbackSchema = strictObject({
  failure_percent: z
    .number('expected a number of percent')
    .min(1)
    .max(100)
    .describe('Share of the last calls that failed through the plugin itself.'),
  calls: wholeNumber({ min: 1, max: 10_000 })
    .default(20)
    .describe(
      'How many of the last calls of the version are looked at; until there are as many, nothing happens.',
    ),
});

const uid = () => wholeNumber({ min: UID_BOUNDS.first, max: UID_BOUNDS.last });

const UidsSchema = strictObject({
  first: uid().default(DEFAULT_UID_RANGE.first).describe('The smallest number.'),
  last: uid().default(DEFAULT_UID_RANGE.last).describe('The largest number.'),
});

const MEBIBYTE = 1024 * 1024;

const VendoredSchema = strictObject({
  max_entries: wholeNumber({ min: 1, max: VENDORED_CEILING.maxEntries })
    .default(VENDORED_LIMITS.maxEntries)
    .describe('Files, folders and links in the `node_modules` of one plugin.'),
  max_mb: wholeNumber({ min: 1, max: VENDORED_CEILING.maxBytes / MEBIBYTE })
    .default(VENDORED_LIMITS.maxBytes / MEBIBYTE)
    .describe('Their size together, in MiB.'),
});

const PluginPolicySchema = strictObject({
  digest: z
    .string('expected "sha256:" and 64 hexadecimal digits')
    .regex(/^sha256:[0-9a-f]{64}$/)
    .optional()
    .describe(
      'The only content that this plugin may have, the lock of its npm packages included; any other is denied.',
    ),
  uid: wholeNumber({ min: UID_BOUNDS.first, max: SHARED_UID })
    .optional()
    .describe(
      `The user and group id of its containers: one of \`uids\`, or ${SHARED_UID}, which earlier versions gave to all plugins. Absent: one that no other plugin has, chosen once.`,
    ),
  ceilings: ResourcesSchema.default({}).describe(
    'Replaces single values of `ceilings` for this plugin; the same keys.',
  ),
  allow: PluginAllowSchema.prefault({}).describe('Replaces single values of `allow` for this plugin.'),
  resources: ResourcesSchema.default({}).describe(
    'Values that stand in place of what the manifest asks; the same keys as `ceilings`.',
  ),
  warm: warm().optional().describe('Overrides `warm` for this plugin.'),
  isolation: z
    .enum(['execution', 'session', 'plugin'], 'expected "execution", "session" or "plugin"')
    .default('execution')
    .describe(
      '"execution": a fresh container for each call. "session": one is reused for the calls of one user and session. "plugin": one is reused for all callers, who can then see what others left behind.',
    ),
  reuse: ReuseSchema.prefault({}).describe(
    'How long a reused container serves; without effect for "execution".',
  ),
  rollback: RollbackSchema.optional().describe(
    'When the version that was active before takes the place of the active one by itself. Absent: never.',
  ),
  record_calls: flag()
    .default(false)
    .describe(
      'Whether the contexts and results of the last 100 calls are kept in the workspace, for replaying them against a new version.',
    ),
  oci_runtime: runtimeName().optional().describe('Overrides `oci_runtime` for this plugin.'),
  time_zone: timeZone().optional().describe('Overrides `time_zone` for this plugin.'),
  locale: locale().optional().describe('Overrides `locale` for this plugin.'),
  ca_file: z
    .union([z.literal(false), caFile()], 'expected the absolute path of a file with certificates, or false')
    .optional()
    .describe('Stands in place of `ca_file` for this plugin; false: none.'),
  proxy: z
    .union([z.literal(false), ProxySchema])
    .optional()
    .describe('Stands in place of `proxy` for this plugin; false: none.'),
  accept_unenforced: unenforcedControls()
    .optional()
    .describe('Stands in place of `accept_unenforced` for this plugin.'),
});

/** What `lurkbox.policy.json` may say. */
export const PolicySchema = strictObject({
  $schema: text({ max: 512 }).optional().describe('Address of this schema, for editors; not read.'),
  ceilings: CeilingsSchema.prefault({}).describe(
    'The most that a manifest may ask for. More is denied, never cut down.',
  ),
  allow: AllowSchema.prefault({}).describe('The permissions that a manifest may ask for.'),
  warm: warm()
    .default('adaptive')
    .describe(
      'How many containers of each plugin are started ahead and wait, loaded, for a call: a number, or "adaptive", as many as the calls of the last minute need.',
    ),
  keep_versions: wholeNumber({ min: 0, max: 100 })
    .default(3)
    .describe(
      'Versions of each plugin whose images stay after another one became active, so that a rollback builds nothing.',
    ),
  max_versions: wholeNumber({ min: 1, max: 1000 })
    .default(20)
    .describe(
      'Versions of each plugin that stay installed. When there are more, those installed first are forgotten, with an event; never the active one, a canary or one of `keep_versions`. Of those that failed and never served, three stay.',
    ),
  vendored: VendoredSchema.prefault({}).describe(
    'How large the packages may be that a plugin brings along (`"dependencies": "vendored"`).',
  ),
  oci_runtime: runtimeName()
    .optional()
    .describe('OCI runtime of every container. Absent: the default of the engine.'),
  time_zone: timeZone()
    .default('UTC')
    .describe(
      'Name of the time zone of every container, as in "Europe/Zurich". A call may name another one as `TZ` in `environment` of its context.',
    ),
  locale: locale()
    .optional()
    .describe(
      'Language of dates and numbers where code names none, as in "de-CH". Absent: the default of Node, en-US.',
    ),
  ca_file: caFile()
    .optional()
    .describe(
      'Absolute path of a file on this host with certificates in PEM, and no key: authorities that plugins with a network trust beside those that Node knows. Read with the policy.',
    ),
  proxy: ProxySchema.optional().describe('The way out for plugins with a network.'),
  accept_unenforced: unenforcedControls()
    .default([])
    .describe('Controls that may be missing where the runtime is not known to enforce them.'),
  uids: UidsSchema.prefault({}).describe(
    'The user ids that plugins may have, one each. Numbers that a user or group of this host has are left out; no user of the host of the engine may have one.',
  ),
  plugins: z
    .record(PluginNameSchema, PluginPolicySchema, 'expected an object of plugin name to its rules')
    .default({})
    .describe('Rules for single plugins, by name.'),
});
/** A validated policy, defaults filled in. */
export type Policy = z.infer<typeof PolicySchema> & {
  /** By `ca_file`, what the file held when the policy was read: PEM, in parts. */
  readonly certificates?: Readonly<Record<string, readonly string[]>>;
};

export function toVendoredLimits({ vendored: { max_entries, max_mb } }: Policy): VendoredLimits {
  return { maxEntries: max_entries, maxBytes: max_mb * MEBIBYTE };
}

/** What holds where there is no policy file. */
export const DEFAULT_POLICY: Policy = deepFreeze(PolicySchema.parse({}));
