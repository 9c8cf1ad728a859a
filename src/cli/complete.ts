import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SILENT_LOGGER } from '../logger.ts';
import {
  type ArgumentRow,
  COMMANDS,
  COMMON_OPTIONS,
  type CommandRow,
  type Completed,
  type OptionRow,
} from './command-table.ts';
import { print } from './output.ts';

/** What may stand in place of a word: each with what it means, or a kind of file that the shell knows how to list. */
export interface Completion {
  readonly words: readonly { readonly word: string; readonly about: string }[];
  readonly files: 'file' | 'folder' | null;
}

/** For the scripts of `completion`: the last word is the one that is being written. A line for each that it may become. */
export async function complete(words: readonly string[]): Promise<void> {
  const { words: offered, files } = await completionOf(words);
  for (const { word, about } of offered) print(about === '' ? word : `${word}\t${about}`);
  if (files !== null) print(`:${files}`);
}

const HELP: OptionRow = { form: '--help', about: 'tell what it does' };
const NOTHING: Completion = { words: [], files: null };

export async function completionOf(written: readonly string[]): Promise<Completion> {
  const words = written.flatMap(splitValue);
  const current = words.pop() ?? '';
  const place = follow(words);
  const asValue = written.at(-1)?.startsWith('-') === true && written.at(-1)?.endsWith(current) === true;
  const completion = await offer(place, current);
  const prefix = asValue && place.awaiting !== null ? `${nameOf(place.awaiting)}=` : '';
  const fitting = completion.words.filter(({ word }) => word.startsWith(current));
  return {
    words: fitting.map(({ word, about }) => ({ word: `${prefix}${word}`, about })),
    files: completion.files,
  };
}

/** `--log=debug` is two words, and what a shell made three of, too. */
function splitValue(word: string): string[] {
  if (word === '=') return [];
  const [, option, value] = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? [];
  return option === undefined ? [word] : [option, value ?? ''];
}

interface Place {
  readonly commands: readonly CommandRow[];
  readonly options: readonly OptionRow[];
  readonly arguments: readonly ArgumentRow[];
  /** How many arguments are written before. */
  readonly given: number;
  /** The option whose value comes next. */
  readonly awaiting: OptionRow | null;
  readonly workspace: string;
}

function follow(words: readonly string[]): Place {
  let place: Place = {
    commands: COMMANDS,
    options: [...COMMON_OPTIONS, HELP],
    arguments: [],
    given: 0,
    awaiting: null,
    workspace: '.',
  };
  for (const word of words) place = step(place, word);
  return place;
}

function step(place: Place, word: string): Place {
  if (place.awaiting !== null) {
    const isWorkspace = nameOf(place.awaiting) === '--workspace';
    return { ...place, awaiting: null, workspace: isWorkspace ? word : place.workspace };
  }
  const option = place.options.find((row) => nameOf(row) === word);
  if (option !== undefined) return { ...place, awaiting: option.form.includes(' ') ? option : null };
  if (word.startsWith('-')) return place;
  const command = place.commands.find(({ name }) => name === word);
  if (command === undefined) return { ...place, given: place.given + 1 };
  const { commands = [], options = [], arguments: expected = [] } = command;
  return {
    ...place,
    commands,
    arguments: expected,
    options: [...options.filter(({ about }) => about !== undefined), ...COMMON_OPTIONS, HELP],
  };
}

async function offer(place: Place, current: string): Promise<Completion> {
  const { commands, options, arguments: expected, given, awaiting, workspace } = place;
  if (awaiting !== null) return offerValue(awaiting, current, workspace);
  if (current.startsWith('-'))
    return { words: options.map((row) => ({ word: nameOf(row), about: row.about ?? '' })), files: null };
  if (commands.length > 0)
    return { words: commands.map(({ name: word, about }) => ({ word, about })), files: null };
  const last = expected.at(-1);
  const argument = expected[given] ?? (last?.form.includes('...') === true ? last : undefined);
  return argument === undefined ? NOTHING : offerValue(argument, current, workspace);
}

async function offerValue(
  { choices, completes }: { choices?: readonly string[]; completes?: Completed },
  current: string,
  workspace: string,
): Promise<Completion> {
  if (choices !== undefined) return { words: choices.map((word) => ({ word, about: '' })), files: null };
  if (completes === undefined) return NOTHING;
  if (completes !== 'plugin') return { words: [], files: completes };
  // A plugin may also be a folder, which has a slash in it.
  if (/^[./~]|\//.test(current)) return { words: [], files: 'folder' };
  const names = await pluginNames(workspace);
  return { words: names.map((word) => ({ word, about: '' })), files: null };
}

function nameOf({ form }: OptionRow): string {
  return form.split(' ')[0] ?? form;
}

/** Harmless in every shell; what is not is no name of a plugin either. */
const NAME = /^[a-z0-9][a-z0-9-]*$/;
const MOST_NAMES = 1_000;
/** Of the registry: somebody waits for the word, in a workspace that may be anybody's. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Names of folders in `plugins/` and of what is installed, without reading any plugin or writing anything. */
async function pluginNames(workspace: string): Promise<string[]> {
  const names = [...folderNames(join(workspace, 'plugins')), ...(await installedNames(workspace))];
  return [...new Set(names)]
    .filter((name) => NAME.test(name))
    .sort()
    .slice(0, MOST_NAMES);
}

function folderNames(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => existsSync(join(folder, name, 'plugin.json')));
  } catch {
    return [];
  }
}

async function installedNames(workspace: string): Promise<string[]> {
  try {
    const { readKeptRecords } = await import('../versions/state-place.ts');
    const workspaceRoot = resolve(workspace);
    return [...(await readKeptRecords({ workspaceRoot, logger: SILENT_LOGGER, maxBytes: MAX_BYTES })).keys()];
  } catch {
    // Whoever runs a command is told what is wrong with it.
    return [];
  }
}
