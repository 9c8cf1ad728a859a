interface Form {
  readonly expected: string;
  readonly fits: (value: unknown) => boolean;
}

const TEXT: Form = { expected: 'a text', fits: (value) => typeof value === 'string' };
const FLAG: Form = { expected: 'true or false', fits: (value) => typeof value === 'boolean' };

/** Annotations check nothing: one that has another form, as OpenAPI's map of `examples` has, is no reason to refuse a schema. */
export const ANNOTATION_FORMS: ReadonlyMap<string, Form> = new Map([
  ...['$comment', 'title', 'description', 'contentEncoding', 'contentMediaType'].map(
    (key) => [key, TEXT] as const,
  ),
  ...['deprecated', 'readOnly', 'writeOnly'].map((key) => [key, FLAG] as const),
  ['examples', { expected: 'a list', fits: Array.isArray }],
]);
