import { release } from 'node:os';
import type { ContainerEngine } from './engine.ts';
import { familyOf } from './runtime-families.ts';

/**
 * Whether a folder has the same device and inode in a container as for this process. An engine behind a network or in a
 * virtual machine has a kernel of its own, and so has gVisor; there nobody can compare.
 */
export async function keepsInodes(
  engine: Pick<ContainerEngine, 'endpoint' | 'facts'>,
  runtime: string | null,
): Promise<boolean> {
  const { kernelVersion, runtimes, defaultRuntime } = await engine.facts();
  const { program = '' } = runtimes[runtime ?? defaultRuntime] ?? {};
  return (
    engine.endpoint.connection === 'socket' && kernelVersion === release() && familyOf(program).keepsInodes
  );
}
