import { resolve } from 'node:path';
import { FORMER_NAMES } from '../former-names.ts';
import {
  type InstalledVersion,
  type Lurkbox,
  LurkboxError,
  loadPluginFolder,
  type PluginRecord,
  type Replay,
} from '../index.ts';
import { escapeControls, quotePath } from '../printable.ts';
import { EXIT } from './exit.ts';
import { interruption } from './interruption.ts';
import { formatMs, formatTable, paint, print, printJson, tell, toWarning } from './output.ts';
import { describeLock, lockFacts } from './packages.ts';
import { assertKept, type CommonOptions, nameOf, unknownPlugin, withLurkbox } from './workspace.ts';

export interface LoadCliOptions extends CommonOptions {
  readonly use?: boolean;
  readonly takeName?: boolean;
}

/** Installs a version beside the others; it becomes active where none is. */
export async function load(folder: string, options: LoadCliOptions): Promise<number> {
  // A wrong folder must not get a `.lurkbox`.
  await loadPluginFolder(resolve(folder));
  return withLurkbox(
    options,
    async (lurkbox) => {
      assertKept(lurkbox);
      const activate = options.use === true ? 'always' : 'ifNone';
      const { name, version, plugin, id, warnings } = await lurkbox.plugins.loadPlugin(resolve(folder), {
        activate,
        takeName: options.takeName === true,
      });
      const { active } = requireRecord(lurkbox, name);
      const isActive = active?.id === id;
      const lock = lockFacts(plugin);
      const packages = describeLock(plugin);
      if (options.json)
        printJson({ name, version, digest: plugin.digest, lock, active: active?.version ?? null, warnings });
      else {
        print(
          `${paint('green', '✔')} ${name} ${version} is installed${isActive ? ' and active' : ''}  ${plugin.digest}`,
        );
        if (packages !== null) print(`  ${packages}`);
        for (const warning of warnings) print(`  ${toWarning(warning)}`);
        if (!isActive)
          print(
            `  ${active?.version} stays active; \`lurkbox use ${name}@${version}\` switches, with --canary 10 after a canary`,
          );
      }
      return EXIT.ok;
    },
    { persist: true },
  );
}

export interface UnloadCliOptions extends CommonOptions {
  readonly cascade?: boolean;
}

export async function unload(reference: string, options: UnloadCliOptions): Promise<number> {
  return withPlugin(options, reference, async (lurkbox, { versions }) => {
    assertKept(lurkbox);
    const name = nameOf(reference);
    if (!(await lurkbox.plugins.unloadPlugin(reference, { cascade: options.cascade === true })))
      throw new LurkboxError(
        'PLUGIN_NOT_FOUND',
        `No version ${quotePath(reference)} is installed; installed are: ${versions.map(({ version }) => version).join(', ')}.`,
      );
    const left = lurkbox.registry.get(name)?.versions.map(({ version }) => version) ?? [];
    if (options.json) printJson({ name, left });
    else
      print(
        `${paint('green', '✔')} ${reference} is unloaded${left.length > 0 ? `; left: ${left.join(', ')}` : ''}`,
      );
    const folder = versions.find(({ origin }) =>
      origin.path.startsWith(`${resolve(lurkbox.workspaceRoot, 'plugins')}/`),
    );
    if (folder !== undefined)
      tell(
        `lurkbox: ${quotePath(folder.origin.path)} is still there and is loaded again by the next command; remove it too, or \`lurkbox disable ${name}\``,
      );
    return EXIT.ok;
  });
}

export function enable(name: string, options: CommonOptions): Promise<number> {
  return setEnabled(name, true, options);
}

export function disable(name: string, options: CommonOptions): Promise<number> {
  return setEnabled(name, false, options);
}

async function setEnabled(name: string, isEnabled: boolean, options: CommonOptions): Promise<number> {
  return withPlugin(options, name, async (lurkbox) => {
    assertKept(lurkbox);
    const { version, enabled } = isEnabled
      ? lurkbox.plugins.enablePlugin(name)
      : lurkbox.plugins.disablePlugin(name);
    if (options.json) printJson({ name, version, enabled });
    else print(`${paint('green', '✔')} ${name} ${version} is ${enabled ? 'enabled' : 'disabled'}`);
    return EXIT.ok;
  });
}

export interface UseCliOptions extends CommonOptions {
  /** Percent of the calls. */
  readonly canary?: number;
  readonly canaryCalls?: number;
  /** Former names of the two. */
  readonly trial?: number;
  readonly trialCalls?: number;
  readonly replay?: boolean;
}

export async function use(reference: string, options: UseCliOptions): Promise<number> {
  const { canary: percent = options.trial, canaryCalls: calls = options.trialCalls } = options;
  if (calls !== undefined && percent === undefined)
    throw new LurkboxError(
      'OPTIONS_INVALID',
      '`--canary-calls` counts the calls of a canary: expected `--canary <percent>` beside it, got none.',
    );
  return withPlugin(options, reference, async (lurkbox) => {
    assertKept(lurkbox);
    const { replay, json } = options;
    warnOfFormerFlags(options);
    const canary =
      percent === undefined ? undefined : { share: percent / 100, ...(calls !== undefined && { calls }) };
    const replayed = await lurkbox.plugins.activatePlugin(reference, {
      replay: replay === true,
      signal: interruption(),
      ...(canary !== undefined && { canary }),
    });
    const record = requireRecord(lurkbox, nameOf(reference));
    if (json)
      printJson({
        name: record.name,
        active: record.active?.version ?? null,
        canary: record.canary,
        replay: replayed,
      });
    else {
      if (replayed !== null) showReplay(replayed);
      print(
        canary === undefined
          ? `${paint('green', '✔')} ${record.name} ${record.active?.version} is active`
          : `${paint('green', '✔')} ${reference} gets ${percent} % of the calls; after ${record.canary?.calls} of them it becomes active, or is taken back`,
      );
    }
    return EXIT.ok;
  });
}

function warnOfFormerFlags({ trial, trialCalls }: UseCliOptions): void {
  const used = [
    ...(trial === undefined ? [] : ['--trial']),
    ...(trialCalls === undefined ? [] : ['--trial-calls']),
  ];
  for (const flag of used)
    tell(
      `lurkbox: \`${flag}\` has another name now, \`${FORMER_NAMES.flags.get(flag)}\`; the former one goes with 2.0`,
    );
}

export async function rollback(name: string, options: CommonOptions): Promise<number> {
  return withPlugin(options, name, async (lurkbox, { active }) => {
    assertKept(lurkbox);
    const { version } = lurkbox.plugins.rollbackPlugin(name);
    if (options.json) printJson({ name, active: version, before: active?.version ?? null });
    else
      print(
        `${paint('green', '✔')} ${name} ${version} is active again, instead of ${active?.version ?? 'none'}`,
      );
    return EXIT.ok;
  });
}

export async function info(name: string, options: CommonOptions): Promise<number> {
  return withPlugin(options, name, async (_, record) => {
    if (options.json)
      printJson({
        ...record,
        active: record.active === null ? null : withLockFacts(record.active),
        versions: record.versions.map(withLockFacts),
      });
    else showInfo(record);
    return EXIT.ok;
  });
}

/** The text of a lock is for `lurkbox.registry`. */
function withLockFacts(version: InstalledVersion) {
  return { ...version, lock: lockFacts(version) };
}

function showInfo({ name, origin, versions, active, canary, activeBefore }: PluginRecord): void {
  const shown = active ?? versions[0];
  print(`${paint('bold', name)}  ${escapeControls(shown?.manifest.description ?? '')}`);
  const before = activeBefore.map((id) => versions.find((version) => version.id === id)?.version);
  const rows = versions.map((version) => [
    version.version,
    roleOf(version, active, canary?.versionId),
    version.state,
    version.digest.slice(0, 'sha256:'.length + 12),
    version.installedAt.slice(0, 16).replace('T', ' '),
    String(version.statistics.calls),
    String(version.statistics.failures),
    version.statistics.calls === 0 ? '–' : formatMs(version.statistics.totalMs / version.statistics.calls),
  ]);
  print(formatTable(['version', '', 'state', 'digest', 'installed', 'calls', 'failed', 'mean'], rows));
  for (const { version, reason } of versions)
    if (reason !== null) print(`\n${paint('red', '✖')} ${version}: ${escapeControls(reason)}`);
  if (before.length > 0) print(`\nActive before: ${before.join(', ')}`);
  const requires = shown?.manifest.requires ?? [];
  if (canary !== null)
    print(
      `\nCanary: ${canary.tried.calls} of ${canary.calls} calls; failed ${canary.tried.failures}, and ${canary.active.failures} of ${canary.active.calls} of the active one`,
    );
  if (requires.length > 0) print(`Requires: ${requires.join(', ')}`);
  const packages = shown === undefined ? null : describeLock(shown);
  if (packages !== null) print(`\nPackages: ${packages}`);
  print(`From: ${quotePath(origin.path)}`);
  if (shown !== undefined && shown.origin.path !== origin.path)
    print(`This version: ${quotePath(shown.origin.path)}`);
}

function roleOf(
  { id }: InstalledVersion,
  active: InstalledVersion | null,
  canaryId: number | undefined,
): string {
  if (id === active?.id) return 'active';
  return id === canaryId ? 'canary' : '';
}

function showReplay({ version, calls, differing, worse }: Replay): void {
  print(
    `Replayed ${calls.length} recorded calls on ${version}: ${calls.length - differing} the same, ${differing} different, ${worse} worse`,
  );
  for (const { executionId, before, after, isSame } of calls.filter(({ isSame }) => !isSame).slice(0, 10))
    if (!isSame) print(`  ${executionId}  ${shorten(before)}  →  ${shorten(after)}`);
}

function shorten({ outcome, result }: { outcome: string; result: unknown }): string {
  return outcome === 'OK' ? escapeControls((JSON.stringify(result) ?? 'nothing').slice(0, 60)) : outcome;
}

/** What is in `plugins/` is loaded first, and faults of other plugins there are nothing of this command. */
export async function withPlugin(
  options: CommonOptions,
  reference: string,
  work: (lurkbox: Lurkbox, record: PluginRecord) => Promise<number>,
): Promise<number> {
  return withLurkbox(options, async (lurkbox) => {
    await lurkbox.plugins.discoverAndLoadAll(lurkbox.workspaceRoot);
    return work(lurkbox, requireRecord(lurkbox, nameOf(reference)));
  });
}

export function requireRecord(lurkbox: Lurkbox, name: string): PluginRecord {
  const record = lurkbox.registry.get(name);
  if (record === null) throw unknownPlugin(lurkbox, name);
  return record;
}
