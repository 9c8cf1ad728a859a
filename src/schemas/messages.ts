import type { Problem } from '../errors.ts';
import type { Quoting } from './problems.ts';

/** What a process that checks is asked: each check may come with a value, in frames behind this. */
export interface JobMessage {
  readonly limitMs: number;
  /** Ids of schemas that are not asked for again. */
  readonly forget: readonly string[];
  readonly checks: readonly {
    readonly id: string;
    /** The schema as JSON, where the process does not know it yet. */
    readonly schema: string | null;
    /** `false`: the schema is only compiled. */
    readonly hasValue: boolean;
    readonly quoting: Quoting;
  }[];
}

/** What came of one check. */
export type Answer =
  /** No problem: the schema can be used, and the value fits. */
  | { readonly kind: 'checked'; readonly problems: readonly Problem[] }
  /** The schema is invalid, or cannot be used. */
  | { readonly kind: 'unusable'; readonly problems: readonly Problem[] }
  /** The check did not finish, and the schema is the reason. */
  | { readonly kind: 'undecided'; readonly reason: string }
  /** The check did not finish, and the schema is not the reason. */
  | { readonly kind: 'unavailable'; readonly reason: string };

/** The reply; `late`: the time ran out in that check, and the checks behind it were not begun. */
export interface ReplyMessage {
  readonly answers: readonly Answer[];
  readonly late: 'compiling' | 'checking' | null;
}

/** A reply holds at most some twenty problems for each of three checks, each cut. */
export const MAX_REPLY_BYTES = 1024 * 1024;
/** Three schemas, each escaped, and pieces of values. */
export const MAX_JOB_BYTES = 8 * 1024 * 1024;
