import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { PLUGIN_EVENT_TYPES } from '../events/event.ts';
import { LOG_LEVELS } from '../logger.ts';
import { VERSION } from '../version.ts';
import type { AuditOptions } from './audit.ts';
import type { ConsentOptions } from './consent.ts';
import type { DoctorOptions } from './doctor.ts';
import type { EventsOptions } from './events.ts';
import { EXIT, reportError } from './exit.ts';
import type { ImagePruneOptions } from './image-prune.ts';
import type { LoadCliOptions, UnloadCliOptions, UseCliOptions } from './lifecycle.ts';
import type { LockOptions } from './lock.ts';
import type { RunOptions } from './run.ts';
import type { WorkflowRunOptions } from './workflow.ts';
import type { CommonOptions } from './workspace.ts';

const EXIT_CODES = `
Exit codes:
  0  all OK
  1  an execution or a workflow was not OK, an attack was not held off, or something else failed
  2  bad usage, manifest, policy, workflow, context or dependency
  3  no container engine answers
  4  no attack fell, and not every one could be carried out (doctor --attack)`;

// Whoever reads the output may leave before its end, as `head` does; the work and its exit code are not touched by that.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

process.exitCode = await main(process.argv);

async function main(argv: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = createProgram((code) => {
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

function createProgram(exit: (code: number) => void): Command {
  const program = new Command('lurkbox');
  group(program)
    .description('Runs untrusted plugins of AI agents, each call in its own locked-down container.')
    .version(VERSION)
    .exitOverride()
    .enablePositionalOptions()
    .showHelpAfterError('(lurkbox --help tells more)')
    .addHelpText('after', EXIT_CODES);

  common(program.command('run'))
    .description('execute plugins side by side, each in a container of its own')
    .argument('<plugins...>', 'names of plugins in the workspace, or folders (with a / in them)')
    .option('--context <file>', 'JSON file with the execution context; - reads stdin')
    .option('--input <json>', "the plugins' input, as `inputData` of the context")
    .option('--timeout <seconds>', 'shorter than what the plugins are granted', toSeconds)
    .addOption(new Option('--prompt', "print the block for an agent's prompt").conflicts('json'))
    .action(async (plugins: string[], options: RunOptions) =>
      exit(await (await import('./run.ts')).run(plugins, options)),
    );
  common(program.command('list'))
    .description('list the plugins of the workspace')
    .action(async (options: CommonOptions) => exit(await (await import('./list.ts')).list(options)));
  addLifecycleCommands(program, exit);
  common(program.command('explain'))
    .description('show every restriction of a plugin, its reason and who decided it')
    .argument('<plugin>', 'name of a plugin in the workspace, or a folder')
    .action(async (plugin: string, options: CommonOptions) =>
      exit(await (await import('./explain.ts')).explain(plugin, options)),
    );
  common(program.command('files'))
    .description('list the files that the digest of a plugin is made of, or name what differs between two')
    .argument('<plugin>', 'name, name@version, or a folder')
    .argument('[other]', 'the one to compare with')
    .action(async (plugin: string, other: string | undefined, options: CommonOptions) =>
      exit(await (await import('./files.ts')).files(plugin, other, options)),
    );
  common(program.command('lock'))
    .description('show which npm packages plugins have, and whose lock says so')
    .argument('[plugin]', 'name, name@version, or a folder; without one, all of the workspace')
    .option(
      '--refresh',
      'have npm choose the packages of a plugin anew, within its ranges, and show what changes',
    )
    .action(async (plugin: string | undefined, options: LockOptions) =>
      exit(await (await import('./lock.ts')).lock(plugin, options)),
    );
  common(program.command('doctor'))
    .description('tell what this engine enforces and what is missing')
    .option('--attack', 'attack it too, from inside of real containers, and tell what held (about 15 s)')
    .action(async (options: DoctorOptions) => exit(await (await import('./doctor.ts')).doctor(options)));
  addWorkflowCommands(program, exit);
  addImageCommands(program, exit);
  common(program.command('prune'))
    .description('remove containers and networks that dead orchestrators of this machine left')
    .action(async (options: CommonOptions) => exit(await (await import('./prune.ts')).prune(options)));
  return program;
}

function addLifecycleCommands(program: Command, exit: (code: number) => void): void {
  const reference = 'name, or name@version';
  common(program.command('info'))
    .description('show the versions of a plugin, their states and statistics')
    .argument('<name>')
    .action(async (name: string, options: CommonOptions) =>
      exit(await (await import('./lifecycle.ts')).info(name, options)),
    );
  common(program.command('load'))
    .description('install a version of a plugin beside its others; the first one becomes active')
    .argument('<folder>')
    .option('--use', 'make it active')
    .option(
      '--take-name',
      'also where its name belongs to another folder: what is known of that plugin is forgotten',
    )
    .action(async (folder: string, options: LoadCliOptions) =>
      exit(await (await import('./lifecycle.ts')).load(folder, options)),
    );
  common(program.command('unload'))
    .description('forget a plugin, or one version of it, and release all that it has')
    .argument('<plugin>', reference)
    .option('--cascade', 'unload the plugins that require it, too')
    .action(async (plugin: string, options: UnloadCliOptions) =>
      exit(await (await import('./lifecycle.ts')).unload(plugin, options)),
    );
  common(program.command('enable'))
    .description('let a plugin be executed')
    .argument('<name>')
    .action(async (name: string, options: CommonOptions) =>
      exit(await (await import('./lifecycle.ts')).setEnabled(name, true, options)),
    );
  common(program.command('disable'))
    .description('have a plugin refuse its calls, until it is enabled')
    .argument('<name>')
    .action(async (name: string, options: CommonOptions) =>
      exit(await (await import('./lifecycle.ts')).setEnabled(name, false, options)),
    );
  common(program.command('use'))
    .description('have a version serve the calls that name none')
    .argument('<plugin>', 'name@version, or name@range')
    .option('--canary <percent>', 'give it a share of the calls first, and compare', toPercent)
    .option('--canary-calls <n>', 'so many calls decide (default: 20)', toCount)
    .addOption(former('--trial <percent>', 'canary').argParser(toPercent))
    .addOption(former('--trial-calls <n>', 'canaryCalls').argParser(toCount))
    .option('--replay', 'execute the recorded calls on it first, and compare')
    .action(async (plugin: string, options: UseCliOptions) =>
      exit(await (await import('./lifecycle.ts')).use(plugin, options)),
    );
  common(program.command('rollback'))
    .description('have the version serve again that was active before')
    .argument('<name>')
    .action(async (name: string, options: CommonOptions) =>
      exit(await (await import('./lifecycle.ts')).rollback(name, options)),
    );
  common(program.command('consent'))
    .description('show what a version asks for beyond what was agreed to, and agree to it or take that back')
    .argument('<plugin>', `${reference}; name alone means its newest version`)
    .option('--yes <digest>', 'agree to the content with this digest, all 64 digits, and make it active')
    .addOption(new Option('--withdraw', 'take back all that was agreed to for a plugin').conflicts('yes'))
    .action(async (plugin: string, options: ConsentOptions) =>
      exit(await (await import('./consent.ts')).consent(plugin, options)),
    );
  common(program.command('events'))
    .description('show what happened to plugins')
    .option('--plugin <name>', 'only of this plugin')
    .addOption(new Option('--type <type...>', 'only of these types').choices(PLUGIN_EVENT_TYPES))
    .option('--limit <n>', 'so many of the last ones', toCount, 50)
    .option('--follow', 'go on until Ctrl-C')
    .action(async (options: EventsOptions) => exit(await (await import('./events.ts')).events(options)));
  const audit = group(program.command('audit')).description(
    'the record of permission decisions and executions',
  );
  common(audit.command('verify', { isDefault: true }))
    .description('tell whether anything in it was changed, taken out or put in')
    .option('--expect <hash>', 'a hash that was told before, which must be in the chain')
    .action(async (options: AuditOptions) => exit(await (await import('./audit.ts')).auditVerify(options)));
  common(program.command('dev'))
    .description('watch plugins, and have what is saved serve from the next call on')
    .argument('[folder]', 'a plugin folder (default: all in the plugins/ of the workspace)')
    .action(async (folder: string | undefined, options: CommonOptions) =>
      exit(await (await import('./dev.ts')).dev(folder, options)),
    );
}

function addWorkflowCommands(program: Command, exit: (code: number) => void): void {
  const workflow = group(program.command('workflow')).description(
    'plugins in an order, each with what others answered',
  );
  common(workflow.command('run'))
    .description('run the workflow of a file')
    .argument('<file>', 'JSON file with the workflow')
    .option('--context <file>', 'JSON file with the execution context; - reads stdin')
    .option('--input <json>', 'the input of the workflow, as `inputData` of the context')
    .action(async (file: string, options: WorkflowRunOptions) =>
      exit(await (await import('./workflow.ts')).workflowRun(file, options)),
    );
  common(workflow.command('check'))
    .description('read a workflow and look at the plugins that it names, without running any')
    .argument('<file>', 'JSON file with the workflow')
    .action(async (file: string, options: CommonOptions) =>
      exit(await (await import('./workflow.ts')).workflowCheck(file, options)),
    );
}

function addImageCommands(program: Command, exit: (code: number) => void): void {
  const image = group(program.command('image')).description('the images of lurkbox in the engine');
  common(image.command('list'))
    .description('list them')
    .action(async (options: CommonOptions) => exit(await (await import('./image.ts')).imageList(options)));
  common(image.command('build'))
    .description('build the base image and those of plugins, ahead of their first execution')
    .argument('[plugins...]', 'names or folders; without any, all of the workspace')
    .action(async (plugins: string[], options: CommonOptions) =>
      exit(await (await import('./image.ts')).imageBuild(plugins, options)),
    );
  common(image.command('prune'))
    .description('remove the images that no workspace of yours needs')
    .option('--all', 'list every image of lurkbox in the engine, and remove them if you agree')
    .option('--yes', 'with --all: agree')
    .action(async (options: ImagePruneOptions) =>
      exit(await (await import('./image-prune.ts')).imagePrune(options)),
    );
}

/** The options that every command takes, with what holds where nobody gives them. */
function commonOptions(): Option[] {
  return [
    new Option(
      '--workspace <dir>',
      'plugins are in its plugins/, what lurkbox keeps in its .lurkbox/',
    ).default('.'),
    new Option(
      '--policy <file>',
      'policy file (default: lurkbox.policy.json in the workspace, if there is one)',
    ),
    new Option('--json', 'print one JSON document and nothing else on stdout'),
    new Option('--log <level>', 'log lines on stderr, as JSON').choices(LOG_LEVELS).default('warn'),
  ];
}

function common(command: Command): Command {
  for (const option of commonOptions()) command.addOption(option);
  return command;
}

/** A command with commands below it, which takes the same options before their names: what is given last counts. */
function group(command: Command): Command {
  return common(command).hook('preSubcommand', (above, below) => {
    for (const option of commonOptions()) {
      const key = option.attributeName();
      if (above.getOptionValueSource(key) === 'cli')
        below.setOptionValueWithSource(key, above.getOptionValue(key), 'cli');
    }
  });
}

/** A flag under the name that it had in 1.0. */
function former(flags: string, now: string): Option {
  return new Option(flags).hideHelp().conflicts(now);
}

function toCount(text: string): number {
  const count = Number(text);
  if (/^[0-9]+$/.test(text) && count >= 1 && count <= 1_000_000) return count;
  throw new InvalidArgumentError('Expected a whole number from 1 to 1000000.');
}

function toPercent(text: string): number {
  const percent = Number(text);
  if (text.trim() !== '' && percent > 0 && percent < 100) return percent;
  throw new InvalidArgumentError('Expected a share in percent, above 0 and below 100, such as 10.');
}

function toSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== '' && Number.isFinite(seconds) && seconds > 0) return seconds;
  throw new InvalidArgumentError('Expected seconds, such as 2.5.');
}
