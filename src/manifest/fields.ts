import semver from 'semver';
import * as z from 'zod';
import { isPlainText, PLAIN_TEXT } from '../printable.ts';

/**
 * The kinds of value that manifest and policy are made of. Each says in one sentence what it accepts; the value that came is added
 * where the problem is reported.
 */

/** One line of text for people. */
export function text({ min = 1, max }: { min?: number; max: number }) {
  return (
    z
      .string(`expected ${min} to ${max} characters on one line, without control or invisible characters`)
      .min(min)
      .max(max)
      .regex(PLAIN_TEXT)
      // Joiners where they join nothing, too.
      .refine(isPlainText)
  );
}

export function flag() {
  return z.boolean('expected true or false');
}

export function oneOf<const Values extends readonly [string, ...string[]]>(values: Values) {
  return z.enum(values, `expected one of ${values.map((value) => `"${value}"`).join(', ')}`);
}

export function wholeNumber({ min, max }: { min: number; max: number }) {
  return z.int(`expected a whole number from ${min} to ${max}`).min(min).max(max);
}

export function decimal({ min, max }: { min: number; max: number }) {
  return z.number(`expected a number from ${min} to ${max}`).min(min).max(max);
}

/** A list without repetitions. `key` is what must differ; the item itself unless told. */
export function listOf<Item extends z.ZodType>(
  item: Item,
  { max, min = 0, key = String }: { max: number; min?: number; key?: (item: z.output<Item>) => string },
) {
  return z
    .array(item, `expected a list of ${min === 0 ? 'at most' : `${min} to`} ${max} items, none of them twice`)
    .min(min)
    .max(max)
    .refine((items) => items.length > max || new Set(items.map(key)).size === items.length);
}

// Names become folder names, image names and keys of objects.
const UNUSABLE_NAMES = /^(?:constructor|prototype|con|prn|aux|nul|com[0-9]|lpt[0-9])$/;

/** Name of a plugin or of a mount: lower case, so that it is a safe folder, image and argument as it stands. */
export function name({ max, example }: { max: number; example: string }) {
  return z
    .string(
      `expected a name such as "${example}": lower-case letters, digits and single hyphens, a letter first, ` +
        `at most ${max} characters, and none that JavaScript or Windows keeps for itself`,
    )
    .max(max)
    .regex(/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/)
    .refine((value) => !UNUSABLE_NAMES.test(value));
}

const MAX_VERSION_LENGTH = 64;

export function exactVersion() {
  return z
    .string('expected an exact semantic version such as "1.2.0", at most 64 characters')
    .max(MAX_VERSION_LENGTH)
    .refine(isExactVersion);
}

// semver itself forgives blanks and a leading `v`.
function isExactVersion(value: string): boolean {
  if (value.length > MAX_VERSION_LENGTH) return false;
  const parsed = semver.parse(value);
  if (parsed === null) return false;
  const build = parsed.build.length === 0 ? '' : `+${parsed.build.join('.')}`;
  return parsed.version + build === value;
}

const MAX_RANGE_LENGTH = 128;

export function versionRange() {
  return z
    .string('expected a semver range such as "^1.2.0", at most 128 characters')
    .max(MAX_RANGE_LENGTH)
    .refine(isVersionRange);
}

// The length comes first: a range is parsed alternative by alternative.
function isVersionRange(range: string): boolean {
  if (range === '' || range.length > MAX_RANGE_LENGTH || range !== range.trim()) return false;
  return isPlainText(range) && semver.validRange(range) !== null;
}

// The first letter keeps a name from being read as an option or a path by the program that installs it.
const NPM_NAME = /^(?:@[a-z0-9][a-z0-9._~-]*\/)?[a-z0-9][a-z0-9._~-]*$/;
const MAX_NPM_NAME_LENGTH = 214;

export function dependency() {
  return z
    .string(
      'expected an npm package and a semver range, such as "zod@^4.0.0" or "@scope/name@1.x"; ' +
        'no address, git, file, alias or tag',
    )
    .max(MAX_NPM_NAME_LENGTH + MAX_RANGE_LENGTH + 1)
    .refine(isDependency);
}

/** `@scope/name@^1.0.0` → its two halves. */
export function splitDependency(written: string): { name: string; range: string } {
  const at = written.indexOf('@', 1);
  return at === -1
    ? { name: written, range: '' }
    : { name: written.slice(0, at), range: written.slice(at + 1) };
}

function isDependency(written: string): boolean {
  const { name, range } = splitDependency(written);
  return name.length <= MAX_NPM_NAME_LENGTH && NPM_NAME.test(name) && isVersionRange(range);
}

/** Another plugin, as `name@range`; `isName` says what a plugin may be called. */
export function requirement(isName: (name: string) => boolean) {
  return z
    .string('expected a plugin and a semver range, such as "weather@^1.2.0"')
    .max(64 + MAX_RANGE_LENGTH + 1)
    .refine((written) => {
      const { name, range } = splitDependency(written);
      return isName(name) && isVersionRange(range);
    });
}

export function entryPoint() {
  return z
    .string(
      'expected the path of a .js, .mjs, .cjs, .ts, .mts or .cts file inside the plugin folder, such as ' +
        '"index.js" or "src/index.ts": relative, with /, without . or .. segments',
    )
    .max(256)
    .regex(/\.[cm]?[jt]s$/)
    .refine(isPlainRelativePath);
}

function isPlainRelativePath(path: string): boolean {
  if (path.includes('\\') || !isPlainText(path)) return false;
  return path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}

const HOST_PORT = /^(?<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+):(?<port>[1-9][0-9]{0,4})$/;
const MAX_HOST_PORT_LENGTH = 260;

export function hostPort() {
  return z
    .string('expected a host and a port, such as "api.example.org:443"; no scheme, path or wildcard')
    .max(MAX_HOST_PORT_LENGTH)
    .refine((value) => normalizeHostPort(value) !== null)
    .overwrite((value) => normalizeHostPort(value) ?? value);
}

/**
 * Lower case, addresses in their shortest form. The URL parser is the judge of what a host is, as it will be of the
 * address that a plugin fetches: `0x7f.1` or `2130706433` would be another spelling of an address, and is refused.
 */
function normalizeHostPort(written: string): string | null {
  if (written.length > MAX_HOST_PORT_LENGTH) return null;
  const { host, port } = HOST_PORT.exec(written.toLowerCase())?.groups ?? {};
  if (host === undefined || Number(port) > 65_535) return null;
  const url = URL.parse(`http://${host}:${port}`);
  if (url === null || host.endsWith('.') || host.includes('..')) return null;
  if (!host.startsWith('[') && url.hostname !== host) return null;
  return `${url.hostname}:${port}`;
}

const MAX_SCHEMA_DEPTH = 32;
/** The longest list of all tools of a server that was seen has 76 KB, one of its descriptions 34. */
const MAX_SCHEMA_BYTES = 78 * 1024;

/** A JSON Schema as a plugin brings it. Only its size is judged here. */
export function jsonSchema() {
  return z
    .record(z.string(), z.unknown(), 'expected a JSON Schema object, at most 32 levels deep and 78 KiB long')
    .refine((value) => isShallow(value, MAX_SCHEMA_DEPTH) && byteLength(value) <= MAX_SCHEMA_BYTES);
}

function byteLength(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

function isShallow(value: unknown, levels: number): boolean {
  if (value === null || typeof value !== 'object') return true;
  return levels > 0 && Object.values(value).every((inner) => isShallow(inner, levels - 1));
}
