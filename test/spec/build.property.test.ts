import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toCreateOptions } from '../../src/engine/docker/to-create-options.ts';
import { verifyCreateBody } from '../../src/engine/verify.ts';
import { PluginManifestSchema } from '../../src/manifest/schema.ts';
import { resolveGrant } from '../../src/policy/resolve.ts';
import { PolicySchema } from '../../src/policy/schema.ts';
import { toAllowance } from '../../src/spec/allowance.ts';
import { buildContainerSpec } from '../../src/spec/build.ts';
import { HOST_CONFIG_FIELDS } from '../engine/last-look/api-fields.ts';
import { mutate } from '../engine/last-look/mutate.ts';
import { FACTS } from '../engine/sample.ts';
import { anyManifest, anyPolicy, MARKER } from './documents.ts';
import { judge, objectionsTo, type Verdict, type Written, type WrittenPolicy } from './oracle.ts';
import { CONTAINER_LABELS, IMAGE, NAME } from './sample.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

const anyEngine = fc.record({
  apparmor: fc.boolean(),
  defaultRuntime: fc.constantFrom('runc', 'crun'),
});

type EngineTraits = { readonly apparmor: boolean; readonly defaultRuntime: string };

/** The whole pure half: two documents in, the body of a create call out, or what became of it instead. */
function run(manifestDocument: unknown, policyDocument: unknown, engine: EngineTraits) {
  const manifest = PluginManifestSchema.safeParse(manifestDocument);
  const policy = PolicySchema.safeParse(policyDocument);
  if (!manifest.success || !policy.success) return { end: 'invalid' } as const;
  const verdict = judge(manifestDocument as Written, policyDocument as WrittenPolicy);
  const resolution = resolveGrant(manifest.data, policy.data, DIGEST);
  if (!resolution.ok) return { end: 'denied', verdict, denials: resolution.denials } as const;
  const { plugin } = resolution.grant;
  const { version } = manifest.data;
  const labels = { ...CONTAINER_LABELS, 'lurkbox.plugin': plugin, 'lurkbox.version': version };
  const made = { name: NAME, image: IMAGE, labels };
  const spec = buildContainerSpec({ grant: resolution.grant, ...made });
  const body = toCreateOptions(spec, { ...FACTS, ...engine });
  return { end: 'built', verdict, body, allowance: { ...toAllowance(resolution.grant), ...made } } as const;
}

function objections(body: object, verdict: Verdict, { apparmor, defaultRuntime }: EngineTraits): string[] {
  return objectionsTo(body as never, verdict, { apparmor, runtime: defaultRuntime });
}

test('any manifest under any policy is denied, or gets exactly what it asks within every ceiling (P6)', () => {
  const ends = { invalid: 0, denied: 0, built: 0 };
  const property = fc.property(anyManifest, anyPolicy, anyEngine, (manifest, policy, engine) => {
    const result = run(manifest, policy, engine);
    ends[result.end]++;
    if (result.end === 'invalid') return;
    if (result.end === 'denied') {
      expect(result.verdict).toBeNull();
      expect(result.denials.length).toBeGreaterThan(0);
      return;
    }
    expect(result.verdict).not.toBeNull();
    expect(objections(result.body, result.verdict as Verdict, engine)).toEqual([]);
    const text = JSON.stringify(result.body);
    verifyCreateBody(text, result.allowance, engine);
    // What a plugin says of itself is no matter of its container, but for its name and version in labels.
    expect(text).not.toContain(MARKER);
  });
  fc.assert(property, { numRuns: 10_000 });
  expect(ends.built).toBeGreaterThan(1000);
  expect(ends.denied).toBeGreaterThan(1000);
  expect(ends.invalid).toBeGreaterThan(500);
});

test('a changed create request that the second check faults is also refused by the last one (P6)', () => {
  let objected = 0;
  const anyChange = fc.constantFrom(...Object.entries(HOST_CONFIG_FIELDS));
  const property = fc.property(anyManifest, anyPolicy, anyChange, (manifest, policy, [field, to]) => {
    const engine = { apparmor: false, defaultRuntime: 'runc' };
    const result = run(manifest, policy, engine);
    if (result.end !== 'built') return;
    const changed = mutate(result.body, { at: ['HostConfig', field], to }) as object;
    if (objections(changed, result.verdict as Verdict, engine).length === 0) return;
    objected++;
    expect(() => verifyCreateBody(JSON.stringify(changed), result.allowance, engine)).toThrow();
  });
  fc.assert(property, { numRuns: 1000 });
  expect(objected).toBeGreaterThan(50);
});
