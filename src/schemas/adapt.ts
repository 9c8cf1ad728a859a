import type { Problem } from '../errors.ts';
import { joinPath } from '../json.ts';
import { show } from '../printable.ts';
import { ANNOTATION_FORMS } from './annotations.ts';
import type { Dialect } from './dialects.ts';
import { toRegExp } from './patterns.ts';
import { isObject, type JsonObject, type Subschema } from './subschemas.ts';

/**
 * What tools write and ajv does not read, rewritten in its place to what means the same. Most of it is of OpenAPI 3.0 or an
 * older draft, in a document that names none.
 */
export function adapt(schemas: readonly Subschema[], dialect: Dialect): void {
  delete schemas[0]?.schema['$schema'];
  for (const { schema } of schemas) for (const rule of RULES) rule(schema, dialect);
}

const RULES: readonly ((schema: JsonObject, dialect: Dialect) => void)[] = [
  dropOddAnnotations,
  dropEmptyRequired,
  toExclusiveNumbers,
  toFormatWithoutOffset,
  toAnchor,
  encodeReference,
  allowNull,
];

/** What keeps a schema from being used, and that ajv does not tell in words that help. */
export function findProblems(schemas: readonly Subschema[]): Problem[] {
  return schemas.flatMap(({ schema, path }) => {
    const problems: Problem[] = [];
    const note = (key: string, message: string): void => {
      problems.push({ path: joinPath([...path, key]), message });
    };
    const { required, pattern, patternProperties, type } = schema;
    if (typeof required === 'boolean')
      note(
        'required',
        'is of draft-03; since then it is a list, in the schema of the object, of the names of its properties',
      );
    if (type === 'any') note('type', 'is "any" of draft-03; leave it out, and every type fits');
    if (typeof pattern === 'string' && isNoPattern(pattern)) note('pattern', noPattern(pattern));
    if (isObject(patternProperties))
      for (const key of Object.keys(patternProperties))
        if (isNoPattern(key)) note('patternProperties', noPattern(key));
    return problems;
  });
}

function noPattern(pattern: string): string {
  return `${show(pattern)} is no regular expression of JavaScript, with the flag \`u\` or without`;
}

function isNoPattern(pattern: string): boolean {
  try {
    toRegExp(pattern);
    return false;
  } catch {
    return true;
  }
}

function dropOddAnnotations(schema: JsonObject): void {
  for (const [key, { fits }] of ANNOTATION_FORMS)
    if (Object.hasOwn(schema, key) && !fits(schema[key])) delete schema[key];
}

// Draft-04 wants at least one name.
function dropEmptyRequired(schema: JsonObject): void {
  if (Array.isArray(schema['required']) && schema['required'].length === 0) delete schema['required'];
}

/** `"minimum": 0, "exclusiveMinimum": true` of draft-04 and OpenAPI 3.0. */
function toExclusiveNumbers(schema: JsonObject, dialect: Dialect): void {
  if (dialect === 'draft-04') return;
  for (const [key, limit] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ] as const) {
    if (typeof schema[key] !== 'boolean') continue;
    const isExclusive = schema[key] && typeof schema[limit] === 'number';
    if (isExclusive) schema[key] = schema[limit];
    else delete schema[key];
    if (isExclusive) delete schema[limit];
  }
}

/** Of zod: where a pattern stands beside it, that says whether a time has an offset. */
function toFormatWithoutOffset(schema: JsonObject): void {
  const { format, pattern } = schema;
  if (typeof pattern === 'string' && (format === 'time' || format === 'date-time'))
    schema['format'] = `iso-${format}`;
}

/** `"$id": "#name"` of draft-07; one that is a path only says where it stands. */
function toAnchor(schema: JsonObject, dialect: Dialect): void {
  const { $id: id } = schema;
  if (dialect === 'draft-04' || typeof id !== 'string' || !id.startsWith('#')) return;
  if (id.startsWith('#/') || id === '#') delete schema['$id'];
  else if (dialect !== 'draft-07') {
    delete schema['$id'];
    schema['$anchor'] ??= id.slice(1);
  }
}

/** Names such as `Page<Item>` are no part of a URI as they are. */
function encodeReference(schema: JsonObject): void {
  const { $ref: ref } = schema;
  if (typeof ref !== 'string' || !ref.startsWith('#')) return;
  schema['$ref'] = ref
    .toWellFormed()
    .replaceAll(/%(?![0-9a-f]{2})|[^#\w\-.~!$&'()*+,;=:@/?%]/giu, encodeURIComponent);
}

/** `nullable` of OpenAPI 3.0: null fits, whatever else is said. */
function allowNull(schema: JsonObject): void {
  const { nullable, type, enum: values } = schema;
  delete schema['nullable'];
  if (nullable !== true) return;
  if (type !== undefined) schema['type'] = [...new Set([type, 'null'].flat())];
  if (Array.isArray(values) && !values.includes(null)) schema['enum'] = [...values, null];
  if (Object.hasOwn(schema, 'const')) {
    schema['enum'] = [schema['const'], null];
    delete schema['const'];
  }
  for (const key of ['anyOf', 'oneOf']) {
    const branches = schema[key];
    if (Array.isArray(branches) && !branches.some(takesNull)) schema[key] = [...branches, { type: 'null' }];
  }
  const others = Object.entries(schema).filter(([key]) => JUDGES_NULL.has(key));
  if (others.length === 0) return;
  for (const [key] of others) delete schema[key];
  const orNull = [Object.fromEntries(others), { type: 'null' }];
  if (schema['anyOf'] === undefined) schema['anyOf'] = orNull;
  else schema['allOf'] = [{ anyOf: orNull }];
}

/** What null may fail by, beside what lists types, values or branches. */
const JUDGES_NULL: ReadonlySet<string> = new Set(['$ref', 'allOf', 'not', 'if', 'then', 'else']);

function takesNull(branch: unknown): boolean {
  if (!isObject(branch)) return branch === true;
  const { type, enum: values, nullable } = branch;
  return (
    nullable === true || [type].flat().includes('null') || (Array.isArray(values) && values.includes(null))
  );
}
