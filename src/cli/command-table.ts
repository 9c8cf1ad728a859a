import { PLUGIN_EVENT_TYPES } from '../events/event.ts';
import { LOG_LEVELS } from '../logger.ts';
import { COLOR_MODES } from './output.ts';
import { toCount, toPercent, toSeconds } from './values.ts';

/** What the shell offers where a value is to be written. */
export type Completed = 'plugin' | 'file' | 'folder';

export interface ArgumentRow {
  /** `<name>`, `[name]` where it may be left out, `<names...>` where there may be several. */
  readonly form: string;
  readonly about?: string;
  readonly choices?: readonly string[];
  readonly completes?: Completed;
}

export interface OptionRow {
  /** `--name`, or `--name <value>`. */
  readonly form: string;
  /** Without it the option is not shown: it has another name by now. */
  readonly about?: string;
  readonly choices?: readonly string[];
  readonly completes?: Completed;
  readonly read?: (text: string) => unknown;
  readonly otherwise?: unknown;
  /** The option that it cannot stand beside, as `options` names it. */
  readonly not?: string;
}

export interface CommandRow {
  readonly name: string;
  readonly about: string;
  readonly arguments?: readonly ArgumentRow[];
  readonly options?: readonly OptionRow[];
  /** Loads what carries it out: a function of the arguments and then the options, which answers an exit code. */
  readonly load?: () => Promise<(...given: never[]) => Promise<number>>;
  /** Commands below it; without a name the first one with `isDefault` is meant. */
  readonly commands?: readonly CommandRow[];
  readonly isDefault?: boolean;
}

/** The options that every command takes, before its name and after it. */
export const COMMON_OPTIONS: readonly OptionRow[] = [
  {
    form: '--workspace <dir>',
    about: 'plugins are in its plugins/, what lurkbox keeps in its .lurkbox/',
    completes: 'folder',
    otherwise: '.',
  },
  {
    form: '--policy <file>',
    about: 'policy file (default: lurkbox.policy.json in the workspace, if there is one)',
    completes: 'file',
  },
  { form: '--json', about: 'print one JSON document and nothing else on stdout' },
  { form: '--log <level>', about: 'log lines on stderr, as JSON', choices: LOG_LEVELS, otherwise: 'warn' },
  {
    form: '--color <when>',
    about: 'colour on stdout; `auto`: on a terminal, unless NO_COLOR or FORCE_COLOR say otherwise',
    choices: COLOR_MODES,
    otherwise: 'auto',
  },
];

const CONTEXT: OptionRow = {
  form: '--context <file>',
  about: 'JSON file with the execution context; - reads stdin',
  completes: 'file',
};
const NAME: ArgumentRow = { form: '<name>', completes: 'plugin' };
const NAME_OR_FOLDER = 'name of a plugin in the workspace, or a folder';
const REFERENCE = 'name, or name@version';
const WORKFLOW_FILE: ArgumentRow = {
  form: '<file>',
  about: 'JSON file with the workflow',
  completes: 'file',
};

const RUNNING: readonly CommandRow[] = [
  {
    name: 'run',
    about: 'execute plugins side by side, each in a container of its own',
    arguments: [
      {
        form: '<plugins...>',
        about: 'names of plugins in the workspace, or folders (with a / in them)',
        completes: 'plugin',
      },
    ],
    options: [
      CONTEXT,
      { form: '--input <json>', about: "the plugins' input, as `inputData` of the context" },
      {
        form: '--timeout <seconds>',
        about: 'shorter than what the plugins are granted',
        read: toSeconds,
      },
      { form: '--prompt', about: "print the block for an agent's prompt", not: 'json' },
    ],
    load: async () => (await import('./run.ts')).run,
  },
];

const LOOKING: readonly CommandRow[] = [
  {
    name: 'list',
    about: 'list the plugins of the workspace',
    load: async () => (await import('./list.ts')).list,
  },
];

const LIFECYCLE: readonly CommandRow[] = [
  {
    name: 'info',
    about: 'show the versions of a plugin, their states and statistics',
    arguments: [NAME],
    load: async () => (await import('./lifecycle.ts')).info,
  },
  {
    name: 'load',
    about: 'install a version of a plugin beside its others; the first one becomes active',
    arguments: [{ form: '<folder>', completes: 'folder' }],
    options: [
      { form: '--use', about: 'make it active' },
      {
        form: '--take-name',
        about: 'also where its name belongs to another folder: what is known of that plugin is forgotten',
      },
    ],
    load: async () => (await import('./lifecycle.ts')).load,
  },
  {
    name: 'unload',
    about: 'forget a plugin, or one version of it, and release all that it has',
    arguments: [{ form: '<plugin>', about: REFERENCE, completes: 'plugin' }],
    options: [{ form: '--cascade', about: 'unload the plugins that require it, too' }],
    load: async () => (await import('./lifecycle.ts')).unload,
  },
  {
    name: 'enable',
    about: 'let a plugin be executed',
    arguments: [NAME],
    load: async () => (await import('./lifecycle.ts')).enable,
  },
  {
    name: 'disable',
    about: 'refuse the calls of a plugin, until it is enabled',
    arguments: [NAME],
    load: async () => (await import('./lifecycle.ts')).disable,
  },
  {
    name: 'use',
    about: 'make a version the default: it serves the calls that name none',
    arguments: [{ form: '<plugin>', about: 'name@version, or name@range', completes: 'plugin' }],
    options: [
      {
        form: '--canary <percent>',
        about: 'give it a share of the calls first, and compare',
        read: toPercent,
      },
      { form: '--canary-calls <n>', about: 'calls of it that decide (default: 20)', read: toCount },
      { form: '--trial <percent>', read: toPercent, not: 'canary' },
      { form: '--trial-calls <n>', read: toCount, not: 'canaryCalls' },
      { form: '--replay', about: 'execute the recorded calls on it first, and compare' },
    ],
    load: async () => (await import('./lifecycle.ts')).use,
  },
  {
    name: 'rollback',
    about: 'make the version active again that was active before',
    arguments: [NAME],
    load: async () => (await import('./lifecycle.ts')).rollback,
  },
  {
    name: 'consent',
    about: 'show what a version asks for beyond what was agreed to, and agree to it or take that back',
    arguments: [
      {
        form: '<plugin>',
        about: `${REFERENCE}; name alone means its newest version`,
        completes: 'plugin',
      },
    ],
    options: [
      {
        form: '--yes <digest>',
        about: 'agree to the content with this digest, all 64 digits, and make it active',
      },
      { form: '--withdraw', about: 'take back all that was agreed to for a plugin', not: 'yes' },
    ],
    load: async () => (await import('./consent.ts')).consent,
  },
  {
    name: 'events',
    about: 'show what happened to plugins',
    options: [
      { form: '--plugin <name>', about: 'only of this plugin', completes: 'plugin' },
      { form: '--type <type...>', about: 'only of these types', choices: PLUGIN_EVENT_TYPES },
      { form: '--limit <n>', about: 'how many of the last ones', read: toCount, otherwise: 50 },
      { form: '--follow', about: 'go on until Ctrl-C' },
    ],
    load: async () => (await import('./events.ts')).events,
  },
  {
    name: 'audit',
    about: 'the record of permission decisions and executions',
    commands: [
      {
        name: 'verify',
        isDefault: true,
        about: 'tell whether anything in it was changed, taken out or put in',
        options: [
          {
            form: '--expect <hash>',
            about: 'a hash that was told before, which must be in the chain',
          },
        ],
        load: async () => (await import('./audit.ts')).auditVerify,
      },
    ],
  },
  {
    name: 'policy',
    about: 'the rules of the operator',
    commands: [
      {
        name: 'check',
        about: 'say everything that is wrong in a policy file, with its place',
        arguments: [
          {
            form: '[file]',
            about: 'policy file (default: that of --policy, or lurkbox.policy.json in the workspace)',
            completes: 'file',
          },
        ],
        options: [{ form: '--write', about: 'rename keys in the file that have another name now' }],
        load: async () => (await import('./policy.ts')).policyCheck,
      },
    ],
  },
  {
    name: 'registry',
    about: 'what lurkbox knows of plugins: versions, states and consent',
    commands: [
      {
        name: 'restore',
        isDefault: true,
        about: 'list the backups of the registry, or have one take its place',
        arguments: [{ form: '[backup]', about: 'name of a file in the list (default: only list them)' }],
        options: [
          { form: '--empty', about: 'begin with an empty registry' },
          { form: '--yes', about: 'agree to it' },
        ],
        load: async () => (await import('./registry.ts')).registryRestore,
      },
    ],
  },
  {
    name: 'dev',
    about: 'watch plugins, and put saved changes into service from the next call on',
    arguments: [
      {
        form: '[folder]',
        about: 'a plugin folder (default: all in the plugins/ of the workspace)',
        completes: 'folder',
      },
    ],
    load: async () => (await import('./dev.ts')).dev,
  },
];

const CONTENT: readonly CommandRow[] = [
  {
    name: 'explain',
    about: 'show every restriction of a plugin, its reason and who decided it',
    arguments: [{ form: '<plugin>', about: NAME_OR_FOLDER, completes: 'plugin' }],
    load: async () => (await import('./explain.ts')).explain,
  },
  {
    name: 'files',
    about: 'list the files that the digest of a plugin is made of, or name what differs between two',
    arguments: [
      { form: '<plugin>', about: 'name, name@version, or a folder', completes: 'plugin' },
      { form: '[other]', about: 'the one to compare with', completes: 'plugin' },
    ],
    load: async () => (await import('./files.ts')).files,
  },
  {
    name: 'lock',
    about: 'show which npm packages plugins have, and whose lock says so',
    arguments: [
      {
        form: '[plugin]',
        about: 'name, name@version, or a folder; without one, all of the workspace',
        completes: 'plugin',
      },
    ],
    options: [
      {
        form: '--refresh',
        about: 'have npm choose the packages of a plugin anew, within its ranges, and show what changes',
      },
    ],
    load: async () => (await import('./lock.ts')).lock,
  },
];

const WORKFLOWS: CommandRow = {
  name: 'workflow',
  about: 'plugins in an order, each with what others answered',
  commands: [
    {
      name: 'run',
      about: 'run the workflow of a file',
      arguments: [WORKFLOW_FILE],
      options: [
        CONTEXT,
        { form: '--input <json>', about: 'the input of the workflow, as `inputData` of the context' },
      ],
      load: async () => (await import('./workflow.ts')).workflowRun,
    },
    {
      name: 'check',
      about: 'read a workflow and look at the plugins that it names, without running any',
      arguments: [WORKFLOW_FILE],
      load: async () => (await import('./workflow.ts')).workflowCheck,
    },
  ],
};

const IMAGES: CommandRow = {
  name: 'image',
  about: 'the images of lurkbox in the engine',
  commands: [
    {
      name: 'list',
      about: 'list them',
      load: async () => (await import('./image.ts')).imageList,
    },
    {
      name: 'build',
      about: 'build the base image and those of plugins, ahead of their first execution',
      arguments: [
        {
          form: '[plugins...]',
          about: 'names or folders; without any, all of the workspace',
          completes: 'plugin',
        },
      ],
      load: async () => (await import('./image.ts')).imageBuild,
    },
    {
      name: 'prune',
      about: 'remove the images that no workspace of yours needs',
      options: [
        {
          form: '--all',
          about: 'list every image of lurkbox in the engine, and remove them if you agree',
        },
        { form: '--yes', about: 'with --all: agree' },
      ],
      load: async () => (await import('./image-prune.ts')).imagePrune,
    },
  ],
};

const MACHINE: readonly CommandRow[] = [
  {
    name: 'prune',
    about: 'remove containers and networks that dead orchestrators of this machine left',
    load: async () => (await import('./prune.ts')).prune,
  },
  {
    name: 'completion',
    about: 'print the script with which a shell completes commands, options and names of plugins',
    arguments: [{ form: '<shell>', choices: ['bash', 'zsh', 'fish'] }],
    load: async () => (await import('./completion.ts')).completion,
  },
];

/** Every command, in the order in which the help shows them. A new one is one row. */
export const COMMANDS: readonly CommandRow[] = [
  ...RUNNING,
  ...LOOKING,
  ...LIFECYCLE,
  ...CONTENT,
  {
    name: 'doctor',
    about: 'tell what this engine enforces and what is missing',
    options: [
      {
        form: '--attack',
        about: 'attack it too, from inside of real containers, and tell what held (about 15 s)',
      },
    ],
    load: async () => (await import('./doctor.ts')).doctor,
  },
  WORKFLOWS,
  IMAGES,
  ...MACHINE,
];
