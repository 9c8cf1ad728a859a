import { applyPatch, createPatch } from 'diff';

export function execute() {
  const patch = createPatch('a.txt', 'one\ntwo\n', 'one\n2\n');
  return { hunk: patch.includes('-two\n+2'), applied: applyPatch('one\ntwo\n', patch) };
}
