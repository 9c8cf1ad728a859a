import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createWorkspace } from '../helpers/workspace.ts';
import { NO_ENGINE, runCli, SOURCE } from './run-cli.ts';

const OPTIONS = { program: SOURCE, env: NO_ENGINE };

test('`policy check` reports problems with their lines and exit code 2, renames former names, and prints JSON', async () => {
  await using workspace = await createWorkspace();
  const file = join(workspace.root, 'lurkbox.policy.json');
  const check = (...args: string[]) =>
    runCli(['policy', 'check', ...args, '--workspace', workspace.root], OPTIONS);

  expect(await check()).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('default policy') });
  expect(await check('nowhere.json')).toMatchObject({
    exitCode: 2,
    stdout: expect.stringContaining('ENOENT'),
  });

  await writeFile(file, '{\n  "runtime": "runsc",\n  "warm": -1\n}');
  const wrong = await check();
  expect(wrong.exitCode).toBe(2);
  expect(wrong.stdout).toContain(`${file}:2:3 \`runtime\` has another name now, \`oci_runtime\``);
  expect(wrong.stdout).toContain(`${file}:3:3 \`warm\`: `);

  await writeFile(file, '{ "runtime": "runsc" }');
  expect(await check('--write')).toMatchObject({ exitCode: 0 });
  expect(await readFile(file, 'utf8')).toBe('{ "oci_runtime": "runsc" }');
  const { exitCode, stdout } = await check('--json');
  expect({ exitCode, answer: JSON.parse(stdout) }).toEqual({
    exitCode: 0,
    answer: { ok: true, file, problems: [], formerKeys: [], isRewritten: false, isAmbiguous: false },
  });

  const both = '{ "runtime": "runsc", "oci_runtime": "runsc" }';
  await writeFile(file, both);
  expect((await check('--write')).stdout).toContain('another name now, `oci_runtime`; keep one of the two');
  expect(await readFile(file, 'utf8')).toBe(both);
});
