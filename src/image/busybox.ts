import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { lastLines } from './command.ts';
import { readElf } from './elf.ts';
import type { HostPrograms } from './host-programs.ts';
import type { LayerEntry } from './layer.ts';
import type { Architecture } from './node-binary.ts';

/** A static busybox: the shell and the small tools of the image for `exec: true`. */
export interface Busybox {
  readonly content: Buffer;
  readonly sha256: string;
}

const HOST_PATHS = ['/bin/busybox', '/usr/bin/busybox'];
const APT_TIMEOUT_MS = 2 * 60_000;

/** The busybox of this host; `null` when there is none that runs without libraries. */
export async function findBusybox(architecture: Architecture): Promise<Busybox | null> {
  for (const path of HOST_PATHS) {
    const busybox = await readBusybox(path, architecture);
    if (busybox !== null) return busybox;
  }
  return null;
}

/** Fetches Debian's `busybox-static` into the folder; apt checks its signature. Throws `IMAGE_BUILD_FAILED`. */
export async function fetchBusybox(
  architecture: Architecture,
  folder: string,
  { programs, signal }: { programs: HostPrograms; signal?: AbortSignal },
): Promise<Busybox> {
  const options = { cwd: folder, timeoutMs: APT_TIMEOUT_MS, signal };
  const download = () => programs.run('apt-get', ['download', `busybox-static:${architecture}`], options);
  let apt = await download();
  if (apt !== null && apt.exitCode !== 0) {
    // A fresh machine has no package lists yet.
    await programs.run('apt-get', ['update'], options);
    apt = await download();
  }
  if (apt?.exitCode !== 0) throw missing(apt === null ? 'this host has no apt' : lastLines(apt.stderr));

  const archive = (await readdir(folder)).find((name) => name.endsWith('.deb'));
  const unpack = await programs.run('dpkg-deb', ['--extract', archive ?? '', 'busybox'], options);
  if (unpack?.exitCode !== 0) throw missing(lastLines(unpack?.stderr ?? 'this host has no dpkg-deb'));
  for (const path of HOST_PATHS) {
    const busybox = await readBusybox(join(folder, 'busybox', path), architecture);
    if (busybox !== null) return busybox;
  }
  throw missing('the package holds no static busybox');
}

function missing(reason: string): LurkboxError {
  return new LurkboxError(
    'IMAGE_BUILD_FAILED',
    'the image for `exec: true` needs a static busybox; install it on this host (Debian: `apt-get install ' +
      `busybox-static\`): ${reason}`,
  );
}

async function readBusybox(path: string, architecture: Architecture): Promise<Busybox | null> {
  const content = await readFile(path).catch(() => null);
  if (content === null || !isStatic(content, architecture)) return null;
  return { content, sha256: createHash('sha256').update(content).digest('hex') };
}

function isStatic(file: Buffer, architecture: Architecture): boolean {
  const header = readElf(file);
  return header?.architecture === architecture && !header.hasInterpreter;
}

/** `/bin/busybox` and a link for every tool; `env` also where the first line of scripts looks for it (`#!/usr/bin/env node`). */
export function busyboxEntries({ content }: Busybox): LayerEntry[] {
  return [
    { path: 'bin/busybox', type: 'file', mode: 0o755, content },
    ...APPLETS.map((name) => ({ path: `bin/${name}`, type: 'link', target: 'busybox' }) as const),
    { path: 'usr/bin/env', type: 'link', target: '/bin/busybox' },
  ];
}

/** Tools that work without privileges and that scripts expect. */
const APPLETS = (
  '[ arch ash awk base64 basename bunzip2 bzip2 cat chmod cksum clear cmp comm cp cut date dd df diff dirname dos2unix ' +
  'du echo ed egrep env expand expr factor false fgrep find fold getopt grep groups gunzip gzip head hexdump hostname ' +
  'id install kill killall less link ln ls lzcat md5sum mkdir mkfifo mktemp more mv nl nproc od paste patch pgrep ' +
  'pkill printenv printf ps pwd readlink realpath rev rm rmdir sed seq sh sha1sum sha256sum sha512sum shuf sleep sort ' +
  'split stat strings sum sync tac tail tar tee test time timeout touch tr true truncate tty uname unexpand uniq unix2dos ' +
  'unlink unlzma unxz unzip uptime usleep uudecode uuencode vi wc wget which whoami xargs xxd xzcat yes zcat'
).split(' ');
