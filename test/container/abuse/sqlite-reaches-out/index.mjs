import { copyFileSync, readdirSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tryAll } from './attempt.mjs';

export function execute({ inputData: { lures } }) {
  const folder = readdirSync('/lib').find((name) => name.endsWith('-linux-gnu'));
  copyFileSync(`/lib/${folder}/libm.so.6`, '/tmp/extension.so');
  const database = new DatabaseSync('/tmp/own.db', { allowExtension: true });
  database.enableLoadExtension(true);
  const attach = (path) => () => {
    database.exec(`ATTACH '${path}' AS other`);
    try {
      database.exec('CREATE TABLE other.t (x)');
    } finally {
      database.exec('DETACH other');
    }
  };
  return tryAll({
    extension: () => database.loadExtension('/tmp/extension.so'),
    extensionInSql: () => database.exec("SELECT load_extension('/tmp/extension.so')"),
    attachPlugin: attach('/plugin/x.db'),
    attachShadow: attach('/etc/shadow'),
    attachCanary: attach(lures.canaryFile),
    attachByUri: attach('file:/etc/passwd?vfs=unix-none&mode=rwc'),
    vacuumInto: () => database.exec("VACUUM INTO '/plugin/copy.db'"),
  });
}
