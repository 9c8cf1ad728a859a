import type { Lurkbox, PluginInstance } from '../index.ts';
import { escapeControls, quotePath } from '../printable.ts';
import { EXIT } from './exit.ts';
import { paint, print, printJson, toWarning } from './output.ts';
import { describeLock, lockFacts } from './packages.ts';
import { type CommonOptions, type NamedPlugin, withNamed } from './workspace.ts';

/** Every restriction of a plugin with its reason and who decided it. */
export async function explain(named: string, options: CommonOptions): Promise<number> {
  return withNamed(options, [named], async (lurkbox, [plugin]) => {
    const { instance } = plugin as NamedPlugin;
    if (options.json) printJson(await toJson(lurkbox, instance));
    else show(instance);
    return EXIT.ok;
  });
}

async function toJson(lurkbox: Lurkbox, instance: PluginInstance) {
  const { name, version, plugin, grant, rating, restrictions, warnings } = instance;
  const dockerOptions = await lurkbox.dockerOptions(instance);
  const lock = lockFacts(plugin);
  return { name, version, digest: plugin.digest, lock, rating, grant, restrictions, dockerOptions, warnings };
}

function show({ name, version, plugin, rating, restrictions, warnings }: PluginInstance): void {
  print(`${paint('bold', name)} ${version}  ${plugin.digest}`);
  print(`From: ${quotePath(plugin.folder)}`);
  print(escapeControls(plugin.manifest.description));
  const packages = describeLock(plugin);
  if (packages !== null) print(packages);
  for (const warning of warnings) print(toWarning(warning));
  print(`\nSecurity rating ${paint('bold', `${rating.score} of 8`)}`);
  for (const { points, reason } of rating.reasons) print(`  ${points > 0 ? '+' : ''}${points}  ${reason}`);
  print('');
  for (const { control, value, origin, reason } of restrictions) {
    print(`${paint('bold', control)}: ${escapeControls(value)} ${paint('dim', `(${origin})`)}`);
    print(paint('dim', `    ${reason}`));
  }
  print(`\nThe exact Docker options: lurkbox explain ${name} --json`);
}
