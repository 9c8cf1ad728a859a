import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { ErrorList } from './error-list.ts';

/** `null`: the value fits. */
export type Validate = (value: unknown) => ErrorList | null;

/** Of what ajv writes for one schema; honest ones of a hundred kilobytes stay below two million. */
const MAX_CODE_CHARS = 4_000_000;
/** An ajv keeps parts of all that it ever compiled; after so much of it another one takes its place. */
const MAX_ALL_CODE_CHARS = 16_000_000;

/** Compiles the schemas of plugins, of draft 2020-12. Only for a process that may be lost: what is compiled is hostile. */
export class Compiler {
  #ajv = new BoundedAjv();
  #codeChars = 0;

  /** @throws Error when the schema is none, or cannot be used */
  compile(schema: object): Validate {
    if ('$async' in schema) throw new Error('`$async` schemas are not supported');
    const { $id: id } = schema as { $id?: unknown };
    if (this.#codeChars > MAX_ALL_CODE_CHARS) this.reset();
    const ajv = this.#ajv;
    if (typeof id === 'string' && ajv.getSchema(id) !== undefined)
      throw new Error(`\`$id\` ${id} already exists`);
    try {
      ajv.codeChars = 0;
      const validate = ajv.compile(schema);
      return (value) => (validate(value) ? null : ErrorList.of(validate.errors));
    } finally {
      // Two plugins may use the same `$id`, and neither may refer to a schema of the other.
      ajv.removeSchema();
      this.#codeChars += ajv.codeChars;
    }
  }

  /** After a compilation that was cut off in the middle. */
  reset(): void {
    this.#ajv = new BoundedAjv();
    this.#codeChars = 0;
  }
}

/** What stands in the code that ajv writes: texts, which are left alone, and where it collects errors. */
const COLLECTING =
  /"(?:[^"\\]|\\.)*"|vErrors = \[(err\d+)\]|vErrors === null \? (\w+)\.errors : vErrors\.concat\(\2\.errors\)/g;

class BoundedAjv extends Ajv2020 {
  codeChars = 0;

  constructor() {
    super({
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
    addFormats.default(this);
    // It would compile the text that is checked.
    this.addFormat('regex', true);
    // Ajv follows anchors and yet does not count the keyword among those it knows.
    this.addVocabulary(['$anchor']);
    // Compiling the meta-schema takes longer than most schemas do.
    this.validateSchema({});
  }

  // Called by the compiled code, which knows this object as `self`.
  firstError(error: ErrorList['kept'][number]): ErrorList {
    return new ErrorList([error], 1);
  }

  joinErrors(...errors: Parameters<typeof ErrorList.join>): ErrorList {
    return ErrorList.join(...errors);
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
