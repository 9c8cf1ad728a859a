import type { Grant } from '../policy/grant.ts';
import type { Ending } from './ending.ts';
import type { LogBook } from './logs.ts';
import { FAULT_OF, type Outcome } from './outcome.ts';

/** Explains a failure by the sandbox that it happened in. */
interface Hint {
  /**
   * In the words of Node, of libuv or of the C library. The plugin chooses the text and this process matches it, so nothing in
   * it repeats without a bound.
   */
  readonly when: RegExp;
  /** Whether the grant is what explains it. */
  readonly if: (grant: Grant) => boolean;
  readonly say: (grant: Grant) => string;
  /** Whether it is about native code of a package: what was found when the image was built says which and why. */
  readonly isNative?: boolean;
}

const ALWAYS = (): boolean => true;
const MIB = 1024 * 1024;

/** The first hint that fits is given, so the more certain ones come first. */
const HINTS: readonly Hint[] = [
  {
    when: /\bspawn.{0,500}\b(?:EPERM|EACCES)\b|\b(?:EPERM|EACCES)\b.{0,500}\bspawn/,
    if: ({ exec }) => !exec,
    say: () =>
      'This plugin may not start processes: `"exec": true` below `permissions` in plugin.json asks for it, and `allow.exec` in the policy allows it.',
  },
  {
    when: /\bspawn\w{0,20} \S{1,500} ENOENT\b/,
    if: ({ exec }) => exec,
    say: () =>
      'The program, or the one that its first line names (`#!/bin/bash`), is not in the image, which holds Node (`node`) and a shell (`sh`, with the commands of busybox) and nothing else: bring it along in the plugin, or as an npm package.',
  },
  {
    when: /\b(?:ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|EADDRNOTAVAIL|ECONNREFUSED|EAI_FAIL)\b|\bfetch failed\b|\bgetaddrinfo\b/,
    if: ({ network }) => network === 'none',
    say: () =>
      'This plugin has no network, only a loopback of its own: `"network": true` below `permissions` in plugin.json asks for one, and `allow.bridge` in the policy allows it.',
  },
  {
    when: /self[- ]signed certificate|unable to (?:get|verify)[^:]{0,200}certificate|UNABLE_TO_\w|CERT_\w/,
    if: ({ network }) => network !== 'none',
    say: ({ plugin, certificates }) =>
      `The certificate is not signed by one of the authorities that Node knows${certificates.length === 0 ? '' : ', nor by one in the `ca_file` of the policy'}. Where a proxy opens connections, or a service has a certificate of its own authority, \`ca_file\` in the policy, or below \`plugins.${plugin}\`, names a file with the certificates of those authorities.`,
  },
  {
    when: /Proxy response \(407\)|Proxy Authentication Required/i,
    if: ({ proxy }) => proxy !== null,
    say: ({ proxy }) =>
      `The proxy ${proxy?.url} asks for a name and a password, and a plugin has no password to give: have the proxy admit this host by its address.`,
  },
  {
    when: /\b(?:ENOTFOUND|EAI_AGAIN|ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT|ENETUNREACH|EHOSTUNREACH)\b|Connect Timeout Error/,
    if: ({ network, proxy }) => network !== 'none' && proxy === null,
    say: () =>
      'The plugin has a network, and this could not be reached by it. Where the way out leads through a proxy, `proxy` in the policy names it; the proxy settings of the host are not taken over.',
  },
  {
    when: /\b(?:ENOTFOUND|EAI_AGAIN|ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT|ECONNREFUSED|EHOSTUNREACH)\b|Proxy response \(|Connect Timeout Error/,
    if: ({ proxy }) => proxy !== null,
    say: ({ proxy }) =>
      `Connections of this plugin go through the proxy ${proxy?.url} of the policy; the container must reach it by that name, and \`no_proxy\` names hosts that are reached straight.`,
  },
  {
    when: /\bEROFS\b|read-only file system/,
    if: ALWAYS,
    say: ({ scratchBytes, mounts }) => {
      const writable = mounts
        .filter(({ mode }) => mode === 'rw')
        .map(({ containerPath }) => `\`${containerPath}\``);
      const places = ['`/tmp`', ...(scratchBytes > 0 ? ['`/scratch`'] : []), ...writable].join(', ');
      const more = scratchBytes > 0 ? '' : '; `"filesystem": true` below `permissions` adds `/scratch`';
      return `The file system of a container is read-only but for ${places}${more}.`;
    },
  },
  {
    when: /\b(?:EACCES|EPERM)\b.*'\/mnt\//,
    if: ({ mounts }) => mounts.length > 0,
    say: ({ uid }) =>
      `On a mount the permissions of the host hold, and this plugin has the user and group id ${uid}: open the host folder to it, for instance by \`chown -R ${uid}:${uid}\`.`,
  },
  {
    when: /\bENOSPC\b|no space left on device/,
    if: ALWAYS,
    say: ({ tmpBytes, scratchBytes }) =>
      `\`/tmp\` has ${tmpBytes / MIB} MB (\`tmp_mb\` below \`resources\`)${scratchBytes > 0 ? ` and \`/scratch\` ${scratchBytes / MIB} MB (\`scratch_mb\`)` : ''}; both count as memory.`,
  },
  {
    when: /\bEMFILE\b|too many open files/,
    if: ALWAYS,
    say: () =>
      'A process in the sandbox may have 256 files and sockets open at once; close some before opening more.',
  },
  {
    when: /\.so[\w.]{0,40}: cannot open shared object file/,
    if: ALWAYS,
    say: () =>
      'A native package needs a shared library that is not in the image, which holds those of glibc and of GCC; use one that brings its libraries along.',
    isNative: true,
  },
  {
    when: /version [`'"]?(?:GLIBC|GLIBCXX|CXXABI|GCC)_[\d.]{1,20}[`'"]? not found/,
    if: ALWAYS,
    say: () =>
      'A native package was built for a newer glibc than that of the image, which comes from the host: use a version of it that is built for an older one, or a newer host.',
    isNative: true,
  },
  {
    when: /invalid ELF header|wrong ELF class|Exec format error|libc\.musl-/,
    if: ALWAYS,
    say: () =>
      'A native file is made for another system or processor than the image, which is Linux with glibc; bring along the one for it.',
    isNative: true,
  },
  {
    when: /NODE_MODULE_VERSION \d/,
    if: ALWAYS,
    say: () =>
      'A native file was built for another version of Node. Use a version of the package that is built for Node 24, or one that uses Node-API, which is the same in all.',
    isNative: true,
  },
  {
    when: /Could not locate the bindings file|Cannot find module '[^']{0,1000}(?:\.node'|build\/(?:Release|Debug)\/)|No native build was found|[Nn]ative binding|Please reinstall|node-gyp|prebuild|ERR_DLOPEN_FAILED/i,
    if: ALWAYS,
    say: () =>
      'A package has a native part that its install script would have built or fetched, and no script of a package is run. Use one that ships it in its tarball or in a package for the platform, or one without.',
    isNative: true,
  },
  {
    when: /Cannot find (?:package|module) '(?:\.{1,2}|\/plugin)\/[^']{0,1000}'|Directory import '[^']{0,1000}' is not supported/,
    if: ALWAYS,
    say: () =>
      'There is no such file in the plugin. Node takes the name of an import as it is written: with its ending, such as `./helper.ts` or `./lib/index.js`, and in upper and lower case.',
  },
  {
    when: /Cannot find (?:package|module) '(?:@|~)(?:\/|')/,
    if: ALWAYS,
    say: () =>
      'Node reads no `paths` of tsconfig.json: import by a relative path, give the prefix in `imports` of a `package.json` in the folder (`"#lib/*": "./lib/*"`), or bundle the plugin first.',
  },
  {
    when: /Cannot find (?:package|module) '[^./]/,
    if: ALWAYS,
    say: () =>
      'The package is not in the image: name it with its version range in `dependencies` of plugin.json, such as "ms@^2.1.3". The `package.json` of the folder is not read, and its `node_modules` only with `"dependencies": "vendored"`, which packs the packages that lie there.',
  },
  {
    when: /is not supported in strip-only mode/,
    if: ALWAYS,
    say: () =>
      'Node runs TypeScript by leaving its types out: write `enum` as an object (`const Color = { Red: 0 } as const`), parameter properties as fields, namespaces as modules and `import fs = require("fs")` as `import fs from "fs"`, or compile the plugin first.',
  },
  {
    // Node shows the line above its caret.
    when: /(?:^|[\s(,])(?:@[A-Za-z_$][^\n]{0,500}\n[ \t]{0,500}\^\n\nSyntaxError: Invalid or unexpected token|accessor [^\n]{1,500}\n[ \t]{0,500}\^{1,80}\n\nSyntaxError: Unexpected identifier)|SyntaxError: Unexpected token '<'(?:$| \(|\n)/,
    if: ALWAYS,
    say: () =>
      'Node has no decorators (`@name` before a class or a member), no `accessor` and no JSX, neither in TypeScript nor in JavaScript: write them as calls and functions, or compile the plugin first (`tsc`, `esbuild`) and name the output as `entry_point`.',
  },
  {
    when: /does not provide an export named|Named export '[^']{0,1000}' not found\. The requested module '\.{1,2}\//,
    if: ALWAYS,
    say: () =>
      'Where the name is a type of TypeScript, import it by `import type`: types are blanked out and not looked up.',
  },
  {
    when: /heap out of memory|Reached heap limit|heap of V8 was full|limit of \d{1,9} MB|Array buffer allocation failed/,
    if: ALWAYS,
    say: ({ memoryBytes }) =>
      `The container has ${memoryBytes / MIB} MB in all, files in \`/tmp\` included; \`memory_mb\` below \`resources\` in plugin.json asks for more.`,
  },
];

/** Texts are searched up to here, because the beginning of an error says what it is about. */
const MAX_CHARS = 8_000;
/** Searched at the end of the log of a process that ended without an answer, because the last lines say what it died of. */
const LAST_LINES = 20;

/** Of the image, in one hint. */
const MAX_NOTES = 2;

/** An ending with what in the sandbox explains it, where that is known; `notes` are those of the plugin's image. */
export function withHint(ending: Ending, grant: Grant, logs: LogBook, notes: readonly string[] = []): Ending {
  const explained = explain(ending, grant, logs);
  if (explained === null || ending.outcome === 'OK') return ending;
  const { hint, text } = explained;
  const say = hint.isNative === true ? withNotes(hint.say(grant), text, notes) : hint.say(grant);
  return { ...ending, error: { ...ending.error, hint: say } };
}

/** Whether notes of the image say more about an ending. */
export function isAboutNative(ending: Ending, grant: Grant, logs: LogBook): boolean {
  return explain(ending, grant, logs)?.hint.isNative === true;
}

function explain(ending: Ending, grant: Grant, logs: LogBook): { hint: Hint; text: string } | null {
  if (ending.outcome === 'OK' || FAULT_OF[ending.outcome] !== 'plugin') return null;
  const { message, stack } = ending.error;
  const text = [message, stack ?? '', ...lastWords(ending.outcome, logs)].join('\n');
  const hint = findHint(text, grant);
  return hint === undefined ? null : { hint, text };
}

/** Notes about packages that the text names explain it; notes about others only may. */
function withNotes(general: string, text: string, notes: readonly string[]): string {
  const named = notes.filter((note) => {
    const [, name] = /^`(@?[^`@]+)/.exec(note) ?? [];
    return name !== undefined && text.includes(`node_modules/${name}/`);
  });
  return (named.length > 0 ? named : [general, ...notes]).slice(0, MAX_NOTES).join(' ');
}

function lastWords(outcome: Outcome, logs: LogBook): string[] {
  if (outcome !== 'PLUGIN_CRASHED') return [];
  return logs
    .lines()
    .slice(-LAST_LINES)
    .map(({ message }) => message.slice(0, MAX_CHARS / LAST_LINES));
}

/** What in the sandbox explains a failure and what to do about it; `null` where nothing is known. */
export function hintFor(text: string, grant: Grant): string | null {
  return findHint(text, grant)?.say(grant) ?? null;
}

function findHint(text: string, grant: Grant): Hint | undefined {
  const looked = text.slice(0, MAX_CHARS);
  return HINTS.find(({ when, if: fits }) => fits(grant) && when.test(looked));
}
