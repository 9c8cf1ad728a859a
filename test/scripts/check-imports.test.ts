import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkImports } from '../../scripts/check-imports.ts';

let src: string;

beforeEach(() => {
  src = mkdtempSync(join(tmpdir(), 'lurkbox-imports-'));
});

afterEach(() => {
  rmSync(src, { recursive: true, force: true });
});

function problemsOf(files: Readonly<Record<string, string>>): string[] {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(src, path)), { recursive: true });
    writeFileSync(join(src, path), text);
  }
  return checkImports(src);
}

test.each<[string, Record<string, string>]>([
  ['a leaf', { 'manifest/a.ts': "import { LurkboxError } from '../errors.ts';" }],
  ['a stage to the left', { 'spec/a.ts': "import type { Grant } from '../policy/grant.ts';" }],
  ['a file of the same folder', { 'policy/a.ts': "export { b } from './b.ts';" }],
  ['the interface of the engine', { 'image/a.ts': "import type { E } from '../engine/engine.ts';" }],
  ['a package', { 'manifest/a.ts': "import { z } from 'zod';" }],
  [
    'anything, in the composition root',
    { 'lurkbox.ts': "import { DockerEngine } from './engine/docker.ts';" },
  ],
  ['dockerode, where Docker is spoken to', { 'engine/docker/a.ts': "import Docker from 'dockerode';" }],
  [
    'the wrong thing, in a comment',
    { 'policy/a.ts': "// import { a } from '../engine/a.ts';\n/** process.env */" },
  ],
  ['a room that a command loads', { 'cli/a.ts': "const { a } = await import('../versions/a.ts');" }],
  ['a type of a package, below the runner', { 'runner/a.ts': "import type { A } from 'zod';" }],
  [
    'the environment, as a default',
    { 'engine/docker/find.ts': 'export function find({ env = process.env }) {}' },
  ],
  ['the environment, in options', { 'options.ts': 'export const home = process.env.HOME;' }],
])('the import check accepts %s', (_title, files) => {
  expect(problemsOf(files)).toEqual([]);
});

test.each<[string, Record<string, string>, string]>([
  [
    'an import to the right',
    { 'policy/a.ts': "import { DockerEngine } from '../engine/docker.ts';" },
    'src/policy/a.ts imports `../engine/docker.ts`: `policy` may import `manifest`, its own files and leaves.',
  ],
  [
    'an import over several lines',
    { 'manifest/a.ts': "import {\n  type A,\n  b,\n} from '../spec/build.ts';" },
    'src/manifest/a.ts imports `../spec/build.ts`: `manifest` may import its own files and leaves.',
  ],
  [
    'an import for its effect',
    { 'manifest/a.ts': "import '../lurkbox.ts';" },
    'src/manifest/a.ts imports `../lurkbox.ts`: `manifest` may import its own files and leaves.',
  ],
  [
    'a dynamic import',
    { 'policy/a.ts': "const { a } = await import('../versions/a.ts');" },
    'src/policy/a.ts imports `../versions/a.ts`: `policy` may import `manifest`, its own files and leaves.',
  ],
  [
    'a re-export',
    { 'manifest/a.ts': "export * from '../policy/a.ts';" },
    'src/manifest/a.ts imports `../policy/a.ts`: `manifest` may import its own files and leaves.',
  ],
  [
    'Docker where the interface would do',
    { 'image/a.ts': "import { DockerEngine } from '../engine/docker.ts';" },
    'src/image/a.ts imports `../engine/docker.ts`: `image` may import `manifest`, `policy/baseline.ts`, `spec/build.ts`, `engine/engine.ts`, `protocol/messages.ts`, its own files and leaves.',
  ],
  [
    'Docker, in a room that knows engines',
    { 'sandboxes/pool/a.ts': "import { Demuxer } from '../../engine/docker/demux.ts';" },
    'src/sandboxes/pool/a.ts imports `../../engine/docker/demux.ts`: only `engine` and the composition root may know `engine/docker`.',
  ],
  [
    'a way out of src',
    { 'cli/a.ts': "import { a } from '../../scripts/a.ts';" },
    'src/cli/a.ts imports `../../scripts/a.ts`: `cli` may import `index.ts`, its own files and leaves.',
  ],
  [
    'dockerode elsewhere',
    { 'calls/a.ts': "import type Docker from 'dockerode';" },
    'src/calls/a.ts imports `dockerode`: only `engine/docker` may know that package.',
  ],
  [
    'a package that reaches the container',
    { 'runner/a.ts': "import { b } from '../protocol/b.ts';", 'protocol/b.ts': "import { z } from 'zod';" },
    'src/protocol/b.ts imports `zod`: `runner` loads this file, and the container holds no package.',
  ],
  [
    'a folder that the table does not know',
    { 'utils/a.ts': '' },
    'src/utils/a.ts: `utils` has no line in the table of scripts/check-imports.ts; add what it may import.',
  ],
  [
    'the environment, read where it is not expected',
    { 'engine/docker/find.ts': 'const home = process.env.HOME;' },
    'src/engine/docker/find.ts reads `process.env`: only src/options.ts does; pass what is needed as a parameter.',
  ],
  [
    'a cycle',
    {
      'policy/a.ts': "import { b } from './b.ts';",
      'policy/b.ts': "import { c } from './c.ts';",
      'policy/c.ts': "import type { b } from './b.ts';",
    },
    'These files import each other: src/policy/b.ts → src/policy/c.ts → src/policy/b.ts.',
  ],
])('the import check refuses %s', (_title, files, problem) => {
  expect(problemsOf(files)).toEqual([problem]);
});
