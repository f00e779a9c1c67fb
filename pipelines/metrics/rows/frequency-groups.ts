import { z } from 'zod';
import type { OccurrenceCounts } from '../statistics/occurrence-counts.ts';
import type { KeyGroup } from './grouped-agreement.ts';

const share = z.number().min(0).max(1);

/** Where the ranks of the keys by real patients are cut. */
export const cutOptions = z.object({
  head: share
    .default(0.1)
    .describe('head: the most frequent keys, up to this share of those real patients have'),
  torso: share.default(0.5).describe('torso: what follows the head, up to this share; the rest is rare'),
});
export type CutOptions = z.output<typeof cutOptions>;

export const strata = ['head', 'torso', 'rare'] as const;
type Stratum = (typeof strata)[number];

/** Least count a key must have to be among the first `most` ranks together with all that tie with it. */
const leastCount = (keysWith: Uint32Array, most: number): number => {
  let taken = 0;
  for (let count = keysWith.length - 1; count > 0; count--) {
    taken += keysWith[count] as number;
    if (taken > most) return count + 1;
  }
  return 1;
};

/**
 * The stratum of each key (an index into `strata`) by how many real patients have it. Keys that tie are never
 * parted: a group that does not fit above a cut goes below it. Keys that only synthetic patients have are
 * rare.
 */
export const stratify = (patients: Uint32Array, cuts: CutOptions): Uint8Array => {
  const keysWith = new Uint32Array(patients.reduce((most, count) => Math.max(most, count), 0) + 1);
  for (const count of patients) keysWith[count] = (keysWith[count] as number) + 1;
  const present = patients.length - (keysWith[0] as number);
  const head = leastCount(keysWith, cuts.head * present);
  const torso = leastCount(keysWith, cuts.torso * present);
  const found = new Uint8Array(patients.length);
  for (let key = 0; key < found.length; key++) {
    const count = patients[key] as number;
    found[key] = count >= head ? 0 : count >= torso ? 1 : 2;
  }
  return found;
};

/** What the strata are, for the metrics' `about`. */
export const strataAbout =
  'Keys are ranked by how many real patients have them: the first tenth is the head, up to half is the torso, the rest is rare, with the keys that only synthetic patients have; keys that tie go together into the rarer part. Rare frequencies are mostly sampling noise: compare with the real holdout.';

/** Head, torso and rare keys; `what` is one key: `code`. */
export const frequencyGroups =
  (what: string, cuts: CutOptions) =>
  (counts: OccurrenceCounts): KeyGroup[] => {
    const found = stratify(counts.real.patients, cuts);
    return strata.map((row: Stratum, stratum) => ({
      row,
      what: `${row} ${what}`,
      keep: (_, key) => found[key] === stratum,
    }));
  };
