import type { JsonText } from './checker-process.ts';
import type { Quoting } from './problems.ts';
import type { SchemaText } from './schema-text.ts';

export interface SchemaCheck {
  readonly schema: SchemaText;
  /** `null`: only whether the schema can be used. */
  readonly value: JsonText | null;
  /** @default values */
  readonly quoting?: Quoting;
}

export interface CheckRequest {
  /** Whose schema it is. */
  readonly plugin: string;
  readonly checks: readonly SchemaCheck[];
  readonly signal?: AbortSignal | undefined;
}
