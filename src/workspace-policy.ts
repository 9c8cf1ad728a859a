import { lstat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { engineCandidates } from './engine/docker/candidates.ts';
import type { ContainerEngine } from './engine/engine.ts';
import { LurkboxError, type Problem } from './errors.ts';
import { type LurkboxConfig, normalizeOptions } from './options.ts';
import { checkPolicyFile, type PolicyCheck } from './policy/check-file.ts';
import type { FormerKey } from './policy/former-keys.ts';
import { assertMountsSpare, type GuardedPlace } from './policy/guarded-places.ts';
import { placesOfHost } from './policy/host-places.ts';
import { loadPolicy, POLICY_FILE, parsePolicy } from './policy/load.ts';
import type { Policy } from './policy/schema.ts';

/** The policy of the options, or else of the workspace; the default where there is none. @throws LurkboxError `POLICY_INVALID` */
export async function readPolicy(config: LurkboxConfig): Promise<Policy> {
  const { policy, workspaceRoot, logger } = config;
  const onFormerKeys = (keys: readonly FormerKey[]): void =>
    logger.warn(
      { keys: Object.fromEntries(keys.map(({ path, now }) => [path, now])) },
      'keys of the policy have other names now; `lurkbox policy check --write` renames them in its file',
    );
  if (typeof policy === 'object') return sparing(config, await parsePolicy(policy, { onFormerKeys }), null);
  if (policy !== undefined) return sparing(config, await loadPolicy(policy, { onFormerKeys }), policy);
  const file = await findPolicyFile(workspaceRoot);
  // Resolved, so that somebody who fills a workspace cannot have a file outside of it read.
  return sparing(config, await loadPolicy(file, { path: 'resolved', onFormerKeys }), file);
}

/**
 * Says everything that is wrong in a policy file, or else in that of the workspace; `null` where there is none. `write` gives
 * keys that have their former names the ones of today, and leaves all else as it is.
 * @throws LurkboxError `POLICY_INVALID` where the file cannot be read or written
 */
export async function checkPolicy({
  file,
  workspaceRoot = '.',
  write = false,
  env,
}: {
  file?: string;
  workspaceRoot?: string;
  write?: boolean;
  env?: NodeJS.ProcessEnv;
} = {}): Promise<PolicyCheck | null> {
  const config = normalizeOptions({ workspaceRoot, ...(env !== undefined && { env }) });
  const found = file ?? (await findPolicyFile(config.workspaceRoot));
  if (found === null) return null;
  const inspect = async (policy: Policy): Promise<readonly Problem[]> => {
    try {
      await sparing(config, policy, found);
      return [];
    } catch (error) {
      if (error instanceof LurkboxError) return error.problems;
      throw error;
    }
  };
  return checkPolicyFile(found, { path: file === undefined ? 'resolved' : 'written', write, inspect });
}

/** No plugin may write to what decides over it. @throws LurkboxError `POLICY_INVALID` */
async function sparing(
  { workspaceRoot, env }: Pick<LurkboxConfig, 'workspaceRoot' | 'env'>,
  policy: Policy,
  file: string | null,
): Promise<Policy> {
  if (Object.keys(policy.allow.mounts).length > 0)
    await assertMountsSpare(policy, [
      { what: 'the workspace', path: workspaceRoot },
      ...(file === null ? [] : [{ what: 'the policy file', path: resolve(file) }]),
      ...certificatePlaces(policy),
      ...placesOfHost(env),
      ...(await enginePlaces(env)),
    ]);
  return policy;
}

/** What only the engine knows. Its files are those of other containers, which nobody may read either. */
export async function assertSparesEngine(policy: Policy, engine: ContainerEngine): Promise<void> {
  if (Object.keys(policy.allow.mounts).length === 0) return;
  const { dataRoot } = await engine.facts();
  const what = 'the folder in which the engine keeps its containers and images';
  if (dataRoot !== '') await assertMountsSpare(policy, [{ what, path: dataRoot, isSecret: true }]);
}

/** What leads to the engine. A choice that cannot be used is told when the engine is looked for. */
async function enginePlaces(env: NodeJS.ProcessEnv): Promise<GuardedPlace[]> {
  const addresses = await engineCandidates(env).catch(() => []);
  return addresses.flatMap((address): GuardedPlace[] => {
    if ('socketPath' in address)
      return [
        { what: 'the socket of the engine', path: address.socketPath, reach: 'itself', isSecret: true },
      ];
    const folder = address.tls?.folder ?? null;
    return folder === null
      ? []
      : [{ what: 'the folder of the keys to the engine', path: folder, isSecret: true }];
  });
}

/** Only a file that is not there is no policy; one that cannot be read is an error. */
async function findPolicyFile(workspaceRoot: string): Promise<string | null> {
  const file = join(workspaceRoot, POLICY_FILE);
  return lstat(file).then(
    () => file,
    (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? null : file),
  );
}

/** A plugin that could write to one of them would be trusted by every plugin that has a network. */
function certificatePlaces({ certificates = {} }: Policy): GuardedPlace[] {
  return Object.keys(certificates).map((path) => ({ what: 'the certificates of the policy', path }));
}
