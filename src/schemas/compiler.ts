import { Ajv, type SchemaObject } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import draft04 from 'ajv-draft-04';
import addFormats from 'ajv-formats';
import type { Problem } from '../errors.ts';
import { joinPath } from '../json/path.ts';
import { quoteValue } from '../printable.ts';
import { adapt, findProblems } from './adapt.ts';
import { type Dialect, dialectOf } from './dialects.ts';
import { ErrorList } from './error-list.ts';
import { MULTIPLE_OF } from './multiple-of.ts';
import { toRegExp } from './patterns.ts';
import { toSchemaProblems } from './problems.ts';
import { type JsonObject, type Subschema, subschemasOf } from './subschemas.ts';

/** `null`: the value fits. */
export type Validate = (value: unknown) => ErrorList | null;

/** Characters of code that ajv may write for one schema; honest schemas of a hundred kilobytes stay below two million. */
const MAX_CODE_CHARS = 4_000_000;
/** An ajv instance keeps parts of everything that it compiled; after this much a new instance takes its place. */
const MAX_ALL_CODE_CHARS = 16_000_000;

const AJVS = {
  'draft-04': draft04.default,
  'draft-07': Ajv,
  '2019-09': Ajv2019,
  '2020-12': Ajv2020,
} as const satisfies Record<Dialect, unknown>;

/** Why a schema cannot be used, with the places in it. */
export class UnusableSchema extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(({ path, message }) => `${path} ${message}`).join('; '));
    this.problems = problems;
  }
}

/** Compiles the schemas of plugins. Only for a process that may be lost: what is compiled is hostile. */
export class Compiler {
  readonly #used = new Set<Dialect>(['2020-12']);
  readonly #ajvs = new Map<Dialect, BoundedAjv>();
  #codeChars = 0;

  constructor() {
    this.reset();
  }

  /** Rewrites the schema. @throws UnusableSchema, or Error where the schema is invalid or cannot be used */
  compile(schema: JsonObject): Validate {
    if ('$async' in schema) throw new Error('`$async` schemas are not supported');
    const schemas = subschemasOf(schema);
    const dialect = toDialect(schemas);
    const problems = findProblems(schemas);
    if (problems.length > 0) throw new UnusableSchema(problems);
    adapt(schemas, dialect);
    if (this.#codeChars > MAX_ALL_CODE_CHARS) this.reset();
    this.#used.add(dialect);
    const bounded = this.#ajvs.get(dialect) ?? new BoundedAjv(dialect);
    this.#ajvs.set(dialect, bounded);
    try {
      return bounded.compile(schema);
    } catch (error) {
      throw inPlainWords(withPlace(error, schemas));
    } finally {
      this.#codeChars += bounded.codeChars;
    }
  }

  /** After a compilation that was cut off in the middle. Meta-schemas take long to compile: those in use are, before the next deadline. */
  reset(): void {
    for (const dialect of this.#used) this.#ajvs.set(dialect, new BoundedAjv(dialect));
    this.#codeChars = 0;
  }
}

function toDialect(schemas: readonly Subschema[]): Dialect {
  try {
    return dialectOf(schemas);
  } catch (error) {
    throw new UnusableSchema([{ path: '$schema', message: (error as Error).message }]);
  }
}

const REFERENCES = ['$ref', '$dynamicRef', '$recursiveRef'];

/** Ajv tells which reference leads nowhere, and not where it stands. */
function withPlace(error: unknown, schemas: readonly Subschema[]): unknown {
  const { missingRef } = error as { missingRef?: unknown };
  if (typeof missingRef !== 'string') return error;
  for (const { schema, path } of schemas)
    for (const key of REFERENCES) {
      const ref = schema[key];
      if (typeof ref !== 'string' || !missingRef.endsWith(ref)) continue;
      const message = `${quoteValue(ref)} leads nowhere in this schema, and nothing is fetched: put what it means under \`$defs\``;
      return new UnusableSchema([{ path: joinPath([...path, key]), message }]);
    }
  return error;
}

/** For some schemas ajv throws errors of JavaScript, which say nothing to their authors. */
function inPlainWords(error: unknown): unknown {
  if (error instanceof RangeError)
    return new Error('it refers to its parts too deeply or too often to be compiled; write it flatter');
  if (error instanceof TypeError)
    return new Error(`it cannot be compiled (${error.message}); write it in a simpler way`);
  return error;
}

/** What stands in the code that ajv writes: texts, which are left alone, and where it collects errors. */
const COLLECTING =
  /"(?:[^"\\]|\\.)*"|vErrors = \[(err\d+)\]|vErrors === null \? (\w+)\.errors : vErrors\.concat\(\2\.errors\)/g;

/** Called by the compiled code, which knows the ajv as `self`. */
const COLLECTORS = {
  firstError: (error: ErrorList['kept'][number]) => new ErrorList([error], 1),
  joinErrors: (...errors: Parameters<typeof ErrorList.join>) => ErrorList.join(...errors),
};

class BoundedAjv {
  /** Of the last schema. */
  codeChars = 0;
  readonly #ajv: InstanceType<(typeof AJVS)[Dialect]>;

  constructor(dialect: Dialect) {
    const ajv = new AJVS[dialect]({
      // Tools write keywords, formats and unions of types that ajv's strict mode refuses. Loading reports what is not known.
      strict: false,
      logger: false,
      // It is validated by hand, so that what is wrong has its place.
      validateSchema: false,
      // `constructor` is a key like any other.
      ownProperties: true,
      // Else a schema that refers to one large part a thousand times becomes a thousand copies of that.
      inlineRefs: false,
      code: { process: (code) => this.#bound(code), regExp: Object.assign(toRegExp, { code: 'toRegExp' }) },
    });
    this.#ajv = Object.assign(ajv, COLLECTORS);
    addFormats.default(ajv);
    // It would compile the text that is checked.
    ajv.addFormat('regex', true);
    // It would refuse what is an unknown keyword since draft-06.
    if (dialect !== 'draft-04') ajv.removeKeyword('id');
    ajv.removeKeyword(MULTIPLE_OF.keyword).addKeyword(MULTIPLE_OF);
    // Compiling the meta-schema takes longer than most schemas do.
    ajv.validateSchema({});
  }

  compile(schema: SchemaObject): Validate {
    this.codeChars = 0;
    const ajv = this.#ajv;
    const id = schema[ajv.opts.schemaId];
    if (typeof id === 'string' && ajv.getSchema(id) !== undefined)
      throw new UnusableSchema([{ path: ajv.opts.schemaId, message: `${quoteValue(id)} already exists` }]);
    if (!ajv.validateSchema(schema))
      throw new UnusableSchema(toSchemaProblems(ErrorList.of(ajv.errors), schema));
    try {
      const validate = ajv.compile(schema);
      return (value) => (validate(value) ? null : ErrorList.of(validate.errors));
    } finally {
      // Two plugins may use the same `$id`, and neither may refer to a schema of the other.
      ajv.removeSchema();
    }
  }

  #bound(code: string): string {
    this.codeChars += code.length;
    if (this.codeChars > MAX_CODE_CHARS)
      throw new Error(`the schema would become more than ${MAX_CODE_CHARS} characters of code`);
    return code.replaceAll(COLLECTING, (found, error?: string, validator?: string) => {
      if (error !== undefined) return `vErrors = self.firstError(${error})`;
      return validator === undefined ? found : `self.joinErrors(vErrors, ${validator}.errors)`;
    });
  }
}
