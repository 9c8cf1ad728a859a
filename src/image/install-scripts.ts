import { findFrom } from '../manifest/npm-lock-file.ts';
import { cutWhole, printable } from '../printable.ts';
import { type ImageContent, type PackageFacts, subjectOf } from './content-survey.ts';
import type { NativeFiles } from './native-needs.ts';
import { RealPaths } from './real-paths.ts';

const SHOWN_SCRIPT_CHARS = 100;

/** Scripts that compile, or fetch what was compiled. */
const BUILDS_NATIVE =
  /node-gyp|node-pre-gyp|prebuild|cmake-js|electron-rebuild|\bcargo\b|\bneon\b|\bmake\b|napi|bindings/;

/** Scripts whose author lets them fail, or that say something and do nothing. */
const MAY_FAIL =
  /\|\|\s*(?:true|:|exit 0|echo\b|node -e)|\btry\s*\{|\.catch\(|\bonly-allow\b|^\s*(?:echo|opencollective)\b/;

/** Scripts that give nothing to the package, though nothing in their text shows that. */
const HARMLESS: ReadonlySet<string> = new Set([
  // Warns of version ranges.
  'protobufjs',
  // Builds something that makes it faster, and does without.
  'ssh2',
  // Writes settings for the browser where an app has some.
  '@firebase/util',
]);

/** What others take in place of packages that are built where they are installed. */
const INSTEAD: Readonly<Record<string, string>> = {
  'better-sqlite3': '`node:sqlite`, which is part of Node, or `sql.js`',
  canvas: '`@napi-rs/canvas`',
  'node-sass': '`sass`',
  re2: '`re2-wasm`',
  sqlite3: '`node:sqlite`, which is part of Node, or `sql.js`',
};

/**
 * One note for each package that needs its install script: it has one, whoever uses it cannot do without the package, the script
 * may not fail, and nothing native that works came along with the package or with one that it names.
 */
export function installScriptNotes(
  content: ImageContent,
  natives: NativeFiles,
  dependencies: readonly string[],
): string[] {
  const find = finderIn(content);
  const optional = optionalOnly(content, dependencies, find);
  return [...content.packages].flatMap(([folder, facts]) => {
    const script = scriptOf(folder, facts, content);
    if (script === null || optional.has(folder) || HARMLESS.has(facts.name) || MAY_FAIL.test(script.text))
      return [];
    // Addons that are there have warnings of their own.
    if (natives.addons.has(folder) || natives.worksFor(folder)) return [];
    const others = [...facts.optional, ...facts.requires].map((name) => find(folder, name));
    if (others.some((place) => place !== null && natives.worksFor(place))) return [];
    return [toNote(subjectOf(folder, content), facts.name, script)];
  });
}

interface InstallScript {
  readonly text: string;
  readonly isNative: boolean;
}

/** What npm would run; with a `binding.gyp` and no script it compiles. */
function scriptOf(
  folder: string,
  { scripts, mayCompile }: PackageFacts,
  { paths }: ImageContent,
): InstallScript | null {
  const { preinstall, install, postinstall } = scripts;
  const written = [preinstall, install, postinstall].filter((one) => one !== undefined && one.trim() !== '');
  const hasBinding = paths.has(`${folder}/binding.gyp`) && mayCompile;
  if (written.length === 0 && !hasBinding) return null;
  const text = written.length === 0 ? 'node-gyp rebuild' : written.join(' && ').slice(0, 1_000);
  return { text, isNative: hasBinding || BUILDS_NATIVE.test(text) };
}

function toNote(subject: string, name: string, { text, isNative }: InstallScript): string {
  const script = printable(cutWhole(text, SHOWN_SCRIPT_CHARS));
  const instead = Object.hasOwn(INSTEAD, name) ? ` Instead: ${INSTEAD[name]}.` : '';
  return isNative
    ? `${subject} has a native part that its install script ("${script}") would build or fetch, and no script of a package is run, so it will not load. Use a package that ships its native part in its tarball or in packages for each platform, or one without.${instead}`
    : `${subject} has an install script ("${script}"), and no script of a package is run. If it needs what the script makes or fetches, that is missing.${instead}`;
}

/** Packages that others take where they can be had, and do without where they cannot. */
function optionalOnly(
  content: ImageContent,
  dependencies: readonly string[],
  find: FindPackage,
): ReadonlySet<string> {
  const optional = new Set<string>();
  const needed = new Set(dependencies.map((name) => find('', name) ?? ''));
  for (const [folder, facts] of content.packages) {
    for (const name of facts.optional) optional.add(find(folder, name) ?? '');
    for (const name of facts.requires) needed.add(find(folder, name) ?? '');
  }
  return new Set([...optional].filter((place) => !needed.has(place)));
}

/** Finds packages from others as Node does, behind all links; `null` where it finds none. */
type FindPackage = (from: string, name: string) => string | null;

function finderIn({ packages, links }: ImageContent): FindPackage {
  const realPaths = new RealPaths(links);
  const has = (path: string): boolean => packages.has(realPaths.of(path));
  return (from, name) => {
    const place = findFrom(from, name, { has });
    return place === null ? null : realPaths.of(place);
  };
}
