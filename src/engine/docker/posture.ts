import { isDeepStrictEqual } from 'node:util';
import { LurkboxError, type Problem } from '../../errors.ts';
import { isEmpty, recordOf, shorten } from '../values.ts';
import { BASE_RULES, CONFIG_RULES, HOST_CONFIG_RULES, type Rule } from './posture-rules.ts';
import type { DockerCreateOptions } from './to-create-options.ts';

/**
 * Compares what the engine says it created with what it was asked to create, and refuses any difference: an engine may
 * drop a control that it does not know or cannot apply, and a newer one may fill in a field that nobody here has heard
 * of. So every field of `Config` and `HostConfig` is looked at: it has a rule with a reason, or it is what was asked for,
 * or it is empty.
 */
export function comparePosture(inspected: unknown, options: DockerCreateOptions): void {
  const actual = recordOf(inspected);
  const problems = [
    ...compareBase(actual, options),
    ...compareFields('Config.', recordOf(actual['Config']), toConfig(options), CONFIG_RULES),
    ...compareFields('HostConfig.', recordOf(actual['HostConfig']), options.HostConfig, HOST_CONFIG_RULES),
  ];
  if (problems.length === 0) return;
  throw new LurkboxError(
    'ENGINE_INSECURE',
    'The engine created a container that is not the one it was asked for; it was removed and nothing ran.',
    { problems },
  );
}

/** Around `Config` and `HostConfig` most fields tell of the engine itself; these tell what will run, and where. */
function compareBase(actual: Readonly<Record<string, unknown>>, options: DockerCreateOptions): Problem[] {
  return Object.entries(BASE_RULES).flatMap(([field, rule]) =>
    compareField(field, ownValue(actual, field), options, rule),
  );
}

// The name is not among what an engine counts as configuration.
function toConfig({ name, HostConfig, ...config }: DockerCreateOptions): object {
  return config;
}

function compareFields(
  prefix: string,
  actual: Readonly<Record<string, unknown>>,
  asked: object,
  rules: Readonly<Record<string, Rule>>,
): Problem[] {
  const fields = new Set([asked, actual, rules].flatMap(Object.keys));
  return [...fields].flatMap((field) =>
    compareField(
      prefix + field,
      ownValue(actual, field),
      ownValue(asked, field),
      Object.hasOwn(rules, field) ? rules[field] : undefined,
    ),
  );
}

function compareField(path: string, value: unknown, asked: unknown, rule: Rule = isAsAsked): Problem[] {
  // Each rule knows what is asked for in the field that it stands at.
  const expected = rule(value, asked as never);
  if (expected === null) return [];
  return [{ path, message: `expected ${expected}, the engine has ${shorten(value)}` }];
}

// Engines write nothing, null, zero and an empty text or list as they like, and mean the same.
function isAsAsked(value: unknown, asked: unknown): string | null {
  if (asked === undefined) return isEmpty(value) ? null : 'nothing, because nobody asked for it';
  return isDeepStrictEqual(value, asked) || (isEmpty(value) && isEmpty(asked)) ? null : shorten(asked);
}

function ownValue(record: object, field: string): unknown {
  return Object.hasOwn(record, field) ? Reflect.get(record, field) : undefined;
}
