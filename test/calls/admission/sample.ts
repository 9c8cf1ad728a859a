import { Admission, type AdmissionOptions } from '../../../src/calls/admission/admission.ts';

/** Four at once, ten in the queue, and no other ceiling. */
export function admissionOf(changes: Partial<AdmissionOptions> = {}): Admission {
  const none = { memoryBytes: Number.POSITIVE_INFINITY, cpuCores: Number.POSITIVE_INFINITY };
  return new Admission({ concurrency: 4, maxQueue: 10, ...none, ...changes });
}
