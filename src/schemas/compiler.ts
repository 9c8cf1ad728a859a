import { Ajv, type SchemaObject } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import draft06 from 'ajv/dist/refs/json-schema-draft-06.json' with { type: 'json' };
import addFormats from 'ajv-formats';
import { show } from '../printable.ts';
import { ErrorList } from './error-list.ts';
import { MULTIPLE_OF } from './multiple-of.ts';

/** `null`: the value fits. */
export type Validate = (value: unknown) => ErrorList | null;

/** Of what ajv writes for one schema; honest ones of a hundred kilobytes stay below two million. */
const MAX_CODE_CHARS = 4_000_000;
/** An ajv keeps parts of all that it ever compiled; after so much of it others take the place of all. */
const MAX_ALL_CODE_CHARS = 16_000_000;

/** Which ajv reads which `$schema`. The first one reads what names none. */
const DIALECTS = [
  { Dialect: Ajv2020, $schema: /^https:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/ },
  { Dialect: Ajv2019, $schema: /^https:\/\/json-schema\.org\/draft\/2019-09\/schema#?$/ },
  // Draft-07 only added keywords to draft-06.
  { Dialect: Ajv, $schema: /^http:\/\/json-schema\.org\/draft-0[67]\/schema#?$/ },
] as const;
const KNOWN_DIALECTS = 'draft-06, draft-07, 2019-09 and 2020-12';
type Dialect = (typeof DIALECTS)[number]['Dialect'];

/** Compiles the schemas of plugins. Only for a process that may be lost: what is compiled is hostile. */
export class Compiler {
  readonly #used = new Set<Dialect>([Ajv2020]);
  readonly #ajvs = new Map<Dialect, BoundedAjv>();
  #codeChars = 0;

  constructor() {
    this.reset();
  }

  /** @throws Error when the schema is none, or cannot be used */
  compile(schema: object): Validate {
    if ('$async' in schema) throw new Error('`$async` schemas are not supported');
    const dialect = dialectOf(schema);
    if (this.#codeChars > MAX_ALL_CODE_CHARS) this.reset();
    this.#used.add(dialect);
    const bounded = this.#ajvs.get(dialect) ?? new BoundedAjv(dialect);
    this.#ajvs.set(dialect, bounded);
    try {
      return bounded.compile(schema);
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

function dialectOf(schema: { readonly $schema?: unknown }): Dialect {
  const { $schema } = schema;
  if ($schema === undefined) return DIALECTS[0].Dialect;
  const known = DIALECTS.find((row) => typeof $schema === 'string' && row.$schema.test($schema));
  if (known !== undefined) return known.Dialect;
  throw new Error(`\`$schema\` is ${show($schema)}; known are ${KNOWN_DIALECTS}`);
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
  readonly #ajv: InstanceType<Dialect>;

  constructor(Dialect: Dialect) {
    const ajv = new Dialect({
      strict: true,
      strictTypes: false,
      strictRequired: false,
      strictTuples: false,
      logger: false,
      // `constructor` is a key like any other.
      ownProperties: true,
      // Else a schema that refers to one large part a thousand times becomes a thousand copies of that.
      inlineRefs: false,
      code: { process: (code) => this.#bound(code) },
    });
    this.#ajv = Object.assign(ajv, COLLECTORS);
    addFormats.default(ajv);
    // It would compile the text that is checked.
    ajv.addFormat('regex', true);
    // Ajv follows anchors and yet does not count the keyword among those it knows.
    if (Dialect !== Ajv) ajv.addVocabulary(['$anchor']);
    else ajv.addMetaSchema(draft06);
    ajv.removeKeyword(MULTIPLE_OF.keyword).addKeyword(MULTIPLE_OF);
    // Compiling the meta-schema takes longer than most schemas do.
    ajv.validateSchema({});
  }

  compile(schema: SchemaObject): Validate {
    this.codeChars = 0;
    const ajv = this.#ajv;
    const { $id: id } = schema as { $id?: unknown };
    if (typeof id === 'string' && ajv.getSchema(id) !== undefined)
      throw new Error(`\`$id\` ${id} already exists`);
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
