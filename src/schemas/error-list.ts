import type { ErrorObject } from 'ajv';
import { MAX_KEPT_ERRORS } from './cut.ts';

/**
 * What ajv collects its errors in. Branches of branches that all fail make errors by the hundred thousand: the first few are
 * kept, and the others counted. Ajv goes back to an earlier number of errors when a later branch fits.
 */
export class ErrorList {
  readonly kept: ErrorObject[];
  #length: number;

  constructor(kept: ErrorObject[], length: number) {
    this.kept = kept;
    this.#length = length;
  }

  get length(): number {
    return this.#length;
  }

  set length(length: number) {
    this.#length = length;
    if (this.kept.length > length) this.kept.length = length;
  }

  push(error: ErrorObject): void {
    this.#length++;
    if (this.kept.length < MAX_KEPT_ERRORS) this.kept.push(error);
  }

  /** Ajv turns the errors of an invalid schema into one text. */
  map<T>(toOther: (error: ErrorObject) => T): T[] {
    return this.kept.map(toOther);
  }

  /** What a validator left behind: nothing, an array of one, or such a list. */
  static of(errors: readonly ErrorObject[] | ErrorList | null | undefined): ErrorList {
    if (errors instanceof ErrorList) return errors;
    return new ErrorList((errors ?? []).slice(0, MAX_KEPT_ERRORS), errors?.length ?? 0);
  }

  static join(before: ErrorList | null, more: readonly ErrorObject[] | ErrorList | null): ErrorList {
    const [first, second] = [ErrorList.of(before), ErrorList.of(more)];
    const kept = [...first.kept, ...second.kept].slice(0, MAX_KEPT_ERRORS);
    return new ErrorList(kept, first.length + second.length);
  }
}
