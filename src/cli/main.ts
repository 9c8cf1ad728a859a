import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { VERSION } from '../index.ts';
import { LOG_LEVELS } from '../logger.ts';
import { type DoctorOptions, doctor } from './doctor.ts';
import { EXIT, reportError } from './exit.ts';
import { explain } from './explain.ts';
import { imageBuild, imageList, imagePrune } from './image.ts';
import { list } from './list.ts';
import { prune } from './prune.ts';
import { type RunOptions, run } from './run.ts';
import { type WorkflowRunOptions, workflowCheck, workflowRun } from './workflow.ts';
import type { CommonOptions } from './workspace.ts';

const EXIT_CODES = `
Exit codes:
  0  all OK
  1  an execution or a workflow was not OK, an attack was not held off, or something else failed
  2  bad usage, manifest, policy, workflow, context or dependency
  3  no container engine answers`;

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
  const program = new Command('lurkbox')
    .description('Runs untrusted plugins of AI agents, each call in its own locked-down container.')
    .version(VERSION)
    .exitOverride()
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
  common(program.command('explain'))
    .description('show every restriction of a plugin, its reason and who decided it')
    .argument('<plugin>', 'name of a plugin in the workspace, or a folder')
    .action(async (plugin: string, options: CommonOptions) => exit(await explain(plugin, options)));
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

function addWorkflowCommands(program: Command, exit: (code: number) => void): void {
  const workflow = program
    .command('workflow')
    .description('plugins in an order, each with what others answered');
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
  const image = program.command('image').description('the images of lurkbox in the engine');
  common(image.command('list'))
    .description('list them')
    .action(async (options: CommonOptions) => exit(await imageList(options)));
  common(image.command('build'))
    .description('build the base image and those of plugins, ahead of their first execution')
    .argument('[plugins...]', 'names or folders; without any, all of the workspace')
    .action(async (plugins: string[], options: CommonOptions) => exit(await imageBuild(plugins, options)));
  common(image.command('prune'))
    .description('remove the images that the plugins of this workspace do not need')
    .option('--all', 'remove every image of lurkbox')
    .action(async (options: CommonOptions & { all?: boolean }) => exit(await imagePrune(options)));
}

function common(command: Command): Command {
  return command
    .option('--workspace <dir>', 'plugins are in its plugins/, what lurkbox keeps in its .lurkbox/', '.')
    .option('--policy <file>', 'policy file (default: lurkbox.policy.json in the workspace, if there is one)')
    .option('--json', 'print one JSON document and nothing else on stdout')
    .addOption(
      new Option('--log <level>', 'log lines on stderr, as JSON').choices(LOG_LEVELS).default('warn'),
    );
}

function toSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== '' && Number.isFinite(seconds) && seconds > 0) return seconds;
  throw new InvalidArgumentError('Expected seconds, such as 2.5.');
}
