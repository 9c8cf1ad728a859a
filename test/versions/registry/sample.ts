import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SILENT_LOGGER } from '../../../src/logger.ts';
import { PluginManifestSchema } from '../../../src/manifest/schema.ts';
import type { NewVersion } from '../../../src/versions/registry/record.ts';
import { PluginRegistry } from '../../../src/versions/registry/registry.ts';
import { MINIMAL } from '../../manifest/sample.ts';

/** A version with content of its own; `manifest` is laid over the minimal one. */
export function newVersion(name: string, version = '1.0.0', manifest: object = {}): NewVersion {
  return {
    name,
    version,
    digest: digestOf(`${name}@${version}`),
    content: digestOf(`${name}@${version}`),
    lock: null,
    folder: `plugins/${name}/${version}`,
    origin: { kind: 'folder', path: `/somewhere/${name}` },
    manifest: PluginManifestSchema.parse({ ...MINIMAL, name, version, ...manifest }),
  };
}

export function digestOf(text: string): `sha256:${string}` {
  return `sha256:${Buffer.from(text).toString('hex').padEnd(64, '0').slice(-64)}`;
}

export interface Folder extends AsyncDisposable {
  readonly path: string;
}

/** A folder for one test, removed when it is disposed of. */
export async function createFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'lurkbox-registry-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export function openRegistry(stateFolder: string | null, now?: () => number): Promise<PluginRegistry> {
  return PluginRegistry.open({ stateFolder, logger: SILENT_LOGGER, ...(now === undefined ? {} : { now }) });
}
