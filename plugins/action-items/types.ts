/** The part of the execution context that this plugin reads. */
export interface Context {
  readonly inputData: {
    readonly text?: string;
    readonly user_message?: string;
    /** `2026-11-30`: the day that "tomorrow" is counted from. */
    readonly reference_date?: string;
  };
}

/** What the sandbox offers to a plugin. */
export interface Host {
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
  progress(fraction: number, message?: string): void;
  readonly signal: AbortSignal;
}

export interface Due {
  /** As it stands in the text. */
  text: string;
  /** `2026-11-30`, or `null` when the text does not decide it. */
  date: string | null;
  /** `17:00`, or `null` when none is given. */
  time: string | null;
}

export interface DateMention extends Due {
  is_deadline: boolean;
}

export interface ActionItem {
  text: string;
  /** Where it begins, counted from 1. */
  line: number;
  owner: string | null;
  due: Due | null;
  priority: 'high' | 'normal';
  done: boolean;
}

export interface Result {
  summary: string;
  reference_date?: string;
  action_items: ActionItem[];
  dates?: (DateMention & { line: number })[];
  /** Action items and dates above the limits. */
  omitted?: number;
}
