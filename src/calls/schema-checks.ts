import { LurkboxError, type Problem } from '../errors.ts';
import type { PluginManifest } from '../manifest/schema.ts';
import type { SchemaCheck } from '../schemas/check-request.ts';
import type { Answer } from '../schemas/messages.ts';
import type { SchemaChecker } from '../schemas/schema-checker.ts';
import { type SchemaText, toSchemaText } from '../schemas/schema-text.ts';
import type { ExecutionContextConfig } from './context.ts';
import { type Ending, endingOfError, failed } from './ending.ts';
import { OUTCOMES } from './outcome.ts';
import { toJsonText } from './request.ts';

/** Code of an error: whether the value fits is not known, because its schema takes too much time or memory. */
const SCHEMA_TOO_COSTLY = 'SCHEMA_TOO_COSTLY';

/** Checks values against the schemas of one plugin. A value without a schema is not checked and costs nothing. */
export class SchemaChecks {
  readonly #plugin: string;
  readonly #checker: SchemaChecker;
  readonly #input: SchemaText | null;
  readonly #config: SchemaText | null;
  readonly #output: SchemaText | null;

  constructor(manifest: PluginManifest, checker: SchemaChecker) {
    this.#plugin = manifest.name;
    this.#checker = checker;
    this.#input = toSchemaText(manifest.input_schema, 'input_schema');
    this.#config = toSchemaText(manifest.config_schema, 'config_schema');
    this.#output = toSchemaText(manifest.output_schema, 'output_schema');
  }

  /** @throws LurkboxError `MANIFEST_INVALID` when a schema is none, or cannot be compiled within its bounds */
  async assertUsable(): Promise<void> {
    const schemas = [this.#input, this.#config, this.#output].filter((schema) => schema !== null);
    const answers = await this.#ask(schemas.map((schema) => ({ schema, value: null })));
    for (const answer of answers) {
      if (answer.kind === 'unavailable')
        throw new LurkboxError('HOST_RESOURCES', `The schemas of \`${this.#plugin}\` ${answer.reason}.`);
    }
    const problems = answers.flatMap((answer, index) =>
      problemsOfSchema(answer, schemas[index]?.field ?? ''),
    );
    if (problems.length > 0) throw unusable(problems);
  }

  /** Where there is something to check, starts what checks it. */
  start(): void {
    if (this.hasInput || this.hasOutput) this.#checker.start();
  }

  get hasInput(): boolean {
    return this.#input !== null || this.#config !== null;
  }

  get hasOutput(): boolean {
    return this.#output !== null;
  }

  /** The ending of a call whose values do not fit; `null`: everything fits. Rejects with the signal's reason when that is aborted. */
  async checkInput(context: ExecutionContextConfig, signal?: AbortSignal): Promise<Ending | null> {
    const values: [string, SchemaText | null, unknown][] = [
      ['inputData', this.#input, context.inputData],
      ['config', this.#config, context.config],
    ];
    return this.#check('INPUT_INVALID', values, signal);
  }

  async checkOutput(result: unknown, signal?: AbortSignal): Promise<Ending | null> {
    return this.#check('OUTPUT_INVALID', [['result', this.#output, result]], signal);
  }

  async #check(
    outcome: 'INPUT_INVALID' | 'OUTPUT_INVALID',
    values: readonly [string, SchemaText | null, unknown][],
    signal: AbortSignal | undefined,
  ): Promise<Ending | null> {
    const given = values.filter(([, schema]) => schema !== null);
    const answers = await this.#ask(
      given.map(([field, schema, value]) => ({
        schema: schema as SchemaText,
        value: toJsonText(value),
        quoting: field === 'config' ? 'kinds' : 'values',
      })),
      signal,
    );
    const misfits: string[] = [];
    for (const [index, answer] of answers.entries()) {
      const [field = '', schema] = given[index] ?? [];
      if (answer.kind !== 'checked') return this.#undecided(outcome, field, schema?.field ?? '', answer);
      if (answer.problems.length > 0)
        misfits.push(
          `${describe(below(field, answer.problems))}${outcome === 'INPUT_INVALID' ? `, as \`${schema?.field}\` says` : ''}`,
        );
    }
    return misfits.length === 0 ? null : failed(outcome, misfits.join('; '));
  }

  #undecided(
    outcome: 'INPUT_INVALID' | 'OUTPUT_INVALID',
    value: string,
    schema: string,
    answer: Exclude<Answer, { kind: 'checked' }>,
  ): Ending {
    if (answer.kind === 'unavailable') return failed('HOST_RESOURCES', `\`${value}\` ${answer.reason}`);
    // It was judged when the plugin was loaded: by another version of lurkbox, or under a policy of that time.
    if (answer.kind === 'unusable') return endingOfError(unusable(problemsOfSchema(answer, schema)));
    return tooCostly(outcome, `\`${value}\` ${answer.reason}`);
  }

  #ask(checks: readonly SchemaCheck[], signal?: AbortSignal): Promise<readonly Answer[]> {
    return this.#checker.check({ plugin: this.#plugin, checks, signal });
  }
}

function problemsOfSchema(answer: Answer, field: string): Problem[] {
  if (answer.kind === 'checked') return [];
  return answer.kind === 'unusable'
    ? below(field, answer.problems)
    : [{ path: field, message: answer.reason }];
}

function tooCostly(outcome: 'INPUT_INVALID' | 'OUTPUT_INVALID', detail: string): Ending {
  const message = `${detail}. ${OUTCOMES[outcome]}`;
  return { outcome, error: { code: SCHEMA_TOO_COSTLY, message, stack: null, details: null, hint: null } };
}

function unusable(problems: readonly Problem[]): LurkboxError {
  const names = new Set(problems.map(({ path }) => path.split('.')[0]));
  const fields = [...names].map((name) => `\`${name}\``).join(', ');
  const what = names.size === 1 ? 'is not a JSON Schema' : 'are not JSON Schemas';
  return new LurkboxError('MANIFEST_INVALID', `${fields} ${what} that can be used.`, {
    problems,
  });
}

function below(field: string, problems: readonly Problem[]): Problem[] {
  return problems.map(({ path, message }) => ({ path: path === '' ? field : `${field}.${path}`, message }));
}

function describe(problems: readonly Problem[]): string {
  return problems.map(({ path, message }) => `\`${path}\` ${message}`).join('; ');
}
