import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { closest } from '../closest.ts';
import { VERSION } from '../version.ts';
import {
  type ArgumentRow,
  COMMANDS,
  COMMON_OPTIONS,
  type CommandRow,
  type OptionRow,
} from './command-table.ts';
import { EXIT, reportError } from './exit.ts';
import { type ColorMode, setColor } from './output.ts';
import { InvalidValueError, toChoice } from './values.ts';

const EXIT_CODES = `
Exit codes:
  0  all OK
  1  an execution or a workflow was not OK, an attack was not held off, or something else failed
  2  bad usage, manifest, policy, workflow, context or dependency
  3  no container engine answers
  4  no attack fell, and not every one could be carried out (doctor --attack)`;

type Exit = (code: number) => void;

/** Carries out what was written, and answers the exit code. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = createProgram(named(argv), (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...argv]);
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return reportError(error);
  }
}

/** A line that begins with a command needs only that one; the help needs all. */
function named(argv: readonly string[]): readonly CommandRow[] {
  const rows = COMMANDS.filter(({ name }) => name === argv[2]);
  return rows.length > 0 ? rows : COMMANDS;
}

function createProgram(rows: readonly CommandRow[], exit: Exit): Command {
  // Commands inherit what is set before they are added.
  const program = new Command('lurkbox')
    .description('Runs untrusted plugins of AI agents, each call in its own locked-down container.')
    .version(VERSION)
    .exitOverride()
    .enablePositionalOptions()
    .helpCommand(false)
    .showHelpAfterError('(lurkbox --help tells more)')
    .hook('preAction', (_, command) => setColor(command.opts<{ color?: ColorMode }>().color ?? 'auto'))
    .addHelpText('after', EXIT_CODES);
  addCommands(program, rows, exit);
  program
    .command('help')
    .description('tell what a command does, and which options it takes')
    .argument('[command...]')
    .action((path: string[]) => find(createProgram(COMMANDS, exit), path).outputHelp());
  return program;
}

function find(program: Command, path: readonly string[]): Command {
  return path.reduce((above, name) => {
    const below = above.commands.find((command) => command.name() === name);
    return below ?? unknownCommand(above, name);
  }, program);
}

function unknownCommand(above: Command, name: string): never {
  const meant = closest(
    name,
    above.commands.map((command) => command.name()),
  );
  const hint = meant === undefined ? '' : `\n(Did you mean ${meant}?)`;
  return above.error(`error: unknown command '${name}'${hint}`, { code: 'commander.unknownCommand' });
}

function addCommand(above: Command, row: CommandRow, exit: Exit): void {
  const { name, about, commands, load } = row;
  const command = above.command(name).description(about);
  for (const argument of row.arguments ?? []) command.addArgument(toArgument(argument));
  for (const option of row.options ?? []) command.addOption(toOption(option));
  if (commands !== undefined) addCommands(command, commands, exit);
  else {
    addCommonOptions(command);
    command.action(async (...given: unknown[]) => {
      const work = await (load as NonNullable<typeof load>)();
      exit(await work(...(given as never[])));
    });
  }
}

/** Commands below one, which takes the options of all before their names: what is given last counts. */
function addCommands(above: Command, rows: readonly CommandRow[], exit: Exit): Command {
  addCommonOptions(above).hook('preSubcommand', (_, below) => {
    for (const option of COMMON_OPTIONS.map(toOption)) {
      const key = option.attributeName();
      if (above.getOptionValueSource(key) === 'cli')
        below.setOptionValueWithSource(key, above.getOptionValue(key), 'cli');
    }
  });
  for (const row of rows) addCommand(above, row, exit);
  const fallback = rows.find(({ isDefault }) => isDefault);
  if (fallback !== undefined) addFallback(above, fallback, exit);
  return above;
}

/** Without a name the first command is meant, with its options; a name that is none is a typo, and no argument of it. */
function addFallback(above: Command, row: CommandRow, exit: Exit): void {
  const { arguments: leftOut = [], options = [], load } = row;
  for (const option of options) above.addOption(toOption(option).hideHelp());
  above.usage('[options] [command]');
  above.argument('[command]').action(async (name: string | undefined, given: unknown) => {
    if (name !== undefined) unknownCommand(above, name);
    const work = await (load as NonNullable<typeof load>)();
    exit(await work(...(leftOut.map(() => undefined) as never[]), given as never));
  });
}

function addCommonOptions(command: Command): Command {
  for (const option of COMMON_OPTIONS) command.addOption(toOption(option));
  return command;
}

function toArgument({ form, about, choices }: ArgumentRow): Argument {
  const argument = new Argument(form, about);
  if (choices === undefined) return argument;
  return argument.choices(choices).argParser(told(toChoice(choices)));
}

function toOption({ form, about, choices, read, otherwise, not }: OptionRow): Option {
  const option = new Option(form, about);
  if (about === undefined) option.hideHelp();
  if (choices !== undefined) {
    const choose = told(toChoice(choices));
    option.choices(choices).argParser((text, former: unknown) => {
      const chosen = choose(text);
      return option.variadic ? [...(Array.isArray(former) ? former : []), chosen] : chosen;
    });
  }
  if (read !== undefined) option.argParser(told(read));
  if (otherwise !== undefined) option.default(otherwise);
  if (not !== undefined) option.conflicts(not);
  return option;
}

/** In the words of the program. */
function told<T>(read: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return read(text);
    } catch (error) {
      throw error instanceof InvalidValueError ? new InvalidArgumentError(error.message) : error;
    }
  };
}
