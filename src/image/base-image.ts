import { link, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { EngineFacts } from '../engine/engine.ts';
import { LurkboxError } from '../errors.ts';
import { sha256Of } from '../manifest/digest.ts';
import { BASELINE, SHARED_UID } from '../policy/baseline.ts';
import { IMAGE_PATHS } from '../spec/build.ts';
import { createTempFolder } from '../storage/temp-folder.ts';
import { type BuildContext, type ImageName, imageLabels } from './build-context.ts';
import type { HostPrograms } from './host-programs.ts';
import { baseImageKey, dockerfileKey, imageTag } from './keys.ts';
import { type LayerEntry, writeLayer } from './layer.ts';
import { findLibraries, type Library, verifyLibraries } from './libraries.ts';
import { loadImage } from './load-image.ts';
import { type Architecture, canStrip, fetchNodeBinary, NODE_BINARIES, NODE_VERSION } from './node-binary.ts';

/** How the base image comes to be; which one it is follows from it alone. */
export type BasePlan = AssemblyPlan | DockerfilePlan;

export interface AssemblyPlan extends ImageName {
  readonly method: 'assemble';
  readonly architecture: Architecture;
  readonly libraries: readonly Library[];
  readonly strip: boolean;
  readonly runner: Buffer;
}

export interface DockerfilePlan extends ImageName {
  readonly method: 'dockerfile';
  readonly architecture: Architecture;
  readonly dockerfile: string;
  readonly runner: Buffer;
}

const RUNNER = new URL('../../dist/runner.cjs', import.meta.url);
const DOCKERFILE = new URL('../../images/Dockerfile', import.meta.url);

/**
 * Assembles where this host has what the engine's platform needs, and falls back to the Dockerfile elsewhere. Reads a
 * few megabytes of libraries and no Node. Throws `IMAGE_BUILD_FAILED`.
 */
export async function planBase(
  { platform }: EngineFacts,
  programs: HostPrograms,
  method: BasePlan['method'] | undefined,
): Promise<BasePlan> {
  const architecture = toArchitecture(platform);
  const runner = await readRunner();
  const libraries = method === 'dockerfile' ? null : await hostLibraries(architecture);
  if (libraries !== null) return planAssembly({ architecture, libraries, runner }, programs);
  if (method === 'assemble') {
    throw new LurkboxError(
      'IMAGE_BUILD_FAILED',
      `the base image cannot be assembled here: it takes the libraries of a Linux host with glibc for ${architecture}`,
    );
  }
  return planDockerfile({ architecture, runner });
}

function toArchitecture({ os, architecture }: EngineFacts['platform']): Architecture {
  if (os === 'linux' && architecture in NODE_BINARIES) return architecture as Architecture;
  const known = Object.keys(NODE_BINARIES).map((name) => `linux/${name}`);
  throw new LurkboxError(
    'IMAGE_BUILD_FAILED',
    `expected an engine for ${known.join(' or ')}, got one for ${os}/${architecture}`,
  );
}

async function readRunner(): Promise<Buffer> {
  try {
    return await readFile(RUNNER);
  } catch (cause) {
    throw new LurkboxError('IMAGE_BUILD_FAILED', '`dist/runner.cjs` is missing; build lurkbox first', {
      cause,
    });
  }
}

async function hostLibraries(architecture: Architecture): Promise<Library[] | null> {
  const isThisHost = process.platform === 'linux' && process.arch === NODE_BINARIES[architecture].cpu;
  return isThisHost ? findLibraries(architecture) : null;
}

async function planAssembly(
  parts: Pick<AssemblyPlan, 'architecture' | 'libraries' | 'runner'>,
  programs: HostPrograms,
): Promise<AssemblyPlan> {
  const strip = await canStrip(programs);
  const key = baseImageKey({
    architecture: parts.architecture,
    nodeIntegrity: NODE_BINARIES[parts.architecture].integrity,
    stripped: strip,
    libraries: parts.libraries,
    runnerSha256: sha256Of(parts.runner),
  });
  return { ...parts, method: 'assemble', strip, key, tag: imageTag('base', key) };
}

async function planDockerfile(
  parts: Pick<DockerfilePlan, 'architecture' | 'runner'>,
): Promise<DockerfilePlan> {
  const dockerfile = await readFile(DOCKERFILE, 'utf8');
  const key = dockerfileKey([parts.architecture, dockerfile, sha256Of(parts.runner)]);
  return { ...parts, method: 'dockerfile', dockerfile, key, tag: imageTag('base', key) };
}

/** Puts the base image together from files and loads it; answers its id. Throws `IMAGE_BUILD_FAILED`. */
export async function assembleBase(plan: AssemblyPlan, context: BuildContext): Promise<string | null> {
  const { cacheDir, report, signal } = context;
  await using folder = await createTempFolder(cacheDir);
  report('fetchNode', NODE_VERSION);
  const node = await fetchNodeBinary(plan, folder.path, context);
  report('assembleBase');
  await verifyRoot(join(folder.path, 'root'), node, plan);
  const layers = [
    await writeLayer(join(folder.path, 'system.tar'), await systemEntries(node, plan), signal),
    await writeLayer(join(folder.path, 'runner.tar'), runnerEntries(plan), signal),
  ];
  report('loadImage');
  const { tag, architecture } = plan;
  return await loadImage(
    {
      tag,
      architecture,
      labels: imageLabels('base', plan),
      layers: layers.map((layer) => ({ diffId: layer.diffId, content: layer })),
    },
    context,
  );
}

async function verifyRoot(
  root: string,
  node: string,
  { architecture, libraries }: AssemblyPlan,
): Promise<void> {
  for (const { path, content } of libraries) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content, { mode: 0o755 });
  }
  await mkdir(dirname(join(root, IMAGE_PATHS.node)), { recursive: true });
  await link(node, join(root, IMAGE_PATHS.node));
  await verifyLibraries(root, IMAGE_PATHS.node, architecture);
}

/** Everything below the runner: what rarely changes, so that engines keep it when the runner does. */
async function systemEntries(node: string, { libraries }: AssemblyPlan): Promise<LayerEntry[]> {
  const { size } = await stat(node);
  const entries: LayerEntry[] = [
    ...MOUNT_POINTS,
    ...Object.entries(SYSTEM_FILES).map(([path, text]) => toFile(path, Buffer.from(text))),
    ...libraries.map(({ path, content }) => toFile(path.slice(1), content, 0o755)),
    toFile(IMAGE_PATHS.node.slice(1), { file: node, sizeBytes: size }, 0o755),
  ];
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function runnerEntries({ runner }: AssemblyPlan): LayerEntry[] {
  return [toFile(IMAGE_PATHS.runner.slice(1), runner)];
}

function toFile(
  path: string,
  content: Buffer | { file: string; sizeBytes: number },
  mode = 0o644,
): LayerEntry {
  return { path, type: 'file', mode, content };
}

/** Where the engine and the spec mount something; the root is read-only, so they have to be there. */
const MOUNT_POINTS: readonly LayerEntry[] = [
  { path: 'dev', type: 'folder' },
  { path: 'mnt', type: 'folder' },
  { path: IMAGE_PATHS.plugin.slice(1), type: 'folder' },
  { path: 'proc', type: 'folder' },
  { path: BASELINE.scratch.value.path.slice(1), type: 'folder' },
  { path: 'sys', type: 'folder' },
  { path: BASELINE.tmp.value.path.slice(1), type: 'folder', mode: 0o1777 },
];

const SYSTEM_FILES: Readonly<Record<string, string>> = {
  'etc/group': `root:x:0:\nplugin:x:${SHARED_UID}:\n`,
  // The engine mounts its own over these three.
  'etc/hostname': '',
  'etc/hosts': '127.0.0.1 localhost\n::1 localhost\n',
  'etc/resolv.conf': '',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
  'etc/passwd': `root:x:0:0:root:/nonexistent:/nonexistent\nplugin:x:${SHARED_UID}:${SHARED_UID}:plugin:/tmp:/nonexistent\n`,
};
