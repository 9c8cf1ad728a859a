import { createHash } from 'node:crypto';
import type { Grant } from '../../policy/grant.ts';

/** Everything that a container is made from; one of another key is never given to a call. */
export function toKey(made: {
  readonly image: string;
  readonly grant: Grant;
  readonly entryPoint: string;
  readonly preload: boolean;
}): string {
  const { image, grant, entryPoint, preload } = made;
  return createHash('sha256')
    .update(JSON.stringify([image, grant, entryPoint, preload]))
    .digest('hex');
}
