import type { Problem } from '../errors.ts';
import { joinPath } from '../json/path.ts';
import { quoteValue } from '../printable.ts';
import { ANNOTATION_FORMS } from './annotations.ts';
import type { Dialect } from './dialects.ts';
import { toRegExp } from './patterns.ts';
import { HOLDS_MAPS, isObject, type JsonObject, type Subschema } from './subschemas.ts';

/**
 * What tools write and ajv does not read, rewritten in its place to what means the same. Most of it is of OpenAPI 3.0 or an
 * older draft, in a document that names none.
 */
export function adapt(schemas: readonly Subschema[], dialect: Dialect): void {
  delete schemas[0]?.schema['$schema'];
  for (const { schema } of schemas) for (const rule of RULES) rule(schema, dialect);
}

const RULES: readonly ((schema: JsonObject, dialect: Dialect) => void)[] = [
  dropNulls,
  dropOddAnnotations,
  toObjects,
  dropRepetitions,
  toLimits,
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
  return `${quoteValue(pattern)} is no regular expression of JavaScript, with the flag \`u\` or without`;
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

/** Serializers write null for what is not there; only of these it is a value. */
function dropNulls(schema: JsonObject): void {
  for (const [key, value] of Object.entries(schema))
    if (value === null && key !== 'default' && key !== 'const') delete schema[key];
}

/** To PHP an object without members is a list. */
function toObjects(schema: JsonObject): void {
  for (const [key, value] of Object.entries(schema)) {
    if (isEmptyList(value) && (HOLDS_MAPS.has(key) || HOLDS_ONE.has(key))) schema[key] = {};
    if (!HOLDS_MAPS.has(key) || !isObject(value) || key === 'dependencies') continue;
    for (const name of Object.keys(value)) if (isEmptyList(value[name])) value[name] = {};
  }
}

const HOLDS_ONE: ReadonlySet<string> = new Set(['additionalProperties', 'contains', 'propertyNames', 'not']);

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** What stands there twice means no more than once. Draft-04 wants at least one name. */
function dropRepetitions(schema: JsonObject): void {
  for (const key of ['required', 'enum', 'type']) {
    const values = schema[key];
    if (!Array.isArray(values)) continue;
    schema[key] = [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
  }
  if (isEmptyList(schema['required'])) delete schema['required'];
}

/** `"minimum": 0, "exclusiveMinimum": true` of draft-04 and OpenAPI 3.0 is `"exclusiveMinimum": 0` since draft-06, and back. */
function toLimits(schema: JsonObject, dialect: Dialect): void {
  for (const [exclusive, limit] of LIMITS) {
    const value = schema[exclusive];
    if (dialect === 'draft-04') {
      // One of both limits is as much as it can say.
      if (typeof value === 'number' && schema[limit] === undefined) {
        schema[limit] = value;
        schema[exclusive] = true;
      }
    } else if (typeof value === 'boolean') {
      delete schema[exclusive];
      if (!value || typeof schema[limit] !== 'number') continue;
      schema[exclusive] = schema[limit];
      delete schema[limit];
    }
  }
}

const LIMITS = [
  ['exclusiveMinimum', 'minimum'],
  ['exclusiveMaximum', 'maximum'],
] as const;

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
