import { quotePath } from '../printable.ts';
import type { Folder } from './folder.ts';

/** A sentence with the paths that a person knows, in the place of those that go through the descriptor of a folder. */
export function namedAsWritten(text: string, folder: Folder): string {
  const written = quotePath(folder.path).slice(1, -1);
  return text.replaceAll(`${folder.here}/`, `${written}/`).replaceAll(`"${folder.here}"`, `"${written}"`);
}
