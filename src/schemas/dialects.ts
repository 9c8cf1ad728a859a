import { quoteValue } from '../printable.ts';
import type { Subschema } from './subschemas.ts';

export type Dialect = 'draft-04' | 'draft-07' | '2019-09' | '2020-12';

/** Which `$schema` is read as what. Draft-07 only added keywords to draft-06, and OpenAPI 3.1 adds annotations to 2020-12. */
const NAMES: readonly (readonly [RegExp, Dialect])[] = [
  [/^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/, '2020-12'],
  [/^https:\/\/spec\.openapis\.org\/oas\/3\.1\/dialect\/[\w.-]+$/, '2020-12'],
  [/^https?:\/\/json-schema\.org\/draft\/2019-09\/schema#?$/, '2019-09'],
  [/^https?:\/\/json-schema\.org\/draft-0[67]\/schema#?$/, 'draft-07'],
  [/^https?:\/\/json-schema\.org\/draft-04\/schema#?$/, 'draft-04'],
];
const KNOWN =
  '"http://json-schema.org/draft-04/schema#", the same of draft-06 and draft-07, ' +
  '"https://json-schema.org/draft/2019-09/schema" and "https://json-schema.org/draft/2020-12/schema"';

/**
 * What a document is read as; one that names nothing is of 2020-12. Lists of `items` were renamed to `prefixItems` by that: who
 * writes the ones and not the others means 2019-09, whatever is said.
 * @throws Error for a `$schema` that nobody knows
 */
export function dialectOf(schemas: readonly Subschema[]): Dialect {
  const named = namedDialect(schemas[0]?.schema['$schema']);
  if (named !== '2020-12') return named;
  const hasLists = schemas.some(({ schema }) => Array.isArray(schema['items']));
  return hasLists && !schemas.some(({ schema }) => 'prefixItems' in schema) ? '2019-09' : named;
}

function namedDialect($schema: unknown): Dialect {
  if ($schema === undefined) return '2020-12';
  const known = NAMES.find(([name]) => typeof $schema === 'string' && name.test($schema));
  if (known !== undefined) return known[1];
  throw new Error(`is ${quoteValue($schema)}; known are ${KNOWN}`);
}

const words = (text: string): string[] => text.trim().split(/\s+/);

/** What checks nothing, by the name that it has in any draft. */
const ANNOTATIONS = words(
  '$schema $comment title description default examples deprecated readOnly writeOnly contentMediaType contentEncoding contentSchema',
);

/** `nullable` is of OpenAPI 3.0, and the limits of formats are of ajv. */
const IN_ALL = words(`
  $async $ref $defs definitions type nullable enum const not anyOf oneOf allOf if then else properties patternProperties
  additionalProperties propertyNames dependencies required minProperties maxProperties items contains minItems maxItems
  uniqueItems pattern minLength maxLength format minimum maximum exclusiveMinimum exclusiveMaximum multipleOf
  formatMinimum formatMaximum formatExclusiveMinimum formatExclusiveMaximum`);
const SINCE_06 = words('$id $anchor $vocabulary');
const SINCE_2019 = words(`
  $dynamicAnchor $dynamicRef $recursiveAnchor $recursiveRef dependentRequired dependentSchemas minContains maxContains
  unevaluatedItems unevaluatedProperties`);

const COMMON = [...ANNOTATIONS, ...IN_ALL];

/** The keywords that are obeyed, or that every reader of JSON Schema knows to be annotations. */
export const KEYWORDS: Readonly<Record<Dialect, ReadonlySet<string>>> = {
  'draft-04': new Set([...COMMON, 'id', 'additionalItems']),
  'draft-07': new Set([...COMMON, ...SINCE_06, 'additionalItems']),
  '2019-09': new Set([...COMMON, ...SINCE_06, ...SINCE_2019, 'additionalItems']),
  '2020-12': new Set([...COMMON, ...SINCE_06, ...SINCE_2019, 'prefixItems']),
};

/** The formats that are checked; `regex` takes every text. */
export const FORMATS: ReadonlySet<string> = new Set(
  words(`
  date time date-time iso-time iso-date-time duration uri uri-reference uri-template url email hostname ipv4 ipv6 regex uuid
  json-pointer json-pointer-uri-fragment relative-json-pointer byte int32 int64 float double password binary`),
);
