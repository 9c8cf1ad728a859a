import { createHash } from 'node:crypto';

/** Raised when images of equal inputs come out different, so that no older one is taken for them. */
const FORMAT = 2;

export interface BaseInputs {
  readonly architecture: string;
  readonly nodeIntegrity: string;
  readonly stripped: boolean;
  /** Path and sha256 of every library. */
  readonly libraries: readonly { readonly path: string; readonly sha256: string }[];
  readonly runnerSha256: string;
}

/** A key is the sha256, in hex, of everything an image is made from: same key, same image. */
export function baseImageKey(inputs: BaseInputs): string {
  const { architecture, nodeIntegrity, stripped, runnerSha256 } = inputs;
  const libraries = inputs.libraries.map(({ path, sha256 }) => [path, sha256]).sort();
  return keyOf('base', [architecture, nodeIntegrity, stripped, libraries, runnerSha256]);
}

/** Of an image that the engine builds from a Dockerfile: its text and all that it copies in. */
export function dockerfileKey(inputs: readonly string[]): string {
  return keyOf('dockerfile', inputs);
}

export function execImageKey(inputs: { readonly baseKey: string; readonly busyboxSha256: string }): string {
  return keyOf('base-exec', [inputs.baseKey, inputs.busyboxSha256]);
}

export function pluginImageKey(inputs: {
  readonly baseKey: string;
  /** Of its files and of the lock of its npm packages. */
  readonly digest: string;
  /** Version of what strips the types of its TypeScript. */
  readonly stripper: string;
}): string {
  const { baseKey, digest, stripper } = inputs;
  return keyOf('plugin', [baseKey, digest, stripper]);
}

/** Whether a label holds what a key looks like. */
export function isKey(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** `lurkbox/base:1f2e…`, all 64 digits of the key. For people: which image it is the id says. */
export function imageTag(repository: string, key: string): string {
  return `lurkbox/${repository}:${key}`;
}

function keyOf(kind: string, inputs: readonly unknown[]): string {
  return createHash('sha256')
    .update(JSON.stringify([FORMAT, kind, inputs]))
    .digest('hex');
}
