/** What is known of one argument of a runtime. */
export interface ArgumentRule {
  readonly kind: 'switch' | 'value';
  /** The values with which every control holds; `null`: it holds with any. */
  readonly harmless: readonly string[] | null;
  /** Why any other value is refused. */
  readonly otherwise: string;
}

export type ArgumentRules = Readonly<Record<string, ArgumentRule>>;

/** The arguments of a runtime by name, and what is wrong with them. */
export interface ReadArguments {
  /** Switches have the value `true` or `false`. */
  readonly values: ReadonlyMap<string, string>;
  readonly faults: readonly string[];
}

const TAKE_OUT = 'Take it out of the arguments of that runtime in the configuration of the engine.';

/**
 * Reads the arguments that a runtime is registered with, by what is known of that kind of runtime. What is not known, or
 * can be read in two ways, is a fault: an argument may take away any control.
 */
export function readArguments(args: readonly string[], rules: ArgumentRules): ReadArguments {
  const values = new Map<string, string>();
  const faults: string[] = [];
  for (const text of args) {
    const argument = split(text);
    const fault = whyNot(argument, values, rules) ?? store(argument, values, rules);
    if (fault !== null) faults.push(`\`${text.slice(0, 100)}\`: ${fault}`);
  }
  return { values, faults };
}

interface Argument {
  readonly name: string;
  readonly value: string | null;
}

/** The engine may hand them on by way of a shell, so a blank or a `$` could make another argument of it. */
const ARGUMENT = /^--?([A-Za-z][A-Za-z0-9_-]*)(?:=([A-Za-z0-9_./:,%+@~-]*))?$/;

function split(text: string): Argument | null {
  const [, name, value] = ARGUMENT.exec(text) ?? [];
  return name === undefined ? null : { name, value: value ?? null };
}

function whyNot(
  argument: Argument | null,
  values: ReadonlyMap<string, string>,
  rules: ArgumentRules,
): string | null {
  if (argument === null)
    return 'only arguments of the form `--name` and `--name=value` can be judged. Write it so.';
  const { name, value } = argument;
  if (!Object.hasOwn(rules, name)) return `lurkbox does not know what it does. ${TAKE_OUT}`;
  if (values.has(name)) return 'it is there twice, and which one counts is up to the runtime. Keep one.';
  if (rules[name]?.kind === 'value' && value === null)
    return `its value is expected in the same argument. Write \`--${name}=<value>\`.`;
  return null;
}

/** Answers what goes with the value, if anything does. */
function store(argument: Argument | null, values: Map<string, string>, rules: ArgumentRules): string | null {
  const rule = rules[argument?.name ?? ''];
  if (argument === null || rule === undefined) return null;
  const value = rule.kind === 'switch' ? toSwitch(argument.value) : argument.value;
  if (value === null) return 'expected `true` or `false`.';
  values.set(argument.name, value);
  return rule.harmless === null || rule.harmless.includes(value) ? null : `${rule.otherwise} ${TAKE_OUT}`;
}

/** As the flags of Go programs are read. */
const TRUE = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const FALSE = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

function toSwitch(value: string | null): string | null {
  if (value === null || TRUE.includes(value)) return 'true';
  return FALSE.includes(value) ? 'false' : null;
}

/** Rules for arguments that leave every control as it is. */
export function harmless(kind: ArgumentRule['kind'], ...names: string[]): ArgumentRules {
  return Object.fromEntries(names.map((name) => [name, { kind, harmless: null, otherwise: '' }]));
}

/** A rule for a switch that may not be on. */
export function off(otherwise: string): ArgumentRule {
  return { kind: 'switch', harmless: ['false'], otherwise };
}

/** A rule for a value that must be one of these. */
export function oneOf(values: readonly string[], otherwise: string): ArgumentRule {
  return { kind: 'value', harmless: values, otherwise };
}
