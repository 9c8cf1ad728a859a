export type JsonObject = Record<string, unknown>;
export type SchemaPath = readonly (string | number)[];

export interface Subschema {
  readonly schema: JsonObject;
  /** Where it stands in the document. */
  readonly path: SchemaPath;
}

/** Under which keywords a schema has schemas: one, or a list of them. */
const HOLDS_SCHEMAS = new Set(
  (
    'additionalItems additionalProperties contains contentSchema else if items not propertyNames then unevaluatedItems ' +
    'unevaluatedProperties allOf anyOf oneOf prefixItems'
  ).split(' '),
);
/** The same with a schema under each key. */
export const HOLDS_MAPS: ReadonlySet<string> = new Set(
  '$defs definitions dependencies dependentSchemas patternProperties properties'.split(' '),
);

/** Every schema of a document once: where a keyword has one, and where a reference inside of the document leads. */
export function subschemasOf(root: JsonObject): Subschema[] {
  const found: Subschema[] = [];
  const seen = new Set<object>();
  const add = (value: unknown, path: SchemaPath): void => {
    if (!isObject(value) || seen.has(value)) return;
    seen.add(value);
    found.push({ schema: value, path });
  };
  add(root, []);
  // It grows while it is gone through. References come last: what a keyword has is found under its own path.
  for (let at = 0, referred = 0; at < found.length; at++) {
    const { schema, path } = found[at] as Subschema;
    for (const [key, value] of Object.entries(schema)) {
      if (HOLDS_SCHEMAS.has(key)) {
        if (Array.isArray(value)) value.forEach((one, index) => void add(one, [...path, key, index]));
        else add(value, [...path, key]);
      } else if (HOLDS_MAPS.has(key) && isObject(value))
        for (const [name, one] of Object.entries(value)) add(one, [...path, key, name]);
    }
    if (at < found.length - 1) continue;
    for (; referred <= at; referred++) {
      const target = followed(root, found[referred]?.schema['$ref']);
      if (target !== null) add(target.schema, target.path);
    }
  }
  return found;
}

/** What a pointer such as `#/components/schemas/Pet` leads to. */
function followed(root: JsonObject, ref: unknown): Subschema | null {
  if (typeof ref !== 'string' || !ref.startsWith('#/')) return null;
  const path = ref.slice(2).split('/').map(decodeSegment);
  let value: unknown = root;
  for (const segment of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, segment)) return null;
    value = (value as JsonObject)[segment];
  }
  return isObject(value) ? { schema: value, path } : null;
}

function decodeSegment(segment: string): string {
  const text = segment.replaceAll('~1', '/').replaceAll('~0', '~');
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
