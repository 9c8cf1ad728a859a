import { isAbsolute } from 'node:path';
import * as z from 'zod';
import { exactVersion } from '../../manifest/fields.ts';
import { PluginManifestSchema } from '../../manifest/schema.ts';
import { isPlainText } from '../../printable.ts';
import { PLUGIN_STATES } from './state.ts';

/** What is read from a store or from an import, where somebody may have changed it. */

export const PermissionsSchema = PluginManifestSchema.shape.permissions;

export const IdSchema = z.int('expected the id of a version, a whole number above 0').min(1);

const MAX_PATH_CHARS = 4096;

const path = (expected: string, fits: (value: string) => boolean) =>
  z
    .string(expected)
    .max(MAX_PATH_CHARS)
    .refine((value) => value !== '' && isPlainText(value) && fits(value));

const instant = () => z.iso.datetime('expected a time in UTC such as "2026-01-02T03:04:05.678Z"');

const TallySchema = z.strictObject({ calls: z.int().min(0), failures: z.int().min(0) });
const NO_CALLS = { calls: 0, failures: 0 };

export const CanarySchema = z.strictObject({
  versionId: IdSchema,
  share: z.number('expected a number above 0 and below 1').gt(0).lt(1),
  calls: z.int('expected a whole number above 0').min(1),
  tried: TallySchema.default(NO_CALLS),
  active: TallySchema.default(NO_CALLS),
  silent: z.int().min(0).exactOptional(),
});

/** Longest reason of an `ERROR`, in characters; the rest of a longer one is cut off. */
export const MAX_REASON_CHARS = 2000;

const isBelow = (value: string) =>
  !isAbsolute(value) && value.split('/').every((part) => part !== '' && part !== '.' && part !== '..');

const digest = () =>
  z.templateLiteral(
    ['sha256:', z.string().regex(/^[0-9a-f]{64}$/)],
    'expected "sha256:" and 64 hexadecimal digits',
  );

/** A path as it is stored: below the workspace, or absolute. */
export const OriginSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('folder'),
    path: path('expected an absolute path, or one below the workspace', (value) =>
      isAbsolute(value) ? true : value === '.' || isBelow(value),
    ),
  }),
]);

export const ConsentSchema = z.strictObject({
  digest: digest(),
  permissions: PermissionsSchema,
  at: instant(),
});

/** Contents of one plugin that somebody agreed to; the oldest give way. */
export const MAX_CONSENTS = 1000;

/** Below those that a user namespace maps, and never root. */
export const UidSchema = z.int('expected a user id from 1 to 65535').min(1).max(65_535).nullable();

/** Longest lock of npm packages, in characters. */
const MAX_LOCK_CHARS = 4 * 1024 * 1024;

/** Of a version, all but its manifest. */
export const VERSION_FIELDS = {
  id: IdSchema,
  version: exactVersion(),
  digest: digest(),
  content: digest(),
  lock: z.string('expected the lock of npm packages as text, or null').max(MAX_LOCK_CHARS).nullable(),
  folder: path('expected a path below the folder of lurkbox, without . or .. in it', isBelow),
  origin: OriginSchema,
  state: z.enum(PLUGIN_STATES).exclude(['UNLOADED']),
  reason: z.string('expected a text or null').max(MAX_REASON_CHARS).nullable(),
  installedAt: instant(),
} as const;

export const StatisticsSchema = z
  .strictObject({
    calls: z.int('expected a whole number from 0').min(0),
    failures: z.int('expected a whole number from 0').min(0),
    totalMs: z.number('expected a number from 0').min(0),
    lastCallAt: instant().nullable(),
  })
  .refine(({ calls, failures }) => failures <= calls, 'expected no more failures than calls');
