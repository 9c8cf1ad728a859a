import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { createIdentity, isOwnerDead, toLabels } from '../../../src/sandboxes/cleanup/identity.ts';

const self = createIdentity();

/** The labels of another orchestrator of this machine, whose process is ours, and so alive. */
const other = toLabels({ ...self, instance: 'another' });

test('each identity is new, but names the same machine and process', () => {
  const again = createIdentity();
  expect(again.instance).not.toBe(self.instance);
  expect(again).toMatchObject({ host: self.host, boot: self.boot, process: self.process });
});

test('an identity reveals nothing about the machine', () => {
  expect(self.host).toMatch(/^[0-9a-f]{16}$/);
  expect(self.boot).toMatch(/^[0-9a-f]{16}$/);
  expect(self.process).toMatch(new RegExp(`^${process.pid}:\\d+:\\d+$`));
});

test('the names of the labels are fixed', () => {
  expect(toLabels({ instance: 'i', host: 'h', boot: 'b', process: '1:2:3' })).toEqual({
    'lurkbox.instance': 'i',
    'lurkbox.host': 'h',
    'lurkbox.boot': 'b',
    'lurkbox.process': '1:2:3',
  });
});

/** P8: cleaning never touches what is not known to be left behind. */
describe('the maker of a container is', () => {
  const [pid, start, namespace] = self.process.split(':');
  const gone = `4194305:1:${namespace}`;

  test.each<[string, boolean, Record<string, string>]>([
    ['dead when its process has gone', true, { ...other, 'lurkbox.process': gone }],
    [
      'dead when its pid belongs to a later process',
      true,
      { ...other, 'lurkbox.process': `${pid}:1:${namespace}` },
    ],
    ['alive while its process is there', false, other],
    ['alive when it is this one', false, { ...toLabels(self), 'lurkbox.process': gone }],
    ['unknown on another machine', false, { ...other, 'lurkbox.host': 'f00', 'lurkbox.process': gone }],
    ['dead when its machine has booted since', true, { ...other, 'lurkbox.boot': 'f00' }],
    ['unknown in another pid namespace', false, { ...other, 'lurkbox.process': `4194305:1:${start}` }],
    [
      'unknown without a boot',
      false,
      { 'lurkbox.host': self.host, 'lurkbox.instance': 'x', 'lurkbox.process': gone },
    ],
    ['unknown without labels', false, {}],
    ['unknown with the labels of somebody else', false, { 'com.docker.compose.project': 'x' }],
    ['unknown without an instance', false, { 'lurkbox.host': self.host, 'lurkbox.process': gone }],
    ['unknown without a process', false, { 'lurkbox.host': self.host, 'lurkbox.instance': 'x' }],
    [
      'unknown where the start could not be read',
      false,
      { ...other, 'lurkbox.process': `4194305:unknown:${namespace}` },
    ],
    ['unknown with a process that is none', false, { ...other, 'lurkbox.process': `x:1:${namespace}` }],
    ['unknown with a path for a process', false, { ...other, 'lurkbox.process': `../1:1:${namespace}` }],
    ['unknown with a process without a start', false, { ...other, 'lurkbox.process': String(pid) }],
  ])('%s', (_title, dead, labels) => {
    expect(isOwnerDead(labels, self)).toBe(dead);
  });

  test('dead once a real process has ended', async () => {
    const child = spawn(process.execPath, [
      '--input-type=module',
      '-e',
      `import { createIdentity } from ${JSON.stringify(new URL('../../../src/sandboxes/cleanup/identity.ts', import.meta.url).href)};
       console.log(JSON.stringify(createIdentity()));
       process.stdin.resume();`,
    ]);
    const [line] = await once(child.stdout, 'data');
    const labels = toLabels(JSON.parse(String(line)));
    expect(isOwnerDead(labels, self)).toBe(false);
    child.stdin.end();
    child.kill();
    await once(child, 'close');
    expect(isOwnerDead(labels, self)).toBe(true);
  });
});
