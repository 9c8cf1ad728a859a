import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { createWorkspace } from '../helpers/workspace.ts';
import { NO_ENGINE, runCli, SOURCE } from './run-cli.ts';

const OPTIONS = { program: SOURCE, env: NO_ENGINE };

test('a damaged registry is refused with the command that restores it, which lists, asks, and sets the old one aside', async () => {
  await using workspace = await createWorkspace();
  await workspace.addPlugin('one');
  const state = join(workspace.root, '.lurkbox');
  const lurkbox = (...args: string[]) => runCli([...args, '--workspace', workspace.root], OPTIONS);
  const restore = (...args: string[]) => lurkbox('registry', 'restore', ...args);

  expect(await restore()).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('nothing to restore'),
  });
  await lurkbox('list');
  expect(await restore()).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/registry\.backup\.db +20.*Z +1 +1 +one/),
  });

  const good = await readFile(join(state, 'registry.backup.db'));
  for (const name of ['registry.db', 'registry.backup.db']) await writeFile(join(state, name), 'x');
  expect(await lurkbox('list')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('run `lurkbox registry restore`'),
  });
  const listed = await restore('--json');
  expect(JSON.parse(listed.stdout).backups).toMatchObject([
    { fault: expect.any(String), content: null },
    { fault: expect.any(String), content: null },
  ]);
  expect(await restore('registry.backup.db', '--yes')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('cannot take the place of the store; nothing was changed'),
  });

  await writeFile(join(state, 'registry.v7.db'), good);
  for (const args of [['registry.v7.db'], ['registry.v7.db', '--json']])
    expect(await restore(...args)).toMatchObject({ exitCode: 1 });
  expect(await readFile(join(state, 'registry.db'), 'utf8')).toBe('x');
  const restored = await restore('registry.v7.db', '--yes', '--json');
  const { kept, ...rest } = JSON.parse(restored.stdout);
  expect(rest).toEqual({ restored: true, backup: 'registry.v7.db' });
  for (const name of kept) expect(await readFile(join(state, name), 'utf8')).toBe('x');
  expect(kept).toHaveLength(2);
  expect(await lurkbox('info', 'one')).toMatchObject({ exitCode: 0, stderr: '' });

  expect(await restore('--empty', '--yes')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('The registry is empty now.'),
  });
  expect((await readdir(state)).filter((name) => name.includes('.replaced-')).length).toBeGreaterThan(2);
});

test.each<[string, string[]]>([
  ['a file that is not listed', ['../../etc/passwd', '--yes']],
  ['the store itself', ['registry.db', '--yes']],
  ['both a name and --empty', ['registry.backup.db', '--empty', '--yes']],
])('%s is refused', async (_, args) => {
  await using workspace = await createWorkspace();
  await workspace.addPlugin('one');
  await runCli(['list', '--workspace', workspace.root], OPTIONS);
  expect(
    await runCli(['registry', 'restore', '--workspace', workspace.root, ...args], OPTIONS),
  ).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('Expected the name of a backup'),
  });
});

test('a damaged file cannot hide in colours what a person reads of it', async () => {
  await using workspace = await createWorkspace();
  const folder = join(workspace.root, '.lurkbox');
  await mkdir(folder, { mode: 0o700 });
  const database = new DatabaseSync(join(folder, 'registry.v1.db'), { defensive: false });
  database.exec(`PRAGMA application_id = 0x6c726b31; CREATE TABLE one (a); PRAGMA writable_schema = ON;
    INSERT INTO sqlite_schema VALUES ('table', char(27) || '[8mhidden', 'x', 2, 'CREATE nonsense')`);
  database.close();
  const { stdout } = await runCli(['registry', 'restore', '--workspace', workspace.root], OPTIONS);
  expect(stdout).toContain('hidden');
  expect(stdout).not.toContain('\u001b');
});
