import type { Policy } from './schema.ts';
import type { UnenforcedControl } from './unenforced.ts';

/** An OCI runtime that containers are started with, as the policy has it. */
export interface NamedRuntime {
  /** Where the policy names it. */
  readonly path: string;
  /** `null`: the default of the engine. */
  readonly runtime: string | null;
  readonly acceptUnenforced: readonly UnenforcedControl[];
}

/** The runtime of all plugins, and those that single plugins have. */
export function namedRuntimes({
  oci_runtime: runtime,
  accept_unenforced: accepted,
  plugins,
}: Policy): NamedRuntime[] {
  const ofPlugins = Object.entries(plugins).flatMap(([name, plugin]) => {
    if (plugin.oci_runtime === undefined) return [];
    const acceptUnenforced = plugin.accept_unenforced ?? accepted;
    return [{ path: `plugins.${name}.oci_runtime`, runtime: plugin.oci_runtime, acceptUnenforced }];
  });
  return [{ path: 'oci_runtime', runtime: runtime ?? null, acceptUnenforced: accepted }, ...ofPlugins];
}
