import {
  compareLocks,
  type InstalledVersion,
  type LockDifference,
  type Lurkbox,
  LurkboxError,
  parseLock,
} from '../index.ts';
import { EXIT } from './exit.ts';
import { interruption } from './interruption.ts';
import { formatTable, paint, print, printJson } from './output.ts';
import { describeLock, type LockFacts, lockFacts, NOT_LOCKED } from './packages.ts';
import {
  assertKept,
  type CommonOptions,
  isFolder,
  type NamedPlugin,
  nameOf,
  tellFailures,
  unknownPlugin,
  withLurkbox,
  withNamed,
} from './workspace.ts';

export interface LockOptions extends CommonOptions {
  readonly refresh?: boolean;
}

/** Which npm packages plugins have, and whose lock says so; or has npm choose those of one plugin anew. */
export async function lock(reference: string | undefined, options: LockOptions): Promise<number> {
  if (options.refresh === true && (reference === undefined || isFolder(reference)))
    throw new LurkboxError(
      'OPTIONS_INVALID',
      'Expected the name of an installed plugin with --refresh, such as `lurkbox lock --refresh weather`: the digest of each one changes.',
    );
  if (reference !== undefined && isFolder(reference))
    return withNamed(options, [reference], async (_, [plugin]) => {
      const { name, version, plugin: loaded } = (plugin as NamedPlugin).instance;
      show({ ...loaded, name, version }, options);
      return EXIT.ok;
    });
  return withLurkbox(options, async (lurkbox, progress) => {
    const discovery = await lurkbox.plugins.discoverAndLoadAll(lurkbox.workspaceRoot);
    if (reference === undefined) {
      tellFailures(discovery);
      showAll(lurkbox, options);
      return EXIT.ok;
    }
    const version = find(lurkbox, reference);
    if (options.refresh !== true) {
      show(version, options);
      return EXIT.ok;
    }
    assertKept(lurkbox);
    const refreshed = await lurkbox.plugins.refreshPackages(reference, { signal: interruption() });
    progress.end();
    showRefresh(lurkbox, refreshed, options);
    return EXIT.ok;
  });
}

/** `name` alone means the active version, or else the newest. */
function find(lurkbox: Lurkbox, reference: string): InstalledVersion {
  const record = lurkbox.registry.get(nameOf(reference));
  if (record === null) throw unknownPlugin(lurkbox, nameOf(reference));
  const active = reference.includes('@') ? null : record.active;
  return active ?? lurkbox.plugins.newestVersion(reference);
}

type Shown = Pick<InstalledVersion, 'name' | 'version' | 'digest' | 'manifest' | 'lock'>;

/** Whose lock it is, in one word that says the same in JSON and in tables. */
type Whose = 'own' | 'written' | 'vendored' | 'none' | 'not locked yet';

function whoseOf({ locked, source }: LockFacts): Whose {
  if (!locked) return 'not locked yet';
  return source ?? 'none';
}

function toJson(version: Shown) {
  const { name, version: number, digest, manifest, lock: text } = version;
  return {
    name,
    version: number,
    digest,
    dependencies: manifest.dependencies,
    lock: whoseOf(lockFacts(version)),
    packages: packagesOf(text),
  };
}

function packagesOf(text: string | null) {
  if (text === null) return [];
  return Object.entries(parseLock(text).packages).map(([place, entry]) => {
    const { version, integrity, os, cpu, libc } = entry;
    return { name: entry.name ?? nameAt(place), version, integrity, place, os, cpu, libc };
  });
}

function nameAt(place: string): string {
  return place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

function showAll({ registry, workspaceRoot }: Lurkbox, { json }: LockOptions): void {
  const versions = registry.list().flatMap(({ active, versions: all }) => active ?? all[0] ?? []);
  if (json) {
    printJson({ plugins: versions.map(toJson) });
    return;
  }
  if (versions.length === 0) print(`No plugins in ${workspaceRoot}/plugins.`);
  else
    print(
      formatTable(
        ['plugin', 'version', 'lock', 'packages'],
        versions.map((version) => {
          const facts = lockFacts(version);
          return [version.name, version.version, whoseOf(facts), String(facts.packages ?? '–')];
        }),
      ),
    );
}

function show(version: Shown, { json }: LockOptions): void {
  if (json) {
    printJson(toJson(version));
    return;
  }
  print(`${paint('bold', version.name)} ${version.version}  ${version.digest}`);
  const facts = lockFacts(version);
  print(facts.packages === 0 ? 'no npm packages' : (describeLock(version) ?? NOT_LOCKED));
  if (!facts.locked)
    print(
      `  \`lurkbox lock --refresh ${version.name}\` locks them once it is installed, and so does its first call`,
    );
  const packages = packagesOf(version.lock);
  if (packages.length === 0) return;
  const rows = packages.map(({ name, version: number, integrity, place, os, cpu, libc }) => [
    name,
    number,
    `${integrity.slice(0, 'sha512-'.length + 12)}…`,
    [os, cpu, libc].flatMap((list) => list ?? []).join(' '),
    place === `node_modules/${name}` ? '' : place,
  ]);
  print(formatTable(['package', 'version', 'integrity', 'only for', 'at'], rows));
}

function showRefresh(
  lurkbox: Lurkbox,
  { before, after }: { readonly before: InstalledVersion; readonly after: InstalledVersion },
  { json }: LockOptions,
): void {
  const changes =
    before.lock === null ? [] : compareLocks(parseLock(before.lock), parseLock(after.lock ?? before.lock));
  const isActive = lurkbox.registry.get(after.name)?.active?.id === after.id;
  const isChanged = before.digest !== after.digest;
  if (json) {
    printJson({
      ...toJson(after),
      digestBefore: before.digest,
      changed: isChanged,
      changes,
      active: isActive,
    });
    return;
  }
  const full = `${after.name} ${after.version}`;
  if (!isChanged) {
    print(`${paint('green', '✔')} ${full}: the packages are the same  ${after.digest}`);
    return;
  }
  print(`${paint('green', '✔')} ${full}: ${describeLock(after)}`);
  for (const change of changes) print(`  ${describe(change)}`);
  print(`  ${before.digest}\n  is ${after.digest} now`);
  if (before.lock === null) return;
  print(
    '  What names the former digest (a pin in a policy, an agreement by digest elsewhere) has to name the new one; what was agreed to here holds, as it asks for no more.',
  );
  if (isActive) print(`  It is active; \`lurkbox rollback ${after.name}\` takes the former packages back.`);
  else print(`  It is not active; \`lurkbox use ${after.name}@${after.version}#${after.digest}\` switches.`);
}

function describe({ place, from, to }: LockDifference): string {
  const name = place.replace(/^node_modules\//, '');
  if (from === null) return `+ ${name} ${to}`;
  if (to === null) return `- ${name} ${from}`;
  return from === to ? `  ${name} ${to}, of other bytes` : `  ${name} ${from} → ${to}`;
}
