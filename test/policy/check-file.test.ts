import {
  chmod,
  lstat,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkPolicy } from '../../src/index.ts';
import { checkPolicyFile } from '../../src/policy/check-file.ts';

const FORMER = `{
  "plugins": { "weather": {"record":true,   "runtime" : "crun" } },

\t"runtime": "runsc", "warm": 2
}`;

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'lurkbox-policy-')));
  path = join(folder, 'lurkbox.policy.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function check(text: string, options: Parameters<typeof checkPolicyFile>[1] = {}) {
  await writeFile(path, text);
  return checkPolicyFile(path, options);
}

describe('a problem of a policy is reported with its line', () => {
  test.each<[string, string, string, RegExp, number | null, number | null]>([
    ['an unknown key', '{\n  "ceiling": {}\n}', 'ceiling', /did you mean `ceilings`/, 2, 3],
    [
      'an unknown key of a plugin',
      '{"plugins": {"a": {"recrd_calls": true}}}',
      'plugins.a.recrd_calls',
      /did you mean `record_calls`/,
      1,
      20,
    ],
    ['a wrong value', '{\n "warm":\n  -1 }', 'warm', /expected/, 2, 2],
    [
      'an item of a list',
      '{"accept_unenforced": ["tmp_files",\n "x"]}',
      'accept_unenforced[1]',
      /expected one of/,
      2,
      2,
    ],
    ['a contradiction', '{"uids": {"first": 5000, "last": 4000}}', 'uids.last', /at least the 5000/, 1, 26],
    ['a key under a former name', '{\n"runtime": "/usr/bin/runc"}', 'runtime', /OCI runtime/, 2, 1],
    ['a fault of syntax', '{\n  "warm" 2 }', '', /not valid JSON/, 2, 10],
    ['no place where there is none', '\ufeff{}', '', /byte order mark/, null, null],
  ])('%s', async (_what, text, at, message, line, column) => {
    const { problems } = await check(text);
    expect(problems).toEqual([{ path: at, message: expect.stringMatching(message), line, column }]);
  });

  test('all of them at once', async () => {
    const { problems } = await check('{"warm": -1, "ceiling": 1, "allow": {"exec": 1}}');
    expect(problems.map((problem) => problem.path).sort()).toEqual(['allow.exec', 'ceiling', 'warm']);
  });
});

test('former names are reported, and nothing is written without a request', async () => {
  const { problems, formerKeys, isRewritten } = await check(FORMER);
  expect({ problems, isRewritten }).toEqual({ problems: [], isRewritten: false });
  expect(formerKeys).toEqual([
    { path: 'runtime', now: 'oci_runtime', line: 4, column: 2 },
    { path: 'plugins.weather.runtime', now: 'plugins.weather.oci_runtime', line: 2, column: 45 },
    { path: 'plugins.weather.record', now: 'plugins.weather.record_calls', line: 2, column: 28 },
  ]);
  expect(await readFile(path, 'utf8')).toBe(FORMER);
});

describe('former keys of a policy file are renamed', () => {
  test('with the order, layout and mode of the file unchanged', async () => {
    await writeFile(path, FORMER);
    await chmod(path, 0o640);
    expect(await checkPolicyFile(path, { write: true })).toMatchObject({ problems: [], isRewritten: true });
    expect(await readFile(path, 'utf8')).toBe(
      FORMER.replaceAll('"runtime"', '"oci_runtime"').replace('"record"', '"record_calls"'),
    );
    expect((await stat(path)).mode & 0o777).toBe(0o640);
    expect(await readdir(folder)).toEqual(['lurkbox.policy.json']);
    expect(await checkPolicyFile(path, { write: true })).toMatchObject({
      formerKeys: [],
      isRewritten: false,
    });
  });

  test('at the target of a link, and the link stays', async () => {
    await writeFile(path, FORMER);
    const link = join(folder, 'link.json');
    await symlink('lurkbox.policy.json', link);
    expect((await checkPolicyFile(link, { write: true })).isRewritten).toBe(true);
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    expect(await readFile(path, 'utf8')).toContain('oci_runtime');
  });

  test('whatever the plugins are called', async () => {
    const names = ['a', 'a-b', 'n'.repeat(64), 'runtime', 'plugins'];
    const plugins = Object.fromEntries(names.map((name) => [name, { runtime: 'crun' }]));
    await check(JSON.stringify({ plugins }), { write: true });
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      plugins: Object.fromEntries(names.map((name) => [name, { oci_runtime: 'crun' }])),
    });
  });

  test('even when other problems remain, which are reported with their new lines', async () => {
    const { isRewritten, problems } = await check('{"runtime": "runsc", "warm": -1}', { write: true });
    expect(isRewritten).toBe(true);
    expect(problems).toMatchObject([{ path: 'warm', line: 1, column: 26 }]);
  });

  test.each([
    ['both names are there', '{"runtime": "runc", "oci_runtime": "runsc"}'],
    ['a key stands there twice', '{"runtime": "runc", "runtime": "runsc"}'],
    ['the file is no JSON', '{"runtime": "runc",}'],
  ])('but not where %s', async (_what, text) => {
    const { isRewritten, problems } = await check(text, { write: true });
    expect(isRewritten).toBe(false);
    expect(problems).toHaveLength(1);
    expect(await readFile(path, 'utf8')).toBe(text);
  });
});

test('the policy of a workspace is checked as it is read there', async () => {
  expect(await checkPolicy({ workspaceRoot: folder })).toBeNull();
  await writeFile(path, JSON.stringify({ allow: { mounts: { own: { path: folder, mode: 'rw' } } } }));
  expect(await checkPolicy({ workspaceRoot: folder })).toMatchObject({
    file: path,
    problems: [
      { path: 'allow.mounts.own.path', message: expect.stringContaining('is the workspace'), line: 1 },
      { path: 'allow.mounts.own.path', message: expect.stringContaining('holds the policy file'), line: 1 },
    ],
  });
});
