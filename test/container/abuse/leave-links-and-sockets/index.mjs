import { linkSync, mkdirSync, openSync, symlinkSync, unlinkSync, watch, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';

export async function execute() {
  for (const folder of ['/tmp', '/scratch']) {
    mkdirSync(`${folder}/dir`);
    await new Promise((resolve, reject) =>
      createServer().once('error', reject).listen(`${folder}/dir/socket`, resolve),
    );
    symlinkSync('..', `${folder}/dir/up`);
    symlinkSync('/etc/shadow', `${folder}/dir/shadow`);
    symlinkSync('/', `${folder}/root`);
    writeFileSync(`${folder}/one`, 'x');
    for (let count = 0; count < 100; count++) linkSync(`${folder}/one`, `${folder}/also-${count}`);
    // Open, without a name any more.
    openSync(`${folder}/gone`, 'w');
    unlinkSync(`${folder}/gone`);
    watch(folder);
    openSync(folder, 'r');
  }
  process.chdir('/scratch/dir');
  return 'left';
}
