import { readFileSync, writeFileSync } from 'node:fs';
import { tryAll } from './attempt.mjs';

export async function execute() {
  const write = (file, text) => () => writeFileSync(`/proc/self/${file}`, text, { flag: 'r+' });
  const answers = await tryAll({
    uidMap: write('uid_map', `0 ${process.getuid()} 1`),
    uidMapOfRoot: write('uid_map', '0 0 1'),
    gidMap: write('gid_map', `0 ${process.getuid()} 1`),
    groups: write('setgroups', 'allow'),
    projects: write('projid_map', '0 0 1'),
    profile: write('attr/current', 'changeprofile unconfined'),
    profileAtExec: write('attr/exec', 'exec unconfined'),
    protectFromOom: write('oom_score_adj', '-1000'),
    scheduling: write('autogroup', '-20'),
    fail: write('make-it-fail', '1'),
    namespaces: write('timens_offsets', 'monotonic 86400 0'),
    patch: write('patch_state', '1'),
  });
  return { ...answers, oomScore: Number(readFileSync('/proc/self/oom_score_adj', 'utf8')) >= 0 };
}
