import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import type { Attack, Observation, PluginAttack, Verdict } from '../../src/attack/attack.ts';
import { ATTACKS } from '../../src/attack/cases/all.ts';
import { OUTCOMES, type Outcome } from '../../src/calls/outcome.ts';
import { PROMISES } from '../../src/promises.ts';
import { EVIDENCE, ended, HERE } from './evidence.ts';

const attacks: readonly Attack[] = ATTACKS.flatMap((group) => group.attacks);
const byPlugin = attacks.filter((attack): attack is PluginAttack => 'attempt' in attack);

/** As the reports does it: a judge that throws has not seen the attack hold. */
function isHeld({ judge }: Attack, evidence: unknown): Verdict['held'] {
  try {
    return (judge(evidence as never) as Verdict).held;
  } catch {
    return false;
  }
}

describe('the table of attacks', () => {
  test('has a unique id and title for each', () => {
    expect(new Set(attacks.map(({ id }) => id)).size).toBe(attacks.length);
    expect(new Set(attacks.map(({ title }) => title)).size).toBe(attacks.length);
    for (const { id } of attacks) expect(id).toMatch(/^[a-z]+(-[a-z0-9]+)+$/);
    for (const { title } of attacks) expect(title).not.toMatch(/\.$|\n/);
    expect(new Set(ATTACKS.map(({ area }) => area)).size).toBe(ATTACKS.length);
  });

  test('cites every promise, in order, and no other', () => {
    for (const { promises } of attacks) {
      expect(promises.length).toBeGreaterThan(0);
      expect([...promises].sort()).toEqual([...promises]);
      for (const promise of promises) expect(Object.keys(PROMISES)).toContain(promise);
    }
    expect(new Set(attacks.flatMap(({ promises }) => promises))).toEqual(new Set(Object.keys(PROMISES)));
  });

  test('has programs that can be sent as text, and arguments that are JSON', () => {
    for (const { attempt } of byPlugin) {
      for (const program of [attempt.program, attempt.before, attempt.beside].filter(
        (one) => one !== undefined,
      )) {
        expect(typeof runInNewContext(`(${program})`)).toBe('function');
      }
      expect(JSON.parse(JSON.stringify(attempt.args ?? null))).toEqual(attempt.args ?? null);
    }
  });

  test('leaves out raw system calls on other processors, and says so', () => {
    const arm = { ...HERE, facts: { ...HERE.facts, platform: { os: 'linux', architecture: 'arm64' } } };
    const left = attacks.filter((attack) => attack.notHere?.(arm) != null);
    expect(left.map(({ id }) => id.split('-')[0])).toEqual([...Array(12).fill('kernel'), 'tables']);
    expect(left[0]?.notHere?.(arm)).toBe('raw system calls are not tried on arm64');
    expect(attacks.filter((attack) => attack.notHere?.(HERE) != null)).toEqual([]);
  });
});

describe('the judge of an attack', () => {
  test('has evidence in this test for and against it', () => {
    expect(Object.keys(EVIDENCE).sort()).toEqual(attacks.map(({ id }) => id).sort());
    for (const [id, { bad }] of Object.entries(EVIDENCE))
      expect({ id, bad: bad.length > 0 }).toEqual({ id, bad: true });
  });

  test.each(attacks.map((attack) => [attack.id, attack] as const))(
    '%s distinguishes a refused attack from a successful one',
    (id, attack) => {
      for (const evidence of EVIDENCE[id]?.good ?? []) expect(isHeld(attack, evidence)).toBe(true);
      const believed = (EVIDENCE[id]?.bad ?? []).filter((evidence) => isHeld(attack, evidence) !== false);
      expect(believed).toEqual([]);
      for (const evidence of EVIDENCE[id]?.late ?? []) expect(isHeld(attack, evidence)).toBe('unknown');
    },
  );

  test.each(byPlugin.map((attack) => [attack.id, attack] as const))(
    '%s does not count an execution that the engine or lurkbox ended',
    (_, attack) => {
      const ofTheHost: Outcome[] = ['ENGINE_LOST', 'ENGINE_UNAVAILABLE', 'ENGINE_TIMEOUT', 'BUSY'];
      for (const outcome of ofTheHost) expect(isHeld(attack, ended(outcome))).toBe('unknown');
      const ofLurkbox: Outcome[] = ['RUNTIME_UNAVAILABLE', 'INTERNAL'];
      for (const outcome of ofLurkbox) expect(isHeld(attack, ended(outcome))).toBe(false);
    },
  );

  test.each(
    byPlugin
      .filter(({ attempt }) => attempt.timeoutMs === undefined)
      .map((attack) => [attack.id, attack] as const),
  )('%s does not count a late call on a slow host as a success, but any evidence of one', (id, attack) => {
    const slow = { here: { ...HERE, slowness: 8 } };
    expect(isHeld(attack, ended('TIMEOUT', '', slow))).toBe('unknown');
    for (const evidence of (EVIDENCE[id]?.bad ?? []) as Observation[]) {
      const seen = { ...evidence, here: { ...evidence.here, slowness: 8 } };
      if (evidence.result.outcome === 'OK') expect(isHeld(attack, seen)).toBe(false);
    }
  });

  test('on a deadline counts a delay of the host as unknown, and a call that never ends as a success', () => {
    const attack = byPlugin.find(({ id }) => id === 'deadlines-wait') as PluginAttack;
    const seen = (rest: object) => ended('TIMEOUT', '', { here: { ...HERE, slowness: 4 }, ...rest });
    expect(isHeld(attack, seen({ settledMs: 3_000, goneMs: 4_000 }))).toBe(true);
    expect(isHeld(attack, seen({ settledMs: 9_000, goneMs: 9_500 }))).toBe('unknown');
    expect(isHeld(attack, seen({ settledMs: 3_000, goneMs: null }))).toBe(false);
    expect(isHeld(attack, seen({ settledMs: 90_000, goneMs: 91_000 }))).toBe(false);
  });

  test('on a weaker plan does not trust a list with a gap, or another code', () => {
    const weaker = attacks.find(({ id }) => id === 'controls-weaker') as Attack;
    const asked = /\((\d+) ways\)/.exec(weaker.title)?.[1];
    const verdict = weaker.judge({ 'what it is granted': 'created' } as never);
    const missing = verdict.held === false ? verdict.got.match(/not asked/g) : null;
    expect(missing?.length).toBeGreaterThan(5);
    expect(Number(asked)).toBeGreaterThan(20);
    expect(isHeld(weaker, { 'what it is granted': 'ENGINE_INSECURE' })).toBe(false);
  });

  test('names no unknown outcome', () => {
    for (const { result } of byPlugin.flatMap(
      ({ id }) => (EVIDENCE[id]?.good ?? []) as { result: { outcome: string } }[],
    )) {
      expect(Object.keys(OUTCOMES)).toContain(result.outcome);
    }
  });
});

test('without foreign containers there is nothing to touch', () => {
  const others = attacks.find(({ id }) => id === 'after-others') as Attack;
  expect(isHeld(others, { touched: [], others: 0 })).toBeNull();
});
