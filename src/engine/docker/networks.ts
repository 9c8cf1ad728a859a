import type Docker from 'dockerode';
import { LurkboxError } from '../../errors.ts';
import type { NetworkSummary } from '../engine.ts';
import { ignoring } from './calls.ts';
import { quote } from './errors.ts';

/** A bridge for one container. @throws LurkboxError `ENGINE_INSECURE` when the engine warns of what it made */
export async function createNetwork(
  docker: Docker,
  name: string,
  labels: Readonly<Record<string, string>>,
  abortSignal: AbortSignal,
): Promise<void> {
  const network = await docker.createNetwork({
    Name: name,
    CheckDuplicate: true,
    Driver: 'bridge',
    Internal: false,
    Attachable: false,
    EnableIPv6: false,
    // The only container on it is the plugin's; nothing else may join the conversation.
    Options: { 'com.docker.network.bridge.enable_icc': 'false' },
    Labels: { ...labels },
    abortSignal,
  });
  const warning = (network as unknown as { Warning?: string }).Warning;
  if (warning)
    throw new LurkboxError(
      'ENGINE_INSECURE',
      `The engine warned about a network it created: ${quote(String(warning))}`,
    );
}

export async function removeNetwork(docker: Docker, name: string, abortSignal: AbortSignal): Promise<void> {
  await ignoring([404], () => docker.getNetwork(name).remove({ abortSignal }));
}

export async function listNetworks(
  docker: Docker,
  label: string,
  abortSignal: AbortSignal,
): Promise<NetworkSummary[]> {
  const networks = await docker.listNetworks({ filters: { label: [label] }, abortSignal });
  return networks.map(({ Name, Labels, Created }) => ({
    name: Name,
    labels: Labels ?? {},
    createdAtMs: Date.parse(Created),
  }));
}
