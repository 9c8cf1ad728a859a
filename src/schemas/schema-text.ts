import { createHash } from 'node:crypto';

/** A JSON Schema on its way to a process that compiles it. */
export interface SchemaText {
  /** Which field of the manifest it is. */
  readonly field: string;
  /** Of its content: two plugins with the same schema share what was compiled of it. */
  readonly id: string;
  readonly json: string;
}

/** `null`: anything fits, and there is nothing to check. */
export function toSchemaText(schema: object, field: string): SchemaText | null {
  if (Object.keys(schema).length === 0) return null;
  const json = JSON.stringify(schema);
  return { field, json, id: createHash('sha256').update(json).digest('base64') };
}
