import { joinPath } from './path.ts';

/** A list or an object that is not closed yet. */
export interface Frame {
  readonly list: unknown[] | null;
  readonly members: Record<string, unknown> | null;
  /** The key that was read last. */
  key: string;
}

// As `JSON.parse` does it: whatever every object has is only another key.
export function setOwn(members: Record<string, unknown>, key: string, value: unknown): void {
  if (key in Object.prototype) {
    Object.defineProperty(members, key, { value, writable: true, enumerable: true, configurable: true });
  } else members[key] = value;
}

/** Dotted path of what is read now. */
export function pathOf(frames: readonly Frame[]): string {
  return joinPath(frames.map(({ list, key }) => (list === null ? key : list.length)));
}
