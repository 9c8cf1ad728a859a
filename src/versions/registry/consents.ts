import { permissionsBeyond, permissionsOfBoth } from '../../policy/permission-changes.ts';
import { PermissionsSchema } from './fields.ts';
import type { Consent, InstalledVersion, Permissions } from './record.ts';

/** All that was agreed to, whichever content it was for. */
export function unionOf(consents: readonly Pick<Consent, 'permissions'>[]): Permissions {
  const distinct = new Map(consents.map(({ permissions }) => [JSON.stringify(permissions), permissions]));
  const [first, ...others] = distinct.values();
  return others.reduce(permissionsOfBoth, first ?? PermissionsSchema.parse({}));
}

type Asking = Pick<InstalledVersion, 'digest' | 'installedAt'> & {
  readonly manifest: Pick<InstalledVersion['manifest'], 'permissions'>;
};

/**
 * A consent to permissions alone, as the first format had it, is one to each content that is installed and asks for no
 * more. Oldest first.
 */
export function attributeConsent(consented: Permissions, versions: readonly Asking[]): Consent[] {
  return versions
    .filter(({ manifest }) => permissionsBeyond(consented, manifest.permissions).length === 0)
    .map(({ digest, manifest, installedAt }) => ({
      digest,
      permissions: manifest.permissions,
      at: installedAt,
    }))
    .sort((one, other) => (one.at < other.at ? -1 : 1));
}
