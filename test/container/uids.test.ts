import { lstat, readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createLurkbox, type Lurkbox } from '../../src/index.ts';
import { compileProbe } from '../helpers/compile-probe.ts';
import {
  createSharedFolder,
  createWorkspace,
  type Program,
  removeImagesOf,
  toContext,
  type Workspace,
} from '../helpers/workspace.ts';

const PROBE =
  'export const execute = ({ inputData: { program, args } }, host) => (0, eval)(program)(args, host);';

async function ask<Args>(
  lurkbox: Lurkbox,
  name: string,
  program: Program<Args>,
  args?: Args,
): Promise<unknown> {
  const { outcome, result, error } = await lurkbox.plugins.executePlugin(name, toContext(program, args), {
    waitForRemoval: true,
  });
  if (outcome !== 'OK') throw new Error(`${name} ended with ${outcome}: ${error?.message}`);
  return result;
}

async function open({ root }: Workspace, policy: object = {}): Promise<Lurkbox> {
  const lurkbox = await createLurkbox({ workspaceRoot: root, maxWarm: 0, policy });
  await lurkbox.plugins.discoverAndLoadAll(root);
  return lurkbox;
}

const whoAmI: Program = () => {
  const os = process.getBuiltinModule('node:os');
  const { statSync } = process.getBuiltinModule('node:fs');
  const { getuid, geteuid, getgid, getegid, getgroups } = process as Required<NodeJS.Process>;
  const ids = [
    getuid(),
    geteuid(),
    getgid(),
    getegid(),
    ...getgroups(),
    statSync('/tmp').uid,
    statSync('/tmp').gid,
  ];
  return { ids: [...new Set(ids)], home: os.homedir(), user: os.userInfo() };
};

/** With a group that others may read by, as most umasks have it. */
const write: Program<string> = (text) => {
  const { writeFileSync } = process.getBuiltinModule('node:fs');
  writeFileSync('/mnt/notes/secret', text, { mode: 0o660 });
};

const read: Program = () => {
  try {
    return process.getBuiltinModule('node:fs').readFileSync('/mnt/notes/secret', 'utf8');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
};

describe('each plugin has its own user', () => {
  test('that is the same in every call, with a name and a home, and no group of another plugin (P7)', async () => {
    await using workspace = await createWorkspace();
    const names = ['uids-one', 'uids-two'];
    for (const name of names) await workspace.addPlugin(name, { code: PROBE });
    const seen: Record<string, number[]> = { 'uids-one': [], 'uids-two': [] };
    // Also after a restart.
    for (let round = 0; round < 2; round++) {
      await using lurkbox = await open(workspace);
      for (const name of names) {
        const { grant } = lurkbox.plugins.get(name)!;
        expect(await ask(lurkbox, name, whoAmI)).toEqual({
          ids: [grant.uid],
          home: '/tmp',
          user: {
            uid: grant.uid,
            gid: grant.uid,
            username: 'plugin',
            homedir: '/tmp',
            shell: '/nonexistent',
          },
        });
        seen[name]?.push(grant.uid);
      }
    }
    const [one, two] = Object.values(seen);
    expect(one?.[0]).toBe(one?.[1]);
    expect(two?.[0]).toBe(two?.[1]);
    expect(one?.[0]).not.toBe(two?.[0]);
    expect(one?.[0]).not.toBe(userInfo().uid);
    await using lurkbox = await open(workspace);
    for (const name of names) await removeImagesOf(lurkbox, name);
  });

  test('so that it can rewrite its files in a mount, and no other plugin can read them (P7)', async () => {
    await using workspace = await createWorkspace();
    await using notes = await createSharedFolder();
    const manifest = { permissions: { filesystem: { mounts: { notes: 'rw' } } } };
    const names = ['uids-writer', 'uids-reader'];
    for (const name of names) await workspace.addPlugin(name, { code: PROBE, manifest });
    const policy = {
      allow: { mounts: { notes: { path: notes.path, mode: 'rw' } } },
      plugins: Object.fromEntries(names.map((name) => [name, { allow: { mounts: ['notes'] } }])),
    };
    for (const text of ['first', 'second', 'after a restart']) {
      await using lurkbox = await open(workspace, policy);
      await ask(lurkbox, 'uids-writer', write, text);
      expect(await readFile(join(notes.path, 'secret'), 'utf8')).toBe(text);
      const { uid } = lurkbox.plugins.get('uids-writer')!.grant;
      expect(await lstat(join(notes.path, 'secret'))).toMatchObject({ uid, gid: uid });
      expect(await ask(lurkbox, 'uids-writer', read)).toBe(text);
      expect(await ask(lurkbox, 'uids-reader', read)).toBe('EACCES');
    }
    // A folder of a time when all plugins had one user.
    const pinned = {
      ...policy,
      plugins: { ...policy.plugins, 'uids-reader': { uid: 65_532, allow: { mounts: ['notes'] } } },
    };
    await using lurkbox = await open(workspace, pinned);
    expect(await ask(lurkbox, 'uids-reader', whoAmI)).toMatchObject({ ids: [65_532] });
    for (const name of names) await removeImagesOf(lurkbox, name);
  });
});

const FILL = `#include "probe.h"
#include <signal.h>
#include <sys/inotify.h>
#include <time.h>

ATTEMPTS {
  while (inotify_init1(IN_CLOEXEC) != -1);
  timer_t timer;
  for (int count = 0; count < 500; count++) timer_create(CLOCK_MONOTONIC, NULL, &timer);
  TRY("done", 0);
}
`;

const FILLER = `import { openSync, writeSync } from 'node:fs';
export const execute = async () => {
  try { process.dlopen({ exports: {} }, '/plugin/probe.node'); } catch {}
  await new Promise((resolve) => setTimeout(resolve, 1e6));
};
`;

/** What is left of the tables for somebody else. */
const lookAtTables: Program = () => {
  const { readFileSync, watch } = process.getBuiltinModule('node:fs');
  const [, signals] = /SigQ:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  try {
    watch('/tmp').close();
    return { watch: 'works', signals: Number(signals) };
  } catch (error) {
    return { watch: (error as NodeJS.ErrnoException).code, signals: Number(signals) };
  }
};

const MOST_WATCHERS = '/proc/sys/fs/inotify/max_user_instances';

describe('a limit that the kernel counts by user', () => {
  // Pinned to one user both plugins share the tables: the test sees what it looks for.
  test.each([
    ['is not shared by plugins (P7, P10)', {}, false],
    ['is shared by plugins with the same number in the policy', { uid: 65_532 }, true],
  ])('%s', async (_, rule, isShared) => {
    // One process cannot fill a larger table with 256 descriptors.
    const isSmall = Number(await readFile(MOST_WATCHERS, 'utf8')) < 200;
    await using workspace = await createWorkspace();
    const folder = await workspace.addPlugin('uids-filler', { code: FILLER });
    await workspace.addPlugin('uids-other', { code: PROBE });
    await writeFile(join(folder, 'probe.c'), FILL);
    await compileProbe(folder);
    const plugins = { 'uids-filler': rule, 'uids-other': rule };
    await using lurkbox = await open(workspace, { plugins });
    for (const name of Object.keys(plugins)) await lurkbox.plugins.prepare(name);
    const over = new AbortController();
    const filling = lurkbox.plugins.executePlugin(
      'uids-filler',
      {},
      { signal: over.signal, waitForRemoval: true },
    );
    let seen: unknown;
    // Until the tables are full, or long enough for them to be.
    for (let tries = 0; tries < 6; tries++) {
      await delay(300);
      seen = await ask(lurkbox, 'uids-other', lookAtTables);
      if ((seen as { signals: number }).signals >= 500) break;
    }
    over.abort();
    await filling;
    for (const name of Object.keys(plugins)) await removeImagesOf(lurkbox, name);
    if (!isShared) expect(seen).toEqual({ watch: 'works', signals: 0 });
    else {
      expect(seen).toMatchObject({ signals: 500 });
      if (isSmall) expect(seen).toMatchObject({ watch: 'EMFILE' });
    }
  });
});
