import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { PLUGIN_EVENT_TYPES, VERSION } from '../index.ts';
import { LOG_LEVELS } from '../logger.ts';
import { type AuditOptions, auditVerify } from './audit.ts';
import { type ConsentOptions, consent } from './consent.ts';
import { dev } from './dev.ts';
import { type DoctorOptions, doctor } from './doctor.ts';
import { type EventsOptions, events } from './events.ts';
import { EXIT, reportError } from './exit.ts';
import { explain } from './explain.ts';
import { files } from './files.ts';
import { imageBuild, imageList } from './image.ts';
import { type ImagePruneOptions, imagePrune } from './image-prune.ts';
import {
  info,
  type LoadCliOptions,
  load,
  rollback,
  setEnabled,
  type UnloadCliOptions,
  type UseCliOptions,
  unload,
  use,
} from './lifecycle.ts';
import { list } from './list.ts';
import { type LockOptions, lock } from './lock.ts';
import { prune } from './prune.ts';
import { type RunOptions, run } from './run.ts';
import { type WorkflowRunOptions, workflowCheck, workflowRun } from './workflow.ts';
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
    .action(async (plugins: string[], options: RunOptions) => exit(await run(plugins, options)));
  common(program.command('list'))
    .description('list the plugins of the workspace')
    .action(async (options: CommonOptions) => exit(await list(options)));
  addLifecycleCommands(program, exit);
  common(program.command('explain'))
    .description('show every restriction of a plugin, its reason and who decided it')
    .argument('<plugin>', 'name of a plugin in the workspace, or a folder')
    .action(async (plugin: string, options: CommonOptions) => exit(await explain(plugin, options)));
  common(program.command('files'))
    .description('list the files that the digest of a plugin is made of, or name what differs between two')
    .argument('<plugin>', 'name, name@version, or a folder')
    .argument('[other]', 'the one to compare with')
    .action(async (plugin: string, other: string | undefined, options: CommonOptions) =>
      exit(await files(plugin, other, options)),
    );
  common(program.command('lock'))
    .description('show which npm packages plugins have, and whose lock says so')
    .argument('[plugin]', 'name, or name@version; without one, all of the workspace')
    .option(
      '--refresh',
      'have npm choose the packages of a plugin anew, within its ranges, and show what changes',
    )
    .action(async (plugin: string | undefined, options: LockOptions) => exit(await lock(plugin, options)));
  common(program.command('doctor'))
    .description('tell what this engine enforces and what is missing')
    .option('--attack', 'attack it too, from inside of real containers, and tell what held (about 15 s)')
    .action(async (options: DoctorOptions) => exit(await doctor(options)));
  addWorkflowCommands(program, exit);
  addImageCommands(program, exit);
  common(program.command('prune'))
    .description('remove containers and networks that dead orchestrators of this machine left')
    .action(async (options: CommonOptions) => exit(await prune(options)));
  return program;
}

function addLifecycleCommands(program: Command, exit: (code: number) => void): void {
  const reference = 'name, or name@version';
  common(program.command('info'))
    .description('show the versions of a plugin, their states and statistics')
    .argument('<name>')
    .action(async (name: string, options: CommonOptions) => exit(await info(name, options)));
  common(program.command('load'))
    .description('install a version of a plugin beside its others; the first one becomes active')
    .argument('<folder>')
    .option('--use', 'make it active')
    .option(
      '--take-name',
      'also where its name belongs to another folder: what is known of that plugin is forgotten',
    )
    .action(async (folder: string, options: LoadCliOptions) => exit(await load(folder, options)));
  common(program.command('unload'))
    .description('forget a plugin, or one version of it, and release all that it has')
    .argument('<plugin>', reference)
    .option('--cascade', 'unload the plugins that require it, too')
    .action(async (plugin: string, options: UnloadCliOptions) => exit(await unload(plugin, options)));
  common(program.command('enable'))
    .description('let a plugin be executed')
    .argument('<name>')
    .action(async (name: string, options: CommonOptions) => exit(await setEnabled(name, true, options)));
  common(program.command('disable'))
    .description('have a plugin refuse its calls, until it is enabled')
    .argument('<name>')
    .action(async (name: string, options: CommonOptions) => exit(await setEnabled(name, false, options)));
  common(program.command('use'))
    .description('have a version serve the calls that name none')
    .argument('<plugin>', 'name@version, or name@range')
    .option('--trial <percent>', 'give it a share of the calls first, and compare', toPercent)
    .option('--trial-calls <n>', 'so many calls decide (default: 20)', toCount)
    .option('--replay', 'execute the recorded calls on it first, and compare')
    .action(async (plugin: string, options: UseCliOptions) => exit(await use(plugin, options)));
  common(program.command('rollback'))
    .description('have the version serve again that was active before')
    .argument('<name>')
    .action(async (name: string, options: CommonOptions) => exit(await rollback(name, options)));
  common(program.command('consent'))
    .description('show what a version asks for beyond what was agreed to, and agree to it or take that back')
    .argument('<plugin>', `${reference}; name alone means its newest version`)
    .option('--yes <digest>', 'agree to the content with this digest, all 64 digits, and make it active')
    .addOption(new Option('--withdraw', 'take back all that was agreed to for a plugin').conflicts('yes'))
    .action(async (plugin: string, options: ConsentOptions) => exit(await consent(plugin, options)));
  common(program.command('events'))
    .description('show what happened to plugins')
    .option('--plugin <name>', 'only of this plugin')
    .addOption(new Option('--type <type...>', 'only of these types').choices(PLUGIN_EVENT_TYPES))
    .option('--limit <n>', 'so many of the last ones', toCount, 50)
    .option('--follow', 'go on until Ctrl-C')
    .action(async (options: EventsOptions) => exit(await events(options)));
  const audit = group(program.command('audit')).description(
    'the record of permission decisions and executions',
  );
  common(audit.command('verify', { isDefault: true }))
    .description('tell whether anything in it was changed, taken out or put in')
    .option('--expect <hash>', 'a hash that was told before, which must be in the chain')
    .action(async (options: AuditOptions) => exit(await auditVerify(options)));
  common(program.command('dev'))
    .description('watch plugins, and have what is saved serve from the next call on')
    .argument('[folder]', 'a plugin folder (default: all in the plugins/ of the workspace)')
    .action(async (folder: string | undefined, options: CommonOptions) => exit(await dev(folder, options)));
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
    .action(async (file: string, options: WorkflowRunOptions) => exit(await workflowRun(file, options)));
  common(workflow.command('check'))
    .description('read a workflow and look at the plugins that it names, without running any')
    .argument('<file>', 'JSON file with the workflow')
    .action(async (file: string, options: CommonOptions) => exit(await workflowCheck(file, options)));
}

function addImageCommands(program: Command, exit: (code: number) => void): void {
  const image = group(program.command('image')).description('the images of lurkbox in the engine');
  common(image.command('list'))
    .description('list them')
    .action(async (options: CommonOptions) => exit(await imageList(options)));
  common(image.command('build'))
    .description('build the base image and those of plugins, ahead of their first execution')
    .argument('[plugins...]', 'names or folders; without any, all of the workspace')
    .action(async (plugins: string[], options: CommonOptions) => exit(await imageBuild(plugins, options)));
  common(image.command('prune'))
    .description('remove the images that no workspace of yours needs')
    .option('--all', 'list every image of lurkbox in the engine, and remove them if you agree')
    .option('--yes', 'with --all: agree')
    .action(async (options: ImagePruneOptions) => exit(await imagePrune(options)));
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
