import { describeError, type Lurkbox, type PluginInstance } from '../index.ts';
import { harmless } from '../printable.ts';
import { EXIT } from './exit.ts';
import { formatTable, paint, print, printJson } from './output.ts';
import { type CommonOptions, withLurkbox } from './workspace.ts';

/** What is in `plugins/`, broken ones included. Needs no engine. */
export async function list(options: CommonOptions): Promise<number> {
  return withLurkbox(options, async (lurkbox) => {
    const { failed } = await lurkbox.plugins.discoverAndLoadAll(lurkbox.workspaceRoot);
    const broken = failed.map(({ folder, error }) => ({
      folder,
      code: error.code,
      problem: describeError(error),
    }));
    if (options.json) printJson({ plugins: lurkbox.plugins.list().map(summarise), broken });
    else show(lurkbox, broken);
    return EXIT.ok;
  });
}

function summarise({ name, version, enabled, plugin, rating, grant }: PluginInstance) {
  const { plugin_type: type, description, tags } = plugin.manifest;
  return {
    name,
    version,
    enabled,
    type,
    description,
    tags,
    rating: rating.score,
    digest: plugin.digest,
    folder: plugin.folder,
    grant,
  };
}

function show(lurkbox: Lurkbox, broken: readonly { folder: string; problem: string }[]): void {
  const plugins = lurkbox.plugins.list();
  if (plugins.length > 0) {
    const head = ['plugin', 'version', 'type', 'rating', 'opened beyond the baseline', 'enabled'];
    print(formatTable(head, plugins.map(toRow)));
  } else if (broken.length === 0) {
    print(`No plugins in ${lurkbox.workspaceRoot}/plugins. A plugin is a folder there with a plugin.json.`);
  }
  for (const { folder, problem } of broken) {
    print(`\n${paint('red', '✖')} ${harmless(folder)}\n  ${problem.split('\n').map(harmless).join('\n  ')}`);
  }
}

function toRow({ name, version, enabled, plugin, rating, grant }: PluginInstance): string[] {
  return [
    name,
    version,
    plugin.manifest.plugin_type,
    `${rating.score} of 8`,
    opened(grant).join(', ') || 'nothing',
    enabled ? 'yes' : 'no',
  ];
}

function opened({ network, exec, scratchBytes, mounts }: PluginInstance['grant']): string[] {
  return [
    ...(network === 'none' ? [] : [`network ${network}`]),
    ...(exec ? ['exec'] : []),
    ...(scratchBytes > 0 ? ['scratch'] : []),
    ...mounts.map(({ name, mode }) => `mount ${name} (${mode})`),
  ];
}
