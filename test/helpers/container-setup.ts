import { join } from 'node:path';
import { connectEngine } from '../../src/engine/docker/connect.ts';
import { HostPrograms } from '../../src/image/host-programs.ts';
import { createImageStore } from '../../src/image/image-store.ts';
import { madeImagesFolder } from '../../src/image/made-images.ts';
import { LABELS } from '../../src/labels.ts';
import { createIdentity, isOwnerDead } from '../../src/sandboxes/cleanup/identity.ts';
import { findOwnerlessGuards } from './orchestrator.ts';
import { until } from './until.ts';
import { createWorkspace } from './workspace.ts';

const CHECKOUT = join(import.meta.dirname, '../..');

/**
 * Runs once before the container tests: without an engine they fail here, with the message that a user would see, and
 * the base image is built once instead of in whichever test comes first. Afterwards nothing of theirs may be left; the
 * processes that ran them have ended by then, so it would be owned by the dead. What somebody else runs on this engine
 * at the same time is not theirs.
 */
export default async function setUp(): Promise<() => Promise<void>> {
  // A run that was cut off may have left some, which wait for its engine.
  const earlier = findOwnerlessGuards(CHECKOUT);
  const engine = await connectEngine();
  await using workspace = await createWorkspace();
  const programs = new HostPrograms(process.env);
  const store = createImageStore({
    engine,
    cacheDir: workspace.root,
    programs,
    madeImagesFolder: madeImagesFolder(process.env),
  });
  await store.prepareBase({ exec: false });
  return async () => {
    const self = createIdentity();
    const containers = await engine.listContainers(`${LABELS.kind}=container`);
    const networks = await engine.listNetworks(`${LABELS.kind}=network`);
    const left = [...containers.map(({ labels, names }) => ({ labels, name: names.join() })), ...networks]
      .filter(({ labels }) => isOwnerDead(labels, self))
      .map(({ name }) => name);
    if (left.length > 0) throw new Error(`the tests left in the engine: ${left.join(', ')}`);
    await untilNoGuardIsLeft(earlier);
  };
}

/** After the last thing that it removed, a guard looks on for a quarter of a minute. */
const GUARD_DEADLINE_MS = 45_000;

async function untilNoGuardIsLeft(earlier: readonly number[]): Promise<void> {
  const left = `no guard of this checkout is left of which the orchestrator is dead`;
  await until(
    left,
    () => findOwnerlessGuards(CHECKOUT).every((pid) => earlier.includes(pid)),
    GUARD_DEADLINE_MS,
  );
}
