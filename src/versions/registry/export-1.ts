import { isAbsolute } from 'node:path';
import * as z from 'zod';
import { type Checked, check } from '../../documents/problems.ts';
import { attributeConsent } from './consents.ts';
import { PermissionsSchema, VERSION_FIELDS } from './fields.ts';

/** Of an export of version 1, what became something else; the rest is checked as the present version is. */
const Export1Schema = z.looseObject({
  version: z.literal(1),
  plugins: z.array(
    z.looseObject({
      active: z.unknown(),
      consented: PermissionsSchema,
      versions: z
        .array(
          z.looseObject({
            id: z.unknown(),
            digest: VERSION_FIELDS.digest,
            source: z.string('expected an absolute path').refine(isAbsolute, 'expected an absolute path'),
            manifest: z.looseObject({ permissions: PermissionsSchema }),
            installedAt: VERSION_FIELDS.installedAt,
          }),
        )
        .min(1, 'expected at least one version'),
    }),
    'expected a list of plugins',
  ),
});

export function isOfVersion1(value: unknown): boolean {
  return z.looseObject({ version: z.literal(1) }).safeParse(value).success;
}

/** As the present version would say it. */
export function upgradeExport(value: unknown): Checked<unknown> {
  const checked = check(Export1Schema, value);
  if (!checked.ok) return checked;
  const plugins = checked.value.plugins.map(({ consented, versions, ...plugin }) => {
    const speaking = versions.find(({ id }) => id === plugin.active) ?? versions[0]!;
    return {
      ...plugin,
      origin: { kind: 'folder', path: speaking.source },
      consents: attributeConsent(consented, versions),
      versions: versions.map(({ source: path, ...version }) => ({
        ...version,
        content: version.digest,
        lock: null,
        origin: { kind: 'folder', path },
      })),
    };
  });
  return { ok: true, value: { ...checked.value, version: 2, plugins } };
}
