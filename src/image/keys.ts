import { createHash } from 'node:crypto';

/** Raised when images of equal inputs come out different, so that no older one is taken for them. */
const FORMAT = 1;

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
  readonly digest: string;
  readonly dependencies: readonly string[];
  /** Version of what strips the types of its TypeScript. */
  readonly stripper: string;
}): string {
  const { baseKey, digest, dependencies, stripper } = inputs;
  return keyOf('plugin', [baseKey, digest, [...dependencies].sort(), stripper]);
}

/** `lurkbox/base:1f2e…`: the first 16 characters name the image, the label holds all 64. */
export function imageTag(repository: string, key: string): string {
  return `lurkbox/${repository}:${key.slice(0, 16)}`;
}

function keyOf(kind: string, inputs: readonly unknown[]): string {
  return createHash('sha256')
    .update(JSON.stringify([FORMAT, kind, inputs]))
    .digest('hex');
}
