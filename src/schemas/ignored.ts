import { closest } from '../closest.ts';
import { joinPath } from '../json/path.ts';
import { escapeAndCut, quoteValue } from '../printable.ts';
import { ANNOTATION_FORMS } from './annotations.ts';
import { type Dialect, dialectOf, FORMATS, KEYWORDS } from './dialects.ts';
import { type JsonObject, type SchemaPath, type Subschema, subschemasOf } from './subschemas.ts';

/** As many as anybody reads. */
const MAX_SHOWN = 10;
const MAX_PATH_CHARS = 200;

interface Ignored {
  readonly path: SchemaPath;
  /** Made for those only that are shown. */
  readonly why: () => string | null;
}

/**
 * What schemas say that nobody checks, in one sentence: keywords and formats that are not known. Pure, and in time that the
 * size of a schema bounds; `null`: nothing.
 */
export function describeIgnored(schemas: Readonly<Record<string, object>>): string | null {
  const ignored = Object.entries(schemas).flatMap(([field, schema]) =>
    ignoredIn(field, schema as JsonObject),
  );
  if (ignored.length === 0) return null;
  const shown = ignored.slice(0, MAX_SHOWN).map(({ path, why }) => {
    const place = `\`${escapeAndCut(joinPath(path), MAX_PATH_CHARS)}\``;
    const reason = why();
    return reason === null ? place : `${place} (${reason})`;
  });
  const more = ignored.length > MAX_SHOWN ? ` and ${ignored.length - MAX_SHOWN} more` : '';
  return `Not checked, because these keywords and formats of JSON Schema are not known: ${shown.join(', ')}${more}.`;
}

function ignoredIn(field: string, root: JsonObject): Ignored[] {
  const schemas = subschemasOf(root);
  const dialect = dialectOrNull(schemas);
  if (dialect === null) return [];
  return schemas.flatMap(({ schema, path }) =>
    Object.entries(schema).flatMap(([key, value]): Ignored[] => {
      const why = reasonOf(key, value, dialect);
      return why === null ? [] : [{ path: [field, ...path, key], why }];
    }),
  );
}

function reasonOf(key: string, value: unknown, dialect: Dialect): Ignored['why'] | null {
  if (!KEYWORDS[dialect].has(key)) return () => meantBy(key, dialect);
  if (key === 'format' && typeof value === 'string' && !FORMATS.has(value)) return () => quoteValue(value);
  const form = ANNOTATION_FORMS.get(key);
  return form === undefined || value === null || form.fits(value) ? null : () => `expected ${form.expected}`;
}

function meantBy(key: string, dialect: Dialect): string | null {
  const meant = key.length < 4 || key.startsWith('x-') ? undefined : closest(key, KEYWORDS[dialect]);
  return meant === undefined ? null : `did you mean \`${meant}\`?`;
}

/** A schema of a dialect that nobody knows is refused when it is loaded. */
function dialectOrNull(schemas: readonly Subschema[]): Dialect | null {
  try {
    return dialectOf(schemas);
  } catch {
    return null;
  }
}
