import { LurkboxError } from '../errors.ts';
import type { ImageStore, PreparedImage } from '../image/image-store.ts';
import { isLocked } from '../manifest/load.ts';
import type { SandboxImage } from '../sandboxes/plugin-sandbox.ts';
import type { ImageSupply } from './image-supply.ts';
import type { PluginFiles } from './install/plugin-files.ts';
import type { InstalledVersion } from './registry/record.ts';
import type { VersionGrants } from './version-grants.ts';

export interface VersionImagesOptions {
  readonly grants: VersionGrants;
  readonly files: PluginFiles;
  readonly images: () => Promise<ImageStore>;
  readonly supply: ImageSupply;
}

/** Finds and builds the images of versions. */
export class VersionImages {
  readonly #options: VersionImagesOptions;
  /** Of the last build of a version, until a result told them. */
  readonly #warnings = new Map<number, readonly string[]>();

  constructor(options: VersionImagesOptions) {
    this.#options = options;
  }

  /** Built now if need be, whatever became of earlier tries. */
  async prepare(version: InstalledVersion, signal?: AbortSignal): Promise<PreparedImage> {
    this.#options.supply.forget(version.id);
    return (await this.#find(version)) ?? this.#build(version, signal);
  }

  /** Whether it is there, so that a call of the version waits for no build. `false` also where nobody can tell. */
  async has(version: InstalledVersion): Promise<boolean> {
    return this.#find(version).then(
      (image) => image !== null,
      () => false,
    );
  }

  /** As the sandbox of a version asks for it: its calls wait for a build together. */
  of(version: InstalledVersion): SandboxImage {
    return {
      find: async () => (await this.#find(version))?.id ?? null,
      prepare: async (signal) => (await this.#prepareForCall(version, signal)).id,
      // To explain a failure; one more is not told instead of it.
      notes: () =>
        this.#find(version)
          .then((image) => image?.warnings ?? [])
          .catch(() => []),
      takeWarnings: () => this.#takeWarnings(version.id),
    };
  }

  forget(id: number): void {
    this.#warnings.delete(id);
  }

  async #prepareForCall(version: InstalledVersion, signal?: AbortSignal): Promise<PreparedImage> {
    const present = await this.#find(version);
    if (present !== null) return present;
    return this.#options.supply.wait(version, (waiting) => this.#build(version, waiting), signal);
  }

  async #find(version: InstalledVersion): Promise<PreparedImage | null> {
    const { exec } = this.#options.grants.of(version).grant;
    return (await this.#options.images()).find(version, { exec });
  }

  async #build(version: InstalledVersion, signal: AbortSignal | undefined): Promise<PreparedImage> {
    assertLocked(version);
    const { grants, files, images } = this.#options;
    const { exec } = grants.of(version).grant;
    const store = await images();
    const options = { exec, ...(signal === undefined ? {} : { signal }) };
    const image = await store.prepare(await files.read(version), options);
    if (image.built && image.warnings.length > 0) this.#warnings.set(version.id, image.warnings);
    return image;
  }

  #takeWarnings(id: number): readonly string[] {
    const warnings = this.#warnings.get(id) ?? NONE;
    this.#warnings.delete(id);
    return warnings;
  }
}

const NONE: readonly string[] = [];

/** Nothing runs of which it is not known what it is. */
export function assertLocked(version: InstalledVersion): void {
  if (isLocked(version)) return;
  throw new LurkboxError(
    'STATE_INVALID',
    `The npm packages of \`${version.name}@${version.version}\` are not locked yet; \`lurkbox image build ${version.name}\` locks them, and so does its first call.`,
  );
}
