import { connectEngine } from '../../src/engine/connect.ts';
import { createImageStore } from '../../src/image/image-store.ts';
import { LABELS } from '../../src/labels.ts';
import { createWorkspace } from './workspace.ts';

/**
 * Runs once before the container tests: without an engine they fail here, with the message that a user would see, and
 * the base image is built once instead of in whichever test comes first. Afterwards nothing may be left.
 */
export default async function setUp(): Promise<() => Promise<void>> {
  const engine = await connectEngine();
  await using workspace = await createWorkspace();
  await createImageStore({ engine, cacheDir: workspace.root }).prepareBase({ exec: false });
  return async () => {
    const left = await engine.listContainers(`${LABELS.kind}=container`);
    if (left.length > 0) throw new Error(`the tests left containers: ${left.map(({ names }) => names).join(', ')}`);
    const networks = await engine.listNetworks(`${LABELS.kind}=network`);
    if (networks.length > 0) throw new Error(`the tests left networks: ${networks.map(({ name }) => name).join(', ')}`);
  };
}
