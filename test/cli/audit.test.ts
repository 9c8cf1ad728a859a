import { appendFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createWorkspace } from '../helpers/workspace.ts';
import { NO_ENGINE, runCli, SOURCE } from './run-cli.ts';

const OPTIONS = { program: SOURCE, env: NO_ENGINE };

test('`audit verify` accepts a workspace without a log, verifies a log, and reports a change', async () => {
  await using workspace = await createWorkspace();
  await workspace.addPlugin('one');
  const verify = (...args: string[]) =>
    runCli(['audit', 'verify', '--workspace', workspace.root, ...args], OPTIONS);
  expect(await verify()).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('no audit log') });
  await runCli(['list', '--workspace', workspace.root], OPTIONS);
  const { exitCode, stdout } = await verify('--json');
  const { records, lastHash } = JSON.parse(stdout);
  expect({ exitCode, records }).toEqual({ exitCode: 0, records: expect.any(Number) });
  expect(records).toBeGreaterThan(10);
  expect(await verify('--expect', lastHash)).toMatchObject({ exitCode: 0 });
  expect(await verify('--expect', 'abc')).toMatchObject({ exitCode: 2 });
  await appendFile(join(workspace.root, '.lurkbox/audit/audit-000001.jsonl'), '{"v":1}\n');
  expect(await verify()).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining('the log was changed'),
  });
  await rm(join(workspace.root, '.lurkbox/audit'), { recursive: true });
  expect(await verify('--expect', lastHash)).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining('the hash was told by one'),
  });
});
