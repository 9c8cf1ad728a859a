import os from 'node:os';
import { afterEach, expect, test, vi } from 'vitest';
import { nameUser } from '../../src/runner/user-info.ts';

const original = os.userInfo;
afterEach(() => {
  os.userInfo = original;
});

function failWith(code: string): void {
  os.userInfo = vi.fn(() => {
    throw Object.assign(new Error('no such user'), { code: 'ERR_SYSTEM_ERROR', info: { code } });
  }) as never;
}

test('a user without an entry in the image has a name, a home and its own ids', () => {
  failWith('ENOENT');
  nameUser();
  const ids = { uid: process.getuid?.(), gid: process.getgid?.() };
  expect(os.userInfo()).toEqual({ ...ids, username: 'plugin', homedir: '/tmp', shell: '/nonexistent' });
  const { username, homedir } = os.userInfo({ encoding: 'buffer' });
  expect([username, homedir]).toEqual([Buffer.from('plugin'), Buffer.from('/tmp')]);
});

test('a user with an entry, and any other failure, is as Node reports it', () => {
  nameUser();
  expect(os.userInfo()).toEqual(original());
  failWith('EMFILE');
  nameUser();
  expect(() => os.userInfo()).toThrow('no such user');
});
