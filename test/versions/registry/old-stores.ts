import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { describeStore } from '../../fixtures/stores/describe-store.ts';

const STORES = join(import.meta.dirname, '../../fixtures/stores');

/** The formats of which a state folder was kept: `v1` and all that came after it. */
export const OLD_STORES: readonly string[] = readdirSync(STORES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort();

/** What the version that wrote a store said of it. */
export type Expected = ReturnType<typeof describeStore> & {
  readonly root: string;
  readonly audit: Readonly<Record<string, unknown>> & { readonly lastHash: string };
};

export interface OldWorkspace extends Disposable {
  readonly root: string;
  readonly state: string;
  readonly expected: Expected;
}

/** A workspace with a state folder as an older version left it, removed when it is disposed of. */
export function openOldWorkspace(format: string): OldWorkspace {
  const root = mkdtempSync(join(tmpdir(), 'lurkbox-old-'));
  const state = join(root, '.lurkbox');
  mkdirSync(join(root, 'plugins'));
  cpSync(join(STORES, format, 'state'), state, { recursive: true });
  // As they were: version control keeps nothing of a mode but whether a file can be executed.
  chmodSync(state, 0o700);
  for (const entry of readdirSync(state, { recursive: true, withFileTypes: true }))
    if (entry.isFile() && !entry.parentPath.includes('/plugins/'))
      chmodSync(join(entry.parentPath, entry.name), 0o600);
  const expected = JSON.parse(readFileSync(join(STORES, format, 'expected.json'), 'utf8'));
  return {
    root,
    state,
    expected,
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}
