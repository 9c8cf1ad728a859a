import { describeError, type Lurkbox, type PluginInstance, type PluginRecord } from '../index.ts';
import { escapeControls } from '../printable.ts';
import { EXIT } from './exit.ts';
import { formatTable, paint, print, printJson, toWarning } from './output.ts';
import { lockFacts, NOT_LOCKED } from './packages.ts';
import { type CommonOptions, withLurkbox } from './workspace.ts';

/** What is in `plugins/` and what is installed, broken ones included. Needs no engine. */
export async function list(options: CommonOptions): Promise<number> {
  return withLurkbox(options, async (lurkbox) => {
    const { failed } = await lurkbox.plugins.discoverAndLoadAll(lurkbox.workspaceRoot);
    const broken = failed.map(({ folder, error }) => ({
      folder,
      code: error.code,
      problem: describeError(error),
    }));
    const plugins = lurkbox.registry.list().map((record) => summarise(lurkbox, record));
    if (options.json) printJson({ plugins, broken });
    else show(lurkbox, plugins, broken);
    return EXIT.ok;
  });
}

type Summary = ReturnType<typeof summarise>;

function summarise(lurkbox: Lurkbox, { name, active, versions, canary }: PluginRecord) {
  const shown = active ?? versions[0];
  if (shown === undefined) throw new Error(`\`${name}\` has no version.`);
  const instance = lurkbox.plugins.get(name);
  const { manifest, digest, origin } = shown;
  return {
    name,
    version: shown.version,
    state: shown.state,
    reason: shown.reason,
    enabled: active?.state === 'ENABLED',
    type: manifest.plugin_type,
    description: manifest.description,
    tags: manifest.tags,
    /** Whether somebody has to agree to it first. */
    awaitsConsent:
      active === null && lurkbox.plugins.missingConsent(`${name}@${shown.version}#${digest}`).length > 0,
    /** `null` where nobody agreed to it, or the policy denies it by now. */
    rating: instance?.rating.score ?? null,
    digest,
    lock: lockFacts(shown),
    folder: origin.path,
    grant: instance?.grant ?? null,
    warnings: instance?.warnings ?? [],
    versions: versions.map(({ version, state }) => ({ version, state })),
    canary: versions.find(({ id }) => id === canary?.versionId)?.version ?? null,
  };
}

function show(
  lurkbox: Lurkbox,
  plugins: readonly Summary[],
  broken: readonly { folder: string; problem: string }[],
): void {
  if (plugins.length > 0) {
    const head = ['plugin', 'version', 'type', 'rating', 'extra permissions', 'enabled', 'other versions'];
    print(formatTable(head, plugins.map(toRow)));
    for (const { name, lock, warnings } of plugins) {
      if (!lock.locked)
        print(`${name}: ${NOT_LOCKED}; its first call, or \`lurkbox image build ${name}\`, locks them`);
      for (const warning of warnings) print(`${name}: ${toWarning(warning)}`);
    }
  } else if (broken.length === 0) {
    print(
      `No plugins in ${lurkbox.workspaceRoot}/plugins. A plugin is a folder there with a plugin.json; ` +
        '`lurkbox load <folder>` installs one from elsewhere.',
    );
  }
  for (const { folder, problem } of broken) {
    print(
      `\n${paint('red', '✖')} ${escapeControls(folder)}\n  ${problem.split('\n').map(escapeControls).join('\n  ')}`,
    );
  }
}

function toRow({
  name,
  version,
  state,
  enabled,
  type,
  rating,
  awaitsConsent,
  grant,
  versions,
  canary,
}: Summary): string[] {
  const others = versions.filter((other) => other.version !== version);
  return [
    name,
    version,
    type,
    rating === null ? (awaitsConsent ? 'needs consent' : 'denied') : `${rating} of 8`,
    grant === null ? '' : opened(grant).join(', ') || 'nothing',
    enabled ? 'yes' : state === 'DISABLED' ? 'no' : state,
    others.map((other) => `${other.version}${markOf(other, canary)}`).join(', '),
  ];
}

function markOf({ version, state }: { version: string; state: string }, canary: string | null): string {
  if (version === canary) return ' (canary)';
  return state === 'ERROR' ? ' (ERROR)' : '';
}

function opened({ network, exec, scratchBytes, mounts }: PluginInstance['grant']): string[] {
  return [
    ...(network === 'none' ? [] : [`network ${network}`]),
    ...(exec ? ['exec'] : []),
    ...(scratchBytes > 0 ? ['scratch'] : []),
    ...mounts.map(({ name, mode }) => `mount ${name} (${mode})`),
  ];
}
