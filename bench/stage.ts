import Docker from 'dockerode';
import { findEngine } from '../src/engine/docker/find.ts';
import { createLurkbox, type Lurkbox, type LurkboxOptions } from '../src/index.ts';
import { IMAGE_PATHS } from '../src/spec/build.ts';
import { createWorkspace, removeImagesOf, type Workspace } from '../test/helpers/workspace.ts';
import { createDockerRun } from './peers/docker-run.ts';
import { createDockerode } from './peers/dockerode.ts';
import { CheckedCaller, createCold, createKept, createWarm } from './peers/lurkbox.ts';
import type { Peer, PeerId } from './peers/peer.ts';
import { exportSubject } from './peers/rootfs.ts';
import { createRunc, removeRuncCgroups } from './peers/runc.ts';
import { createSpawned } from './peers/spawned.ts';
import { removePeerContainers, type Subject } from './peers/subject.ts';
import { createTestcontainers } from './peers/testcontainers.ts';
import { ECHO, MANIFEST, PLACES, PLUGIN, POLICY, pluginCode, SESSION, SLEEPERS } from './plugin.ts';

/** What all cells share. */
export interface Stage extends AsyncDisposable {
  readonly workspace: Workspace;
  readonly docker: Docker;
  readonly address: string;
  readonly subject: Subject;
  readonly caller: CheckedCaller;
  /** Has containers wait when it is told to, and is never short of places. */
  readonly lurkbox: Lurkbox;
  /** Lets none wait. */
  readonly cold: Lurkbox;
  readonly peers: ReadonlyMap<PeerId, Peer>;
  /** Why a peer is not among them. */
  readonly missing: Readonly<Partial<Record<PeerId, string>>>;
  /** One more on the same workspace, with its plugins loaded and its image there. Whoever asks for it closes it. */
  createLurkbox(options: LurkboxOptions): Promise<Lurkbox>;
}

export async function createStage(): Promise<Stage> {
  const stack = new AsyncDisposableStack();
  try {
    const stage = await setUp(stack);
    const moved = stack.move();
    return { ...stage, [Symbol.asyncDispose]: () => moved.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function setUp(stack: AsyncDisposableStack): Promise<Omit<Stage, typeof Symbol.asyncDispose>> {
  const { docker, address } = await connectPlainly();
  const workspace = stack.use(await createWorkspace());
  await writePlugins(workspace);
  const open = async (options: LurkboxOptions): Promise<Lurkbox> => {
    const lurkbox = await createLurkbox({ workspaceRoot: workspace.root, policy: POLICY, ...options });
    await lurkbox.plugins.discoverAndLoadAll(workspace.root);
    await lurkbox.plugins.prepare(ECHO);
    return lurkbox;
  };
  stack.defer(async () => removeLeftovers(docker));
  const lurkbox = await open(PLACES);
  stack.defer(async () => removeImages(lurkbox));
  stack.use(lurkbox);
  for (const { name } of lurkbox.plugins.list()) await lurkbox.plugins.prepare(name);
  const cold = stack.use(await open({ maxWarm: 0, concurrency: PLACES.concurrency }));
  const caller = new CheckedCaller();
  const subject = await describeSubject(lurkbox, { docker, address, folder: workspace.root });
  const { peers, missing } = await createPeers(subject, { lurkbox, cold, caller });
  return { workspace, docker, address, subject, caller, lurkbox, cold, peers, missing, createLurkbox: open };
}

/** Without what lurkbox adds to the client. */
async function connectPlainly(): Promise<{ docker: Docker; address: string }> {
  const address = await findEngine();
  const docker =
    'socketPath' in address
      ? new Docker({ socketPath: address.socketPath })
      : new Docker({ host: address.host, port: address.port });
  return { docker, address: address.url };
}

async function writePlugins(workspace: Workspace): Promise<void> {
  for (const name of [ECHO, SESSION, PLUGIN])
    await workspace.addPlugin(name, { manifest: MANIFEST, code: pluginCode() });
  for (const { name, sleepMs } of SLEEPERS)
    await workspace.addPlugin(name, { manifest: MANIFEST, code: pluginCode({ sleepMs }) });
}

async function describeSubject(
  lurkbox: Lurkbox,
  place: Pick<Subject, 'docker' | 'address' | 'folder'>,
): Promise<Subject> {
  const instance = lurkbox.plugins.get(ECHO);
  if (instance === null) throw new Error(`The plugin ${ECHO} could not be loaded.`);
  const { id: image } = await lurkbox.plugins.prepare(ECHO);
  const images = await (await lurkbox.images()).list();
  const imageTag = images.find(({ plugin }) => plugin === ECHO)?.tag ?? image;
  const options = await lurkbox.dockerOptions(instance);
  return { ...place, options, image, imageTag, entryPoint: `${IMAGE_PATHS.plugin}/index.mjs` };
}

async function createPeers(
  subject: Subject,
  { lurkbox, cold, caller }: Pick<Stage, 'lurkbox' | 'cold' | 'caller'>,
): Promise<Pick<Stage, 'peers' | 'missing'>> {
  const exported = await exportSubject(subject);
  const makers: Record<PeerId, () => Peer | Promise<Peer>> = {
    process: () => createSpawned(subject, exported),
    runc: () => createRunc(subject, exported),
    'docker-run': () => createDockerRun(subject),
    dockerode: () => createDockerode(subject),
    testcontainers: () => createTestcontainers(subject),
    'lurkbox-cold': () => createCold({ lurkbox: cold, caller, plugin: ECHO }),
    'lurkbox-warm': () => createWarm({ lurkbox, caller, plugin: ECHO }),
    'lurkbox-session': () => createKept('lurkbox-session', { lurkbox, caller, plugin: SESSION }),
    'lurkbox-plugin': () => createKept('lurkbox-plugin', { lurkbox, caller, plugin: PLUGIN }),
  };
  const peers = new Map<PeerId, Peer>();
  const missing: Partial<Record<PeerId, string>> = {};
  for (const [id, make] of Object.entries(makers) as [PeerId, () => Peer | Promise<Peer>][]) {
    try {
      peers.set(id, await make());
    } catch (error) {
      missing[id] = (error as Error).message;
    }
  }
  return { peers, missing };
}

async function removeImages(lurkbox: Lurkbox): Promise<void> {
  for (const name of [ECHO, SESSION, PLUGIN, ...SLEEPERS.map((sleeper) => sleeper.name)])
    await removeImagesOf(lurkbox, name);
}

async function removeLeftovers(docker: Docker): Promise<void> {
  await removePeerContainers(docker);
  await removeRuncCgroups();
}
