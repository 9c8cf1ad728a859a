import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { RacedProcess } from './raced-process.ts';

const SECRET = 'SECRET';
const OURS = 'PUBLIC';

/** What takes the place of something; `target` is where the secret of the same name is. */
export const REPLACEMENTS: Readonly<Record<string, (path: string, target: string) => void>> = {
  link: (path, target) => symlinkSync(target, path),
  'relative link': (path, target) => symlinkSync(`../../../../../../../..${target}`, path),
  'hard link': (path, target) => linkSync(target, path),
  pipe: (path) => execFileSync('mkfifo', [path]),
  nothing: () => {},
};

export interface Swap {
  /** Relative to the workspace; itself where it is empty. */
  readonly path: string;
  readonly by: keyof typeof REPLACEMENTS;
}

export interface Race {
  readonly operation: string;
  readonly swaps: readonly Swap[];
  readonly trials: number;
  readonly step: number;
}

export interface RaceResult {
  readonly trials: number;
  /** After which system calls something was swapped. */
  readonly calls: ReadonlySet<string>;
  readonly refused: number;
  /** What must not be: a secret that was read, or something outside that was touched. */
  readonly faults: readonly string[];
}

/** Those of a plugin, and with those on the way to it, which nobody names. */
const INNER = ['plugins/reader/lib/inner', 'plugins/reader/lib'];
const FOLDERS = [...INNER, 'plugins/reader', 'plugins'];
const FILES = ['plugins/reader/lib/inner/data', 'plugins/reader/index.mjs', 'plugins/reader/plugin.json'];
const STATE = [
  '.lurkbox/plugins/reader/1.0.0/content/lib/inner',
  '.lurkbox/plugins/reader/1.0.0/content/lib',
  '.lurkbox/plugins/reader/1.0.0/content',
  '.lurkbox/plugins/reader/1.0.0',
  '.lurkbox/plugins/reader',
  '.lurkbox/plugins',
  '.lurkbox/tmp',
  '.lurkbox',
];

const folders = (paths: readonly string[]): Swap[] =>
  paths.flatMap((path) => (['link', 'relative link', 'nothing'] as const).map((by) => ({ path, by })));
const files = (paths: readonly string[]): Swap[] =>
  paths.flatMap((path) => Object.keys(REPLACEMENTS).map((by) => ({ path, by })));

/** Every operation with every swap that may harm it. */
export const RACES: readonly Pick<Race, 'operation' | 'swaps'>[] = [
  { operation: 'read', swaps: [...folders(INNER), ...files(FILES)] },
  { operation: 'discover', swaps: [...folders(FOLDERS), ...files(FILES)] },
  { operation: 'policy', swaps: [...folders(['']), ...files(['lurkbox.policy.json'])] },
  { operation: 'install', swaps: [...folders([...INNER, ...STATE]), ...files(FILES)] },
  { operation: 'unload', swaps: folders([...STATE, '']) },
  { operation: 'sweep', swaps: folders([...STATE, '']) },
  { operation: 'putAside', swaps: folders([...STATE, '']) },
];

/** Has somebody swap files and folders while an operation goes on, after one system call after the other. */
export async function race({ operation, swaps, trials, step }: Race): Promise<RaceResult> {
  using ground = new Ground();
  await using raced = await RacedProcess.start({ step });
  const expected = await raced.try(operation, ground.workspace, () => {});
  const calls = new Set<string>();
  const faults: string[] = [];
  let refused = 0;
  for (let trial = 0; trial < trials; trial++) {
    ground.prepare();
    const swap = swaps[trial % swaps.length] as Swap;
    const { ok, text, swappedAfter } = await raced.try(operation, ground.workspace, () => ground.swap(swap));
    if (swappedAfter !== null) calls.add(swappedAfter);
    if (!ok) refused++;
    const what = `\`${operation}\` with a ${swap.by} at "${swap.path}" after ${swappedAfter}`;
    ground.undo();
    if (text.includes(SECRET)) faults.push(`${what} read the secret: ${text.slice(0, 300)}`);
    else if (ok && swap.by !== 'nothing' && text !== expected.text)
      faults.push(`${what} read something else: ${text.slice(0, 300)}`);
    faults.push(...ground.findFaults().map((fault) => `${what} ${fault}`));
  }
  return { trials, calls, refused, faults };
}

/** A workspace with a plugin, and beside it what nobody may read or touch: the same, of the same size, with a secret in it. */
class Ground implements Disposable {
  readonly #base = realpathSync(mkdtempSync(join(tmpdir(), 'lurkbox-race-')));
  readonly workspace = join(this.#base, 'a/b/workspace');
  readonly #secret = join(this.#base, 'secret');
  readonly #aside = join(this.#base, 'aside');
  readonly #untouched: string;
  #swapped: string | null = null;

  constructor() {
    this.prepare();
    fill(this.#secret, SECRET);
    this.#untouched = listing(this.#secret);
  }

  prepare(): void {
    for (const path of [this.workspace, this.#aside]) rmSync(path, { recursive: true, force: true });
    fill(this.workspace, OURS);
  }

  swap({ path, by }: Swap): void {
    const place = join(this.workspace, path);
    // By then it may be gone, as it is to be.
    if (lstatSync(place, { throwIfNoEntry: false }) === undefined) return;
    renameSync(place, this.#aside);
    REPLACEMENTS[by]?.(place, join(this.#secret, path));
    this.#swapped = place;
  }

  /** What was put in goes, and what was there comes back, as far as they were not removed. */
  undo(): void {
    if (this.#swapped === null) return;
    rmSync(this.#swapped, { recursive: true, force: true });
    if (existsSync(this.#aside) && existsSync(dirname(this.#swapped))) renameSync(this.#aside, this.#swapped);
    this.#swapped = null;
  }

  findFaults(): string[] {
    const faults = listing(this.#secret) === this.#untouched ? [] : ['touched what lies outside'];
    if (faults.length > 0) {
      rmSync(this.#secret, { recursive: true });
      fill(this.#secret, SECRET);
    }
    const hasSecret = ['.lurkbox', 'plugins'].some((name) =>
      listing(join(this.workspace, name)).includes(SECRET),
    );
    return hasSecret ? [...faults, 'copied the secret'] : faults;
  }

  [Symbol.dispose](): void {
    rmSync(this.#base, { recursive: true, force: true });
  }
}

function fill(root: string, word: string): void {
  const manifest = {
    name: 'reader',
    version: '1.0.0',
    author: { name: word },
    description: 'A plugin of the tests',
    plugin_type: 'tool',
    entry_point: 'index.mjs',
  };
  const plugin = {
    'plugin.json': JSON.stringify(manifest),
    'index.mjs': `export const execute = () => ${JSON.stringify(word)};\n`,
    'lib/inner/data': word,
  };
  for (const folder of ['plugins/reader', '.lurkbox/plugins/reader/1.0.0/content'])
    for (const [name, content] of Object.entries(plugin)) put(join(root, folder, name), content);
  put(join(root, 'lurkbox.policy.json'), JSON.stringify({ $schema: word }));
  mkdirSync(join(root, '.lurkbox/tmp'), { recursive: true });
}

function put(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** Every path with what it holds; no link is followed. */
function listing(path: string): string {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats?.isDirectory())
    return readdirSync(path)
      .sort()
      .map((name) => `${name}: ${listing(join(path, name))}\n`)
      .join('');
  return stats?.isFile() ? readFileSync(path, 'utf8') : '';
}
