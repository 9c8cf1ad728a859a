/**
 * Writes what is made from the code: the JSON Schemas, the tables of the reference pages, and the files for Compose.
 * `node scripts/generate.ts` writes; with `--check` it writes nothing and exits 1 when a file would change, or when a link
 * of the documentation leads nowhere.
 */
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildSeccompProfile } from '../src/policy/seccomp.ts';
import { lastLookFixtures } from '../test/engine/last-look/generate.ts';
import { COMPOSE_YAML } from './compose.ts';
import { brokenLinks } from './links.ts';
import { promiseList } from './promises.ts';
import { BLOCKS, MANIFEST_JSON_SCHEMA, POLICY_JSON_SCHEMA, WORKFLOW_JSON_SCHEMA } from './reference.ts';

const ROOT = join(import.meta.dirname, '..');

const FILES: Readonly<Record<string, (before: string) => string>> = {
  'schema/manifest.schema.json': () => toJson(MANIFEST_JSON_SCHEMA),
  'schema/policy.schema.json': () => toJson(POLICY_JSON_SCHEMA),
  'schema/workflow.schema.json': () => toJson(WORKFLOW_JSON_SCHEMA),
  ...Object.fromEntries(
    globSync(['CHANGELOG.md', 'docs/**/*.md'], { cwd: ROOT }).map((page) => [page, fillBlocks]),
  ),
  'compose/plugin.yaml': () => COMPOSE_YAML,
  'compose/seccomp-noexec.json': () => toJson(buildSeccompProfile({ exec: false })),
  'compose/seccomp-exec.json': () => toJson(buildSeccompProfile({ exec: true })),
  ...Object.fromEntries(Object.entries(lastLookFixtures()).map(([path, text]) => [path, () => text])),
};

const changed = Object.entries(FILES)
  .map(([path, generate]) => {
    const before = read(path);
    return { path, before, after: generate(before) };
  })
  .filter(({ before, after }) => before !== after);

if (process.argv.includes('--check')) {
  for (const { path } of changed)
    console.error(`${path} is not up to date; run \`node scripts/generate.ts\``);
  const broken = brokenLinks(ROOT);
  for (const sentence of broken) console.error(sentence);
  process.exitCode = changed.length + broken.length > 0 ? 1 : 0;
} else {
  for (const { path, after } of changed) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), after);
  }
}

function read(path: string): string {
  try {
    return readFileSync(join(ROOT, path), 'utf8');
  } catch {
    return '';
  }
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** Puts the content of every block between its two markers; the text around them stays as it is. */
function fillBlocks(page: string): string {
  return page.replace(
    /(<!-- generated:([a-z-]+) -->\n)[\s\S]*?(<!-- \/generated:\2 -->)/g,
    (_, start: string, name: string, end: string) => {
      const block = name === 'promises' ? promiseList() : BLOCKS[name];
      if (block === undefined) throw new Error(`No generated block is called \`${name}\`.`);
      return `${start}\n${block}\n\n${end}`;
    },
  );
}
