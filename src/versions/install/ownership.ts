import { basename, dirname } from 'node:path';
import { LurkboxError } from '../../errors.ts';
import { discoverPlugins } from '../../manifest/discover.ts';
import { type LoadedPlugin, readPluginName } from '../../manifest/load.ts';
import { quotePath } from '../../printable.ts';
import { isSameOrigin } from '../registry/origin.ts';
import type { InstalledVersion, PluginOrigin, PluginRecord } from '../registry/record.ts';

/** What wants to be known under a name. */
export interface Claim {
  readonly origin: PluginOrigin;
  readonly content: InstalledVersion['content'];
  /** Somebody named this folder, and did not only put it where plugins are looked for. */
  readonly isNamed: boolean;
  /** The policy gives the name something of its own. */
  readonly hasRules: boolean;
}

export interface Surroundings {
  /** Where each folder is a plugin of its own, whoever put it there. */
  readonly pluginsFolder: string;
  /** Whether no plugin is there any more. */
  readonly isGone: (path: string) => boolean;
}

/**
 * How a claim stands to the plugin of that name. A name belongs to the origin that it was installed from first, with all that
 * the policy and somebody's consent give that name; whoever else says it is a stranger. `moved`: the folder was renamed, as
 * its content tells, and nothing is at its old place.
 */
export function standingOf(
  record: PluginRecord,
  { origin, content, isNamed, hasRules }: Claim,
  { pluginsFolder, isGone }: Surroundings,
): 'owner' | 'moved' | 'stranger' {
  const owner = record.origin;
  const isKnown = record.versions.some((version) => isSameOrigin(version.origin, origin));
  if (isSameOrigin(owner, origin)) return 'owner';
  // Releases of one plugin that lie side by side, as `weather-1.0` and `weather-1.1`.
  const isBeside = dirname(owner.path) === dirname(origin.path) && dirname(origin.path) !== pluginsFolder;
  const isRelease = isNamed && (!hasRules || withoutVersion(origin.path) === withoutVersion(owner.path));
  if (isBeside && (isRelease || isKnown)) return 'owner';
  const isSameContent = (record.active ?? record.versions[0])?.content === content;
  return isSameContent && isGone(owner.path) ? 'moved' : 'stranger';
}

/** `weather-1.1` → `weather`. */
function withoutVersion(path: string): string {
  return basename(path).replace(/[-_.@]?v?\d[\w.+-]*$/i, '');
}

/** Another folder in `plugins/` whose manifest says the same name, where the plugin is in there too. */
export async function namesakeOf(plugin: LoadedPlugin, pluginsFolder: string): Promise<string | null> {
  return dirname(plugin.folder) === pluginsFolder ? namesakeIn(pluginsFolder, plugin) : null;
}

/** Another folder in `plugins/` whose manifest says the same name. */
export async function namesakeIn(
  pluginsFolder: string,
  { folder, manifest }: LoadedPlugin,
): Promise<string | null> {
  for (const other of await discoverPlugins(dirname(pluginsFolder)))
    if (other !== folder && (await readPluginName(other)) === manifest.name) return other;
  return null;
}

export function nameIsTaken(folder: string, name: string, owner: string): LurkboxError {
  return new LurkboxError(
    'MANIFEST_INVALID',
    `The plugin in ${quotePath(folder)} has the name of another one.`,
    {
      problems: [
        {
          path: 'name',
          message:
            `\`${name}\` is the plugin in ${quotePath(owner)} already; give this one another name, or have it take that one, ` +
            `with nothing of what was agreed to, by \`lurkbox load --take-name ${quotePath(folder)}\``,
        },
      ],
    },
  );
}
