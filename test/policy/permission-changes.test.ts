import { expect, test } from 'vitest';
import { PluginManifestSchema } from '../../src/manifest/schema.ts';
import { permissionsBeyond } from '../../src/policy/permission-changes.ts';
import { MINIMAL } from '../manifest/sample.ts';

function permissions(written: object) {
  return PluginManifestSchema.parse({ ...MINIMAL, permissions: written }).permissions;
}

test.each([
  ['nothing of nothing', {}, {}],
  ['what was given up', { network: true, exec: true, filesystem: true, secrets: ['A'] }, {}],
  ['single hosts of a bridge', { network: true }, { network: { hosts: ['a.example:443'] } }],
  [
    'fewer hosts',
    { network: { hosts: ['a.example:443', 'b.example:443'] } },
    { network: { hosts: ['b.example:443'] } },
  ],
  [
    'read only of a writable mount',
    { filesystem: { mounts: { data: 'rw' } } },
    { filesystem: { mounts: { data: 'ro' } } },
  ],
  ['fewer channels', { channels: ['a', 'b'] }, { channels: ['b'] }],
  ['some channels of any', {}, { channels: ['b'] }],
  ['another spelling of the same', { filesystem: true }, { filesystem: { scratch: true } }],
])('%s needs no new consent', (_what, consented, asked) => {
  expect(permissionsBeyond(permissions(consented), permissions(asked))).toEqual([]);
});

test.each([
  ['network', {}, { network: true }, 'permissions.network', 'none', 'a bridge network'],
  [
    'host network',
    { network: true },
    { network: 'host' },
    'permissions.network',
    'a bridge network',
    'the network of the host',
  ],
  [
    'a host',
    { network: { hosts: ['a.example:443'] } },
    { network: { hosts: ['a.example:443', 'b.example:443'] } },
    'permissions.network.hosts',
    'a.example:443',
    'also b.example:443',
  ],
  [
    'a bridge instead of hosts',
    { network: { hosts: ['a.example:443'] } },
    { network: true },
    'permissions.network',
    'a.example:443',
    'a bridge network',
  ],
  ['exec', {}, { exec: true }, 'permissions.exec', 'no', 'yes'],
  ['scratch', {}, { filesystem: true }, 'permissions.filesystem.scratch', 'no', 'yes'],
  [
    'a mount',
    {},
    { filesystem: { mounts: { data: 'ro' } } },
    'permissions.filesystem.mounts.data',
    'none',
    'ro',
  ],
  [
    'writing',
    { filesystem: { mounts: { data: 'ro' } } },
    { filesystem: { mounts: { data: 'rw' } } },
    'permissions.filesystem.mounts.data',
    'ro',
    'rw',
  ],
  ['a channel', { channels: ['a'] }, { channels: ['a', 'b'] }, 'permissions.channels', 'a', 'also b'],
  ['any channel', { channels: ['a'] }, {}, 'permissions.channels', 'a', 'any'],
  ['a secret', { secrets: ['A'] }, { secrets: ['A', 'B'] }, 'permissions.secrets', 'A', 'also B'],
])('%s needs new consent', (_what, before, after, path, consented, asked) => {
  expect(permissionsBeyond(permissions(before), permissions(after))).toEqual([{ path, consented, asked }]);
});
