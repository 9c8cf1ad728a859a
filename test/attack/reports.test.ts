import { describe, expect, test } from 'vitest';
import type { Attack, PluginAttack, Target } from '../../src/attack/attack.ts';
import { type AttackReport, AttackReports } from '../../src/attack/reports.ts';

const attack = (id: string, rest: Partial<PluginAttack> = {}): PluginAttack => ({
  id,
  title: `the title of ${id}`,
  promises: ['P1'],
  attempt: { program: () => null },
  judge: () => ({ held: true }),
  ...rest,
});

const HERE = {} as Target;
const isAny = (_: Attack): _ is Attack => true;

function open(...attacks: readonly Attack[]) {
  const told: [string, AttackReport['verdict'], number][] = [];
  const reports = new AttackReports([{ area: 'An area', attacks }], (report, { done }) =>
    told.push([report.id, report.verdict, done]),
  );
  return { reports, told };
}

describe('the verdict', () => {
  test('on a refused attack is that lurkbox held', () => {
    const held = attack('a');
    const { reports, told } = open(held);
    reports.judge(held, () => ({ held: true }), 12.4);
    expect(told).toEqual([['a', 'held', 1]]);
    expect(reports.sum(99.6)).toEqual({
      ok: true,
      held: 1,
      notHeld: 0,
      notTried: 0,
      notHere: 0,
      durationMs: 100,
      attacks: [
        {
          id: 'a',
          area: 'An area',
          title: 'the title of a',
          promises: ['P1'],
          verdict: 'held',
          expected: null,
          got: null,
          durationMs: 12,
        },
      ],
    });
  });

  test('on a successful attack is not ok, with the expected and the actual result', () => {
    const [held, broken] = [attack('a'), attack('b')];
    const { reports } = open(held, broken);
    reports.judge(broken, () => ({ held: false, expected: 'x', got: 'y' }), 1);
    reports.judge(held, () => ({ held: true }), 1);
    const sum = reports.sum(1);
    expect(sum).toMatchObject({ ok: false, held: 1, notHeld: 1 });
    expect(sum.attacks[1]).toMatchObject({ verdict: 'not held', expected: 'x', got: 'y' });
  });

  test('of a judge that cannot read the observation is that lurkbox did not hold', () => {
    const strange = attack('a');
    const { reports } = open(strange);
    reports.judge(
      strange,
      () => {
        throw new TypeError('undefined is not an object');
      },
      1,
    );
    expect(reports.sum(1)).toMatchObject({
      ok: false,
      attacks: [{ verdict: 'not held', got: 'TypeError: undefined is not an object' }],
    });
  });

  test('on a missing target is separate, and leaves the rest ok', () => {
    const [held, absent, none] = [
      attack('a'),
      attack('b', { notHere: () => 'no such thing' }),
      attack('c', { notHere: () => null }),
    ];
    const { reports } = open(held, absent, none);
    reports.begin(HERE);
    expect(reports.open(isAny)).toEqual([held, none]);
    reports.judge(held, () => ({ held: true }), 1);
    reports.judge(none, () => ({ held: null, reason: 'nothing to judge' }), 1);
    const sum = reports.sum(1);
    expect(sum).toMatchObject({ ok: true, held: 1, notHere: 2 });
    expect(sum.attacks.map(({ got }) => got)).toEqual([null, 'no such thing', 'nothing to judge']);
  });
});

test('an attack that could not be tried is not ok', () => {
  const [held, failed] = [attack('a'), attack('b')];
  const { reports } = open(held, failed);
  reports.judge(held, () => ({ held: true }), 1);
  reports.fail(failed, new Error('the engine is gone'), 1);
  expect(reports.sum(1)).toMatchObject({
    ok: false,
    notTried: 1,
    attacks: [{}, { verdict: 'not tried', got: 'the engine is gone' }],
  });
});

test('an attack without a judge is not ok', () => {
  const [held, forgotten] = [attack('a'), attack('b')];
  const { reports } = open(held, forgotten);
  reports.judge(held, () => ({ held: true }), 1);
  expect(reports.sum(1).ok).toBe(false);
});

test('a report without any attack is not ok', () => {
  const absent = attack('a', { notHere: () => 'no such thing' });
  const { reports } = open(absent);
  reports.begin(HERE);
  expect(reports.sum(1).ok).toBe(false);
});

test('a listener that throws changes no verdict', () => {
  const held = attack('a');
  const reports = new AttackReports([{ area: 'An area', attacks: [held] }], () => {
    throw new Error('listener');
  });
  reports.judge(held, () => ({ held: true }), 1);
  expect(reports.sum(1)).toMatchObject({ ok: true, held: 1 });
});
