import type { PromiseId } from '../promises.ts';
import type { Attack, AttackGroup, Target, Verdict } from './attack.ts';

/** What came of one attack. */
export interface AttackReport {
  readonly id: string;
  readonly area: string;
  /** A plain sentence that is true when it held. */
  readonly title: string;
  readonly promises: readonly PromiseId[];
  /** `not tried`: it could not be carried out, e.g. because the host was too slow: it neither held nor fell. `not here`: what it attacks does not exist here. Both with the reason in `got`. */
  readonly verdict: 'held' | 'not held' | 'not tried' | 'not here';
  /** `null` unless it did not hold. */
  readonly expected: string | null;
  readonly got: string | null;
  /** Attacks that share an execution share its time. */
  readonly durationMs: number;
}

export interface AttackSum {
  /** Whether all that can be tried here was tried and held. */
  readonly ok: boolean;
  readonly held: number;
  readonly notHeld: number;
  readonly notTried: number;
  readonly notHere: number;
  readonly durationMs: number;
  /** In the order of their areas. */
  readonly attacks: readonly AttackReport[];
}

/** Told of each report as it is made. */
export type OnReport = (
  report: AttackReport,
  progress: { readonly done: number; readonly all: number },
) => void;

/** Keeps what is known of each attack, so that every one of them is told of in the end. */
export class AttackReports {
  readonly #areas: ReadonlyMap<Attack, string>;
  readonly #reports = new Map<Attack, AttackReport>();
  readonly #onReport: OnReport;

  constructor(groups: readonly AttackGroup[], onReport: OnReport) {
    this.#areas = new Map(
      groups.flatMap(({ area, attacks }) => attacks.map((attack) => [attack, area] as const)),
    );
    this.#onReport = onReport;
  }

  /** The attacks that nothing is known of yet, of one kind. */
  open<Kind extends Attack>(isKind: (attack: Attack) => attack is Kind): Kind[] {
    return [...this.#areas.keys()].filter((attack) => !this.#reports.has(attack)).filter(isKind);
  }

  /** Takes out what cannot be tried here. */
  begin(here: Target): void {
    for (const attack of this.#areas.keys()) {
      const reason = attack.notHere?.(here) ?? null;
      if (reason !== null) this.#add(attack, 'not here', null, reason, 0);
    }
  }

  /** Judges an attack; a judge that cannot make sense of what it sees has not seen it hold. */
  judge(attack: Attack, judge: () => Verdict, durationMs: number): void {
    let verdict: Verdict;
    try {
      verdict = judge();
    } catch (error) {
      verdict = { held: false, expected: 'something that can be judged', got: String(error) };
    }
    if (verdict.held === 'unknown') this.#add(attack, 'not tried', null, verdict.reason, durationMs);
    else if (verdict.held === null) this.#add(attack, 'not here', null, verdict.reason, durationMs);
    else if (verdict.held) this.#add(attack, 'held', null, null, durationMs);
    else this.#add(attack, 'not held', verdict.expected, verdict.got, durationMs);
  }

  fail(attack: Attack, error: unknown, durationMs: number): void {
    this.#add(attack, 'not tried', null, error instanceof Error ? error.message : String(error), durationMs);
  }

  sum(durationMs: number): AttackSum {
    const attacks = [...this.#areas.keys()].flatMap((attack) => this.#reports.get(attack) ?? []);
    const count = (verdict: AttackReport['verdict']): number =>
      attacks.filter((report) => report.verdict === verdict).length;
    const [held, notHere] = [count('held'), count('not here')];
    return {
      ok: held > 0 && held + notHere === this.#areas.size,
      held,
      notHeld: count('not held'),
      notTried: count('not tried'),
      notHere,
      durationMs: Math.round(durationMs),
      attacks,
    };
  }

  #add(
    attack: Attack,
    verdict: AttackReport['verdict'],
    expected: string | null,
    got: string | null,
    durationMs: number,
  ): void {
    const { id, title, promises } = attack;
    const area = this.#areas.get(attack) ?? '';
    const report = { id, area, title, promises, verdict, expected, got, durationMs: Math.round(durationMs) };
    this.#reports.set(attack, report);
    try {
      this.#onReport(report, { done: this.#reports.size, all: this.#areas.size });
    } catch {
      // A listener that throws cannot change a verdict.
    }
  }
}
