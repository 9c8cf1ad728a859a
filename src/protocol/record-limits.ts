import { MAX_RESULT_DEPTH, MAX_RESULT_VALUES } from './messages.ts';

/** Of a record that the runner writes: the response and its `result` are around the result. */
export const RECORD_LIMITS = {
  maxDepth: MAX_RESULT_DEPTH + 1,
  maxValues: MAX_RESULT_VALUES + 16,
  allowsProto: true,
} as const;
