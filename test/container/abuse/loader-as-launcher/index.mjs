import { copyFileSync, readdirSync } from 'node:fs';

export function execute() {
  const library = readdirSync('/lib').find((name) => name.endsWith('-linux-gnu'));
  copyFileSync(`/lib/${library}/libm.so.6`, '/tmp/program');
  const loader = ['/lib64', '/lib'].flatMap((folder) => loadersIn(folder))[0];
  process.execve(loader, [loader, '/tmp/program'], {});
}

function loadersIn(folder) {
  try {
    return readdirSync(folder)
      .filter((name) => /^ld-linux/.test(name))
      .map((name) => `${folder}/${name}`);
  } catch {
    return [];
  }
}
