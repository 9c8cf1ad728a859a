import { Socket } from 'node:net';
import { sep } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { createPlugin } from '../helpers/workspace.ts';

const MOST_FRAMES = 10;

afterEach(() => {
  vi.restoreAllMocks();
});

test.each<['warm' | 'reused', object]>([
  ['warm', {}],
  ['reused', { isolation: 'plugin' }],
])(
  'a call in a %s container passes ten functions at most from `executePlugin` to the write',
  async (kind, rules) => {
    const policy = { warm: 0, plugins: { frames: rules } };
    const code = 'export const execute = () => 1;';
    await using plugin = await createPlugin('frames', { code }, { policy, maxWarm: 4 });
    const { plugins } = plugin.lurkbox;
    if (kind === 'warm') await plugins.prewarm('frames', 1);
    else await plugins.executePlugin('frames', {}, { waitForRemoval: true });
    const stacks: string[] = [];
    const write = Socket.prototype.write;
    vi.spyOn(Socket.prototype, 'write').mockImplementation(function (this: Socket, ...args: unknown[]) {
      const before = Error.stackTraceLimit;
      Error.stackTraceLimit = 100;
      if (String(args[0]).includes('"method":"execute"')) stacks.push(new Error('the write').stack ?? '');
      Error.stackTraceLimit = before;
      return Reflect.apply(write, this, args) as boolean;
    } as typeof write);
    const result = await plugins.executePlugin('frames');
    expect(result).toMatchObject({ outcome: 'OK', metadata: { sandbox: kind } });
    const [stack = '', ...others] = stacks;
    expect(others).toEqual([]);
    const frames = stack.split('\n').filter((line) => line.includes(`${sep}src${sep}`));
    expect(frames.at(-1), frames.join('\n')).toContain('executePlugin');
    expect(frames.length, frames.join('\n')).toBeLessThanOrEqual(MOST_FRAMES);
  },
);
