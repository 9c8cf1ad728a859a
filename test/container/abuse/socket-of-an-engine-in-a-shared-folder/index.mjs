import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';

const SHARED = '/mnt/shared';

export async function execute() {
  const before = ['docker.sock', 'podman.sock'].filter((name) => existsSync(`${SHARED}/${name}`));
  rmSync(`${SHARED}/docker.sock`, { force: true });
  await new Promise((resolve, reject) =>
    createServer().once('error', reject).listen(`${SHARED}/docker.sock`, resolve),
  );
  writeFileSync(`${SHARED}/podman.sock`, 'no socket at all');
  return before.length === 0 ? 'first call' : 'later call';
}
