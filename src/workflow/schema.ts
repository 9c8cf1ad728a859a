import * as z from 'zod';
import { strictObject } from '../documents/strict-object.ts';
import { decimal, flag, listOf, name, oneOf, text, versionRange } from '../manifest/fields.ts';
import { PluginNameSchema } from '../manifest/schema.ts';
import { INPUT, parsePath, type Reference } from './reference.ts';

const MAX_STEPS = 100;
const MAX_TESTS = 20;

const StepNameSchema = name({ max: 64, example: 'fetch-weather' }).refine(
  (value) => value !== INPUT,
  `expected another name than "${INPUT}", which is the input of the workflow`,
);

const fromPath = () =>
  z
    .string('expected a path such as "input.place", "fetch.result.items[0].title" or "fetch.outcome"')
    .max(512)
    .refine((value) => parsePath(value) !== null);

const anyJson = () => z.unknown();

const constants = (what: string) => z.record(z.string(), anyJson(), `expected an object of ${what}`);

/** `{ "$from": … }`, wherever a value may stand. */
export const ReferenceSchema: z.ZodType<Reference> = strictObject({
  $from: fromPath().describe('Path of the value: `input.…`, `<step>.result.…` or `<step>.outcome`.'),
  default: anyJson().optional().describe('Stands in where the value is not there.'),
}).meta({ id: 'Reference' }) as z.ZodType<Reference>;

type Operand = string | number | boolean | null | Reference;

const scalar = () =>
  z.union(
    [z.string().max(1000), z.number(), z.boolean(), z.null(), ReferenceSchema],
    'expected a text, a number, true, false, null or { "$from": … }',
  );

const numeric = () => z.union([z.number(), ReferenceSchema], 'expected a number or { "$from": … }');

/** What a condition tests with; each condition has exactly one of them. */
const COMPARISONS = ['equals', 'not_equals', 'in', 'exists', 'greater_than', 'less_than'] as const;
const COMBINATIONS = ['all', 'any', 'not'] as const;

export interface Condition extends Partial<Reference> {
  readonly equals?: Operand;
  readonly not_equals?: Operand;
  readonly in?: readonly Operand[];
  readonly exists?: boolean;
  readonly greater_than?: number | Reference;
  readonly less_than?: number | Reference;
  readonly all?: readonly Condition[];
  readonly any?: readonly Condition[];
  readonly not?: Condition;
}

const conditions = () =>
  z
    .array(
      z.lazy(() => ConditionSchema),
      `expected a list of 1 to ${MAX_TESTS} conditions`,
    )
    .min(1)
    .max(MAX_TESTS);

const ConditionSchema: z.ZodType<Condition> = strictObject({
  $from: fromPath().optional().describe('The value that is tested.'),
  default: anyJson().optional().describe('Is tested where that value is not there.'),
  equals: scalar().optional().describe('The value is this one: the same text, number, true, false or null.'),
  not_equals: scalar().optional().describe('The value is another one.'),
  in: z
    .array(scalar(), 'expected a list of at most 100 values')
    .max(100)
    .optional()
    .describe('The value is one of these.'),
  exists: flag()
    .optional()
    .describe(
      '`true`: the value is there, `null` included. `false`: it is not, also because its step was skipped.',
    ),
  greater_than: numeric().optional().describe('The value is a larger number.'),
  less_than: numeric().optional().describe('The value is a smaller number.'),
  all: conditions()
    .optional()
    .describe('Each of these holds; they are looked at in order, until one does not.'),
  any: conditions().optional().describe('One of these holds; they are looked at in order, until one does.'),
  not: z
    .lazy(() => ConditionSchema)
    .optional()
    .describe('That one does not hold.'),
})
  .refine(
    hasOneTest,
    'expected { "$from": … } with one of `equals`, `not_equals`, `in`, `exists`, `greater_than`, `less_than`, ' +
      'or one of `all`, `any`, `not` alone',
  )
  .meta({ id: 'Condition' }) as z.ZodType<Condition>;

function hasOneTest(condition: object): boolean {
  const keys = Object.keys(condition);
  const count = (tests: readonly string[]) => tests.filter((test) => keys.includes(test)).length;
  if (!keys.includes('$from')) return count(COMBINATIONS) === 1 && keys.length === 1;
  return count(COMPARISONS) === 1 && count(COMBINATIONS) === 0;
}

function isPluginReference(value: string): boolean {
  const at = value.indexOf('@');
  if (at === -1) return PluginNameSchema.safeParse(value).success;
  const range = value.slice(at + 1).replace(/#sha256:[0-9a-f]{64}$/, '');
  return isPluginReference(value.slice(0, at)) && versionRange().safeParse(range).success;
}

const StepSchema = strictObject({
  plugin: z
    .string('expected the name of a plugin, or a name and a range of versions such as "weather@^1.2.0"')
    .max(256)
    .refine(isPluginReference)
    .describe('Name of the plugin, `name@range`, or one content: `name@1.2.0#sha256:…`.'),
  input: anyJson()
    .default({})
    .describe('`inputData` of the plugin. `{ "$from": path }` anywhere in it is replaced by that value.'),
  config: constants('settings')
    .default({})
    .describe('Laid over the `config` of the context; holds references too.'),
  after: listOf(StepNameSchema, { max: MAX_STEPS })
    .default([])
    .describe('Steps that have to be over before this one, beside those that it takes values from.'),
  when: ConditionSchema.optional().describe('The step is skipped where this does not hold.'),
  timeout_seconds: decimal({ min: 0.001, max: 86_400 })
    .optional()
    .describe(
      'Deadline of the plugin, in seconds, from the moment it has its context; at most what it is granted, which holds where this is absent.',
    ),
  on_failure: oneOf(['stop', 'continue', 'skip_dependents'])
    .default('stop')
    .describe(
      '`stop`: the workflow fails, and what runs is cancelled. `continue`: it goes on. `skip_dependents`: it goes on without all steps that depend on this one.',
    ),
  default: anyJson()
    .optional()
    .describe('Stands for `result` where the step was skipped or failed and the workflow went on.'),
});
export type Step = z.infer<typeof StepSchema>;

/** What a workflow file may say. */
export const WorkflowSchema = strictObject({
  $schema: text({ max: 512 }).optional().describe('Address of this schema, for editors; not read.'),
  name: name({ max: 64, example: 'morning-brief' }).describe('Name of the workflow.'),
  description: text({ max: 1000 }).optional().describe('What the workflow is for.'),
  input: constants('default values')
    .default({})
    .describe('Values of the input that the caller may leave out.'),
  timeout_seconds: decimal({ min: 0.001, max: 86_400 })
    .default(300)
    .describe('Deadline of the whole workflow, in seconds, waiting for a slot included.'),
  steps: z
    .record(StepNameSchema, StepSchema, `expected an object of step name to step, 1 to ${MAX_STEPS} of them`)
    .refine((steps) => Object.keys(steps).length >= 1 && Object.keys(steps).length <= MAX_STEPS)
    .describe('What is executed, by names of your choice.'),
  output: anyJson()
    .default(null)
    .describe('The result of the workflow, with references as in `input` of a step.'),
});
/** A workflow as it is read, defaults filled in. */
export type Workflow = z.infer<typeof WorkflowSchema>;
/** A workflow as a person writes it. */
export type WorkflowDocument = z.input<typeof WorkflowSchema>;
