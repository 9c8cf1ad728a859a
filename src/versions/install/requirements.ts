import { LurkboxError, type Problem } from '../../errors.ts';
import { splitDependency } from '../../manifest/fields.ts';
import type { LoadedPlugin } from '../../manifest/load.ts';
import { isInRange } from '../reference.ts';
import type { PluginRecord } from '../registry/record.ts';

/** A plugin as far as others can require it. */
export interface Requirable {
  readonly name: string;
  /** All that are installed. */
  readonly versions: readonly string[];
  /** `name@range`, of the version in question. */
  readonly requires: readonly string[];
}

export interface LoadOrder {
  /** Names; what is required comes before what requires it. Without those that have a problem. */
  readonly order: readonly string[];
  /** What keeps a plugin from being loaded, by its name. Each message names the way to it. */
  readonly problems: ReadonlyMap<string, Problem>;
}

/** In which order plugins are loaded, and which cannot be: they require what is missing, does not fit, or requires them. Pure. */
export function orderByRequirements(plugins: readonly Requirable[]): LoadOrder {
  const known = new Map(plugins.map((plugin) => [plugin.name, plugin]));
  const order: string[] = [];
  const faults = new Map<string, Fault & { readonly index: number }>();
  const seen = new Set<string>();

  function visit(plugin: Requirable, trail: readonly string[]): void {
    if (seen.has(plugin.name)) return;
    seen.add(plugin.name);
    const way = [...trail, plugin.name];
    for (const [index, written] of plugin.requires.entries()) {
      const fault = faultOf(written, way);
      if (fault !== null) faults.set(plugin.name, { ...fault, index });
      if (fault !== null) return;
    }
    order.push(plugin.name);
  }

  function faultOf(written: string, way: readonly string[]): Fault | null {
    const self = way.at(-1) as string;
    const { name, range } = splitDependency(written);
    if (way.includes(name)) return { way: [...way.slice(way.indexOf(name)), name], what: 'a circle' };
    const required = known.get(name);
    if (required === undefined) return { way: [self, written], what: `no plugin \`${name}\` is installed` };
    if (!required.versions.some((version) => isInRange(version, range)))
      return { way: [self, written], what: `installed of it: ${required.versions.join(', ')}` };
    visit(required, way);
    const inherited = faults.get(name);
    if (inherited === undefined) return null;
    return inherited.way.includes(self) ? inherited : { ...inherited, way: [self, ...inherited.way] };
  }

  for (const plugin of plugins) visit(plugin, []);
  return { order, problems: new Map([...faults].map(([name, fault]) => [name, toProblem(fault)])) };
}

interface Fault {
  /** From the plugin to what is wrong. */
  readonly way: readonly string[];
  readonly what: string;
}

function toProblem({ way, what, index }: Fault & { readonly index: number }): Problem {
  return { path: `requires.${index}`, message: `cannot be met: ${way.join(' → ')} (${what})` };
}

/** Names of the plugins that would miss something without this version, or without the plugin where `version` is `null`. Pure. */
export function dependentsOf(name: string, version: string | null, plugins: readonly Requirable[]): string[] {
  const installed = plugins.find((plugin) => plugin.name === name)?.versions ?? [];
  // The same number may be installed with another content as well.
  const at = version === null ? -1 : installed.indexOf(version);
  const left = version === null ? [] : installed.filter((_, index) => index !== at);
  return plugins
    .filter((plugin) => plugin.name !== name)
    .filter(({ requires }) =>
      requires.some((written) => {
        const requirement = splitDependency(written);
        return requirement.name === name && !left.some((other) => isInRange(other, requirement.range));
      }),
    )
    .map((plugin) => plugin.name);
}

/** As others can require it: by what is active of it, or else by what is newest. */
export function toRequirable({ name, versions, active }: PluginRecord): Requirable {
  const speaking = active ?? versions[0];
  return {
    name,
    versions: versions.map(({ version }) => version),
    requires: speaking?.manifest.requires ?? [],
  };
}

/** @throws LurkboxError `REQUIREMENT_UNMET` where something that a plugin requires is not installed */
export function assertRequirements(
  { manifest }: Pick<LoadedPlugin, 'manifest'>,
  installed: readonly PluginRecord[],
): void {
  const { name, version, requires } = manifest;
  if (requires.length === 0) return;
  const others = installed.map(toRequirable).filter((other) => other.name !== name);
  const problem = orderByRequirements([{ name, versions: [version], requires }, ...others]).problems.get(
    name,
  );
  if (problem !== undefined) throw requirementUnmet({ manifest }, problem);
}

export function requirementUnmet(
  { manifest: { name, version } }: Pick<LoadedPlugin, 'manifest'>,
  problem: Problem,
): LurkboxError {
  return new LurkboxError('REQUIREMENT_UNMET', `\`${name}@${version}\` cannot be loaded.`, {
    problems: [problem],
  });
}
