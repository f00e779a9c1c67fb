import { createHash } from 'node:crypto';
import { type Split, splits } from '../../schemas/ehr.ts';
import { StageError } from '../../schemas/errors.ts';

/** Shares of patients outside the training split. */
export interface SplitShares {
  validation: number;
  holdout: number;
}

export type SplitSizes = Record<Split, number>;

/** A number in [0, 1) that depends on the seed and the patient alone: 48 bits of a SHA-256. */
const position = (subjectId: number, seed: number): number =>
  createHash('sha256').update(`split:${seed}:${subjectId}`).digest().readUIntBE(0, 6) / 2 ** 48;

/**
 * The split of one patient, as an index into `splits`. It depends on no other patient, so patients that are
 * added or removed move no other; shares are therefore met on average, not exactly. The holdout does not
 * depend on the validation share.
 */
export const splitOf = (subjectId: number, seed: number, shares: SplitShares): number => {
  const at = position(subjectId, seed);
  if (at < shares.holdout) return splits.indexOf('holdout');
  return splits.indexOf(at < shares.holdout + shares.validation ? 'validation' : 'train');
};

/** Patients per split. Throws TooFewPatients when one that has a share is empty. */
export const checkedSplitSizes = (split: Uint8Array, shares: SplitShares): SplitSizes => {
  const sizes: SplitSizes = { train: 0, validation: 0, holdout: 0 };
  for (const index of split) sizes[splits[index] as Split]++;
  const asked: SplitSizes = { train: 1 - shares.validation - shares.holdout, ...shares };
  for (const name of splits)
    if (asked[name] > 0 && sizes[name] === 0)
      throw new StageError(
        'TooFewPatients',
        `the ${name} split is empty: ${split.length} patients in all, of whom it should get ` +
          `${Number((asked[name] * 100).toFixed(2))} %; give more patients, or set its share to 0`,
      );
  return sizes;
};
