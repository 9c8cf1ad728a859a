import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { joinPath } from '../../../src/json/path.ts';
import { buildSeccompProfile } from '../../../src/policy/seccomp.ts';
import { CONFIG_FIELDS, HOST_CONFIG_FIELDS, OTHER_FIELDS } from './api-fields.ts';
import {
  CONFIG_MUTATIONS,
  type Curated,
  HOST_CONFIG_MUTATIONS,
  SECCOMP_MUTATIONS,
  SECCOMP_RULES,
} from './curated.ts';
import { caseVariants, type Mutation, type Path, PROFILE, valueAt } from './mutate.ts';
import { REFERENCE_NAMES, type Reference, referenceOf } from './references.ts';

/** A change that has to be refused, and what the refusal has to name. */
export interface Failure extends Mutation {
  readonly reference: string;
  readonly names: string;
}

export const FOLDER = 'test/engine/last-look/fixtures';

/** The fixtures as `scripts/generate.ts` writes them: path → text. */
export function lastLookFixtures(): Record<string, string> {
  const passing = REFERENCE_NAMES.map((name) => [
    `${FOLDER}/pass/${name}.json`,
    writeReference(referenceOf(name)),
  ]);
  const failing = Object.entries(failuresByFile()).map(([name, failures]) => [
    `${FOLDER}/fail/${name}.json`,
    writeFailures(failures),
  ]);
  return Object.fromEntries([...passing, ...failing]);
}

export function readReference(name: string): Reference {
  const { allowance, engine, body } = readJson(`pass/${name}.json`) as Reference;
  return { allowance, engine, body: withProfiles(body) };
}

export function readFailures(file: string): Failure[] {
  return readJson(`fail/${file}`) as Failure[];
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(join(FOLDER, path), 'utf8'));
}

// A profile as one text of ten thousand characters is nothing to review; it stands in a file of its own, in lines.
const PROFILES = [
  { exec: false, file: 'compose/seccomp-noexec.json' },
  { exec: true, file: 'compose/seccomp-exec.json' },
];

function writeReference({ allowance, engine, body }: Reference): string {
  const options = new Map(
    PROFILES.map(({ exec, file }) => [toOption(buildSeccompProfile({ exec })), `seccomp=${file}`]),
  );
  const replacer = (_: string, value: unknown): unknown => options.get(value as string) ?? value;
  return `${JSON.stringify({ allowance, engine, body }, replacer, 2)}\n`;
}

function withProfiles(body: object): object {
  return JSON.parse(JSON.stringify(body), (_, value: unknown) => {
    const profile = PROFILES.find(({ file }) => value === `seccomp=${file}`);
    return profile === undefined ? value : toOption(JSON.parse(readFileSync(profile.file, 'utf8')));
  });
}

function toOption(profile: object): string {
  return `seccomp=${JSON.stringify(profile)}`;
}

/** One change a line. */
function writeFailures(failures: readonly Failure[]): string {
  const lines = failures.map(({ reference, at, names, ...change }) =>
    JSON.stringify({ reference, at, ...change, names }),
  );
  return `[\n${lines.map((line) => `  ${line}`).join(',\n')}\n]\n`;
}

function failuresByFile(): Record<string, Failure[]> {
  const fields: [at: Path, curated: readonly Curated[]][] = [
    ...Object.entries(CONFIG_MUTATIONS).map(
      ([field, curated]) => [[field], curated] as [Path, readonly Curated[]],
    ),
    ...Object.entries(HOST_CONFIG_MUTATIONS).map(
      ([field, curated]) => [['HostConfig', field], curated] as [Path, readonly Curated[]],
    ),
  ];
  return {
    ...Object.fromEntries(fields.map(([at, curated]) => [joinPath(at), ofField(at, curated)])),
    'seccomp-profile': ofSeccompProfile(),
    'unknown-fields': unknownFields(),
    'case-variants': variantsOfFields(),
  };
}

function ofField(at: Path, curated: readonly Curated[]): Failure[] {
  const usual: Curated[] = [{}, { to: null }, { to: 'x' }, { to: 1.5 }, { to: ['x', 'x', 'x', 'x'] }];
  return [...usual, ...curated].map(({ at: below = [], reference = 'minimal', names, ...change }) => ({
    reference,
    at: [...at, ...below],
    ...change,
    names: names ?? joinPath([...at, ...below]),
  }));
}

const SECCOMP_OPTION: Path = ['HostConfig', 'SecurityOpt', 1];

function ofSeccompProfile(): Failure[] {
  const { syscalls } = valueAt(referenceOf('minimal').body, [...SECCOMP_OPTION, PROFILE]) as {
    syscalls: object[];
  };
  const rules = SECCOMP_RULES.map(([name, ...args]) => ({
    at: ['syscalls', syscalls.length],
    to: { names: [name], action: 'SCMP_ACT_ALLOW', ...(args.length > 0 && { args }) },
  }));
  return [...SECCOMP_MUTATIONS, ...rules].map(({ at = [], ...change }) => ({
    reference: 'minimal',
    at: [...SECCOMP_OPTION, PROFILE, ...at],
    ...change,
    names: joinPath(SECCOMP_OPTION),
  }));
}

/** Everything that an API knows and lurkbox never sends, in the place where it belongs and in the other one. */
function unknownFields(): Failure[] {
  const places: [at: Path, to: unknown][] = [
    ...Object.entries(CONFIG_FIELDS).map(([field, to]) => [[field], to] as [Path, unknown]),
    ...Object.entries(HOST_CONFIG_FIELDS).map(
      ([field, to]) => [['HostConfig', field], to] as [Path, unknown],
    ),
    ...Object.entries(CONFIG_FIELDS).map(([field, to]) => [['HostConfig', field], to] as [Path, unknown]),
    // Old engines read the fields of `HostConfig` around it as well.
    ...Object.entries(HOST_CONFIG_FIELDS).map(([field, to]) => [[field], to] as [Path, unknown]),
    ...OTHER_FIELDS.map(([at, to]) => [at, to] as [Path, unknown]),
  ];
  return places
    .filter(([at]) => !isKnown(at))
    .map(([at, to]) => ({ reference: 'mounts', at, to, names: joinPath(at) }));
}

function isKnown(at: Path): boolean {
  const parent = valueAt(referenceOf('mounts').body, at.slice(0, -1));
  return Object.hasOwn(parent as object, String(at.at(-1)));
}

/** The same fields once more, as Go reads them too: with the value that would be the dangerous one. */
function variantsOfFields(): Failure[] {
  const dangerous: [at: Path, to: unknown][] = [
    ...Object.entries(CONFIG_FIELDS).map(([field, to]) => [[field], to] as [Path, unknown]),
    ...Object.entries(HOST_CONFIG_FIELDS).map(
      ([field, to]) => [['HostConfig', field], to] as [Path, unknown],
    ),
    [['HostConfig'], { Privileged: true }],
    [['HostConfig', 'Mounts', 0, 'Source'], '/'],
    [['HostConfig', 'Mounts', 0, 'ReadOnly'], false],
    [['HostConfig', 'Mounts', 0, 'BindOptions', 'Propagation'], 'rshared'],
    [['HostConfig', 'LogConfig', 'Type'], 'json-file'],
    [['HostConfig', 'Ulimits', 0, 'Hard'], -1],
    [['HostConfig', 'RestartPolicy', 'Name'], 'always'],
    [
      ['Healthcheck', 'Test'],
      ['CMD', 'true'],
    ],
  ];
  return dangerous
    .filter(([at]) => isKnown(at))
    .flatMap(([at, to]) =>
      caseVariants(String(at.at(-1))).map((variant) => {
        const place = [...at.slice(0, -1), variant];
        return { reference: 'mounts', at: place, to, names: joinPath(place) };
      }),
    );
}
