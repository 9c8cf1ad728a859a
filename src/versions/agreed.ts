import { type PermissionChange, permissionsBeyond } from '../policy/permission-changes.ts';
import type { InstalledVersion, PluginRecord } from './registry/record.ts';
import type { PluginRegistry } from './registry/registry.ts';

/** What a version asks for beyond what was agreed to for its plugin; empty: nothing. Nothing else decides this. */
export function missingConsent(
  { consented }: Pick<PluginRecord, 'consented'>,
  { manifest }: Pick<InstalledVersion, 'manifest'>,
): readonly PermissionChange[] {
  return permissionsBeyond(consented, manifest.permissions);
}

type Permissions = PluginRecord['consented'];

/** What each was compared with last: every call asks, and neither changes. */
const compared = new WeakMap<Permissions, { readonly consented: Permissions; readonly isAgreed: boolean }>();

export function isAgreed(record: PluginRecord, version: InstalledVersion): boolean {
  const { consented } = record;
  const { permissions } = version.manifest;
  const known = compared.get(permissions);
  if (known?.consented === consented) return known.isAgreed;
  const isAgreed = missingConsent(record, version).length === 0;
  compared.set(permissions, { consented, isAgreed });
  return isAgreed;
}

/** A version that asks for no more than is agreed to is agreed to itself: so it stays when the other one is unloaded. */
export function inheritConsent(registry: PluginRegistry, version: InstalledVersion): void {
  const { name, digest, manifest } = version;
  const record = registry.get(name) as PluginRecord;
  const isKnown = record.consents.some((consent) => consent.digest === digest);
  if (!isKnown && isAgreed(record, version))
    registry.setConsents(name, [...record.consents, { digest, permissions: manifest.permissions }]);
}

/** A consent ends with the content that it was given for. */
export function endConsents(registry: PluginRegistry, name: string): void {
  const record = registry.get(name);
  if (record === null) return;
  const installed = new Set(record.versions.map(({ digest }) => digest));
  const left = record.consents.filter(({ digest }) => installed.has(digest));
  if (left.length < record.consents.length) registry.setConsents(name, left);
}
