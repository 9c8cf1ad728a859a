import type { PluginManifest } from '../manifest/schema.ts';
import { type PluginPolicy, toPluginPolicy } from './plugin-policy.ts';
import { type DecidedResources, decideResources } from './resources.ts';
import type { Policy } from './schema.ts';

/** What a manifest asks for, side by side with what the policy says about this plugin. */
export interface PermissionRequest {
  readonly manifest: PluginManifest;
  /** `null` while the npm packages are not locked, so that it is not known what would run. */
  readonly digest: string | null;
  readonly policy: PluginPolicy;
  readonly scratch: boolean;
  readonly mounts: ReadonlyMap<string, 'ro' | 'rw'>;
  /** `fetch`: single hosts, through the orchestrator. */
  readonly network: 'none' | 'fetch' | 'bridge' | 'host';
  readonly resources: DecidedResources;
}

export function toRequest(
  manifest: PluginManifest,
  policy: Policy,
  digest: string | null,
): PermissionRequest {
  const pluginPolicy = toPluginPolicy(policy, manifest.name);
  const { scratch, mounts } = toFilesystem(manifest.permissions.filesystem);
  return {
    manifest,
    digest,
    policy: pluginPolicy,
    scratch,
    mounts,
    network: toNetwork(manifest.permissions.network),
    resources: decideResources({
      asked: manifest.resources,
      overrides: pluginPolicy.overrides,
      ceilings: pluginPolicy.ceilings,
      hasScratch: scratch,
    }),
  };
}

function toFilesystem(
  asked: PluginManifest['permissions']['filesystem'],
): Pick<PermissionRequest, 'scratch' | 'mounts'> {
  if (typeof asked === 'boolean') return { scratch: asked, mounts: new Map() };
  return { scratch: asked.scratch, mounts: new Map(Object.entries(asked.mounts)) };
}

function toNetwork(asked: PluginManifest['permissions']['network']): PermissionRequest['network'] {
  if (asked === false) return 'none';
  if (asked === true) return 'bridge';
  return asked === 'host' ? 'host' : 'fetch';
}
