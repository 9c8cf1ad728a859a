import { describeError, LurkboxError, type Problem } from '../errors.ts';
import type { Allowance } from '../spec/allowance.ts';
import type { EngineFacts, RuntimeFacts } from './engine.ts';
import { type ReadArguments, readArguments } from './runtime-arguments.ts';
import { familyOf, type RuntimeFamily } from './runtime-families.ts';

/** The parts of an allowance that decide whether a runtime is usable. */
type RuntimeAllowance = Pick<Allowance, 'runtime' | 'network' | 'acceptUnenforced'>;

/** A runtime that a policy names, and why no container can be started with it; `null` when some can. */
export interface RuntimeCheck {
  readonly runtime: string;
  /** Where the policy names it. */
  readonly path: string;
  readonly fault: string | null;
}

/** Looks at them before any plugin is there; which network it asks for is not known by then. */
export function checkRuntimes(
  facts: EngineFacts,
  named: readonly (Omit<RuntimeAllowance, 'network'> & { readonly path: string })[],
): RuntimeCheck[] {
  return named.map(({ path, runtime, acceptUnenforced }) => ({
    runtime: runtime ?? facts.defaultRuntime,
    path,
    fault: faultOf(facts, { runtime, acceptUnenforced }),
  }));
}

function faultOf(facts: EngineFacts, allowance: Omit<RuntimeAllowance, 'network'>): string | null {
  const faults = (['none', 'bridge', 'host'] as const).map((network) => {
    try {
      assertRuntime(facts, { ...allowance, network });
      return null;
    } catch (error) {
      return describeError(error as LurkboxError);
    }
  });
  return faults.includes(null) ? null : (faults[0] ?? null);
}

/**
 * Throws when the runtime is not there, cannot give what was granted, or is not known to enforce all that containers of
 * ours rely on: `RUNTIME_UNAVAILABLE` and `ENGINE_INSECURE`.
 */
export function assertRuntime(facts: EngineFacts, allowance: RuntimeAllowance): void {
  const name = allowance.runtime ?? facts.defaultRuntime;
  const runtime = findRuntime(facts, name);
  const family = familyOf(runtime.program);
  assertKnown(name, runtime, family);
  const read = readArguments(runtime.args ?? [], family.args);
  const problems = [
    ...findLooseArguments(name, read, family),
    ...findWrongNetwork(name, read, family, allowance),
    ...findLeftOut(family, allowance),
  ];
  if (problems.length > 0) {
    throw new LurkboxError(
      'ENGINE_INSECURE',
      `The runtime \`${name}\` would not enforce everything that was granted, so nothing is started with it.`,
      { problems },
    );
  }
}

function findRuntime({ runtimes }: EngineFacts, name: string): RuntimeFacts {
  const runtime = Object.hasOwn(runtimes, name) ? runtimes[name] : undefined;
  if (runtime !== undefined) return runtime;
  throw new LurkboxError(
    'RUNTIME_UNAVAILABLE',
    `The runtime \`${name}\` is not registered in the engine, which has: ${Object.keys(runtimes).join(', ')}. ` +
      'Register it there, or change `oci_runtime` in the policy.',
  );
}

/** The networks of gVisor, the only family with a choice. */
const DEFAULT_NETWORK = 'sandbox';
const INSTEAD = 'Name `runc`, `crun` or `runsc` in `oci_runtime` of the policy.';

function assertKnown(name: string, { program, args }: RuntimeFacts, family: RuntimeFamily): void {
  const is = `The runtime \`${name}\` is \`${program}\``;
  if (family.refused !== null) throw insecure(`${is}: ${family.refused} ${INSTEAD}`);
  // The rating of a grant believes in the name.
  if (/\brunsc\b/.test(name) && family.name !== 'gVisor')
    throw insecure(`${is}, and is named as if it were gVisor. Register it under another name.`);
  if (args === null) {
    throw insecure(
      `${is}, and the engine does not show all of its arguments. Register it by \`path\` and \`runtimeArgs\` in the ` +
        'configuration of the engine.',
    );
  }
}

function insecure(message: string): LurkboxError {
  return new LurkboxError('ENGINE_INSECURE', message);
}

function findLooseArguments(
  name: string,
  { values, faults }: ReadArguments,
  family: RuntimeFamily,
): Problem[] {
  const missing = family.required
    .filter((argument) => values.get(argument.name) !== 'true')
    .map(
      (argument) =>
        `\`--${argument.name}\` is missing: ${argument.without} Add it to the arguments of that runtime in the ` +
        'configuration of the engine.',
    );
  return [...missing, ...faults].map((message) => ({ path: `runtimes.${name}.runtimeArgs`, message }));
}

function findWrongNetwork(
  name: string,
  { values }: ReadArguments,
  { networks }: RuntimeFamily,
  { network }: RuntimeAllowance,
): Problem[] {
  if (networks === null) return [];
  const fitting = networks[network];
  const actual = values.get('network') ?? DEFAULT_NETWORK;
  if (fitting.includes(actual)) return [];
  const expected = fitting.map((value) => `\`--network=${value}\``).join(' or ');
  const message =
    `a grant of the network "${network}" takes ${expected}, and this one has \`--network=${actual}\`. Register ` +
    'another one beside it, and name that in `plugins.<name>.oci_runtime` of the policy.';
  return [{ path: `runtimes.${name}.runtimeArgs`, message }];
}

function findLeftOut({ leavesOut }: RuntimeFamily, { acceptUnenforced }: RuntimeAllowance): Problem[] {
  return leavesOut
    .filter(({ control }) => !acceptUnenforced.includes(control))
    .map(({ control, why }) => ({
      path: 'accept_unenforced',
      message: `${why} List "${control}" in \`accept_unenforced\` of the policy to run without it, or take another runtime.`,
    }));
}
