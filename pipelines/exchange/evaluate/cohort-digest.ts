import { createHash } from 'node:crypto';
import { canonicalJson } from '../../../schemas/canonical-json.ts';
import type { TokenCohort } from '../../patients/visit-columns.ts';

const bytesOf = (values: Int32Array | Uint8Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/**
 * sha256 over what a cohort says: visits, labels, split, vocabulary. The file it came from does not matter.
 */
export const cohortDigest = (cohort: TokenCohort): string => {
  const { visitOffsets, codeOffsets, codes, labels, split = new Uint8Array(0), vocabulary } = cohort;
  const hash = createHash('sha256').update(`${canonicalJson(vocabulary)}\n`);
  for (const column of [visitOffsets, codeOffsets, codes, labels, split])
    hash.update(`${column.length}\n`).update(bytesOf(column));
  return hash.digest('hex');
};
