import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { check } from '../../src/documents/problems.ts';
import { parseJson } from '../../src/json/reader.ts';
import { PluginManifestSchema } from '../../src/manifest/schema.ts';
import { checkPolicy } from '../../src/policy/load.ts';
import { resolveGrant } from '../../src/policy/resolve.ts';

const DOCS = join(import.meta.dirname, '../../docs');

const manifests = examplesOf('reference/manifest.md').map((value) => check(PluginManifestSchema, value));
const policies = ['reference/policy.md', ...globSync('guide/operator/*.md', { cwd: DOCS }).sort()]
  .flatMap(examplesOf)
  .map(checkPolicy);

test('every example of a manifest in the documentation is valid', () => {
  expect(manifests.length).toBeGreaterThan(1);
  expect(manifests.filter(({ ok }) => !ok)).toEqual([]);
});

test('every example of a policy in the documentation is valid', () => {
  expect(policies.length).toBeGreaterThan(9);
  expect(policies.filter(({ ok }) => !ok)).toEqual([]);
});

test('the example policy allows what the large example manifest asks for', () => {
  const [manifest, policy] = [manifests.at(-1), policies[0]];
  if (!manifest?.ok || !policy?.ok) return expect.fail('an example is invalid');
  const pinned = policy.value.plugins['thumbnail']?.digest ?? '';
  expect(resolveGrant(manifest.value, policy.value, pinned)).toMatchObject({ ok: true });
});

function examplesOf(page: string): unknown[] {
  const text = readFileSync(join(DOCS, page), 'utf8');
  return [...text.matchAll(/```json\n([\s\S]*?)```/g)].map(([, block = '']) => {
    const reading = parseJson(block);
    if (!reading.ok) throw new Error(`${page}: ${JSON.stringify(reading.faults)}`);
    return reading.value;
  });
}
