import { expect, test } from 'vitest';
import { mountPathFault } from '../../src/policy/mount-path.ts';

test.each([
  ['/srv/data'],
  ['/home/ada/pictures'],
  ['/var/lib/plugins'],
  ['/etcetera'],
  ['/runs'],
  ['/data/with space'],
  ['/数据'],
])('%s can be mounted', (path) => {
  expect(mountPathFault(path)).toBeNull();
});

test.each([
  ['', 'is not absolute'],
  ['data', 'is not absolute'],
  ['./data', 'is not absolute'],
  ['~/data', 'is not absolute'],
  ['/', 'is the whole host'],
  ['//', 'is not in its plain form'],
  ['/srv/', 'is not in its plain form'],
  ['/srv//data', 'is not in its plain form'],
  ['/srv/./data', 'is not in its plain form'],
  ['/srv/../etc', 'is not in its plain form'],
  ['/srv/a:rw', 'has a colon'],
  ['/srv/a\0', 'control characters'],
  ['/srv/a\n', 'control characters'],
  [`/${'a'.repeat(4096)}`, 'too long'],
  ['/proc', 'is in `/proc`'],
  ['/proc/1/root', 'is in `/proc`'],
  ['/sys/fs/cgroup', 'is in `/sys`'],
  ['/dev/shm', 'is in `/dev`'],
  ['/run/user/1000', 'is in `/run`'],
  ['/var/run', 'is in `/var/run`'],
  ['/etc/ssl', 'is in `/etc`'],
  ['/boot', 'is in `/boot`'],
  ['/root/.ssh', 'is in `/root`'],
  ['/var/lib/docker/volumes', 'is in `/var/lib/docker`'],
  ['/var/lib/containerd', 'is in `/var/lib/containerd`'],
  ['/var/lib/containers/storage', 'is in `/var/lib/containers`'],
  ['/var', 'contains `/var/run`'],
  ['/var/lib', 'contains `/var/lib/docker`'],
  ['/srv/docker.sock', 'is the socket of an engine'],
  ['/home/ada/.docker/run/docker.sock', 'is the socket of an engine'],
])('%j cannot be mounted', (path, fault) => {
  expect(mountPathFault(path)).toContain(fault);
});
