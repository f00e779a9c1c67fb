import { z } from 'zod';
import { type Stratum, strata, stratify } from '../statistics/frequency-strata.ts';
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

/** What the strata are, for the metrics' `about`. */
export const strataAbout =
  'Keys are ranked by how many real patients have them: the first tenth is the head, up to half is the torso, the rest is rare, with what only synthetic patients have; keys that tie go together into the rarer part. Rare frequencies are mostly chance: compare with the real holdout.';

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
