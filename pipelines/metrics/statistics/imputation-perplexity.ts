/**
 * Perplexities of Wang and Sun 2022 (PromptEHR), equations 6–8: how well a model that conditions predicts the
 * codes of a visit. All losses are −ln probabilities; one entry per visit and kind means `[visits, kinds]`
 * row-major.
 */
import { quantile } from './bootstrap.ts';

/** What codes cost and how many there are, per visit and kind. */
interface VisitLosses {
  /** Summed over the codes of the kind. */
  losses: Float64Array;
  codes: Int32Array;
  /** Row length of both. */
  kinds: number;
}

/** Mean loss of a visit over the kinds asked for; NaN where the visit has no code of them. */
type VisitMean = (losses: Float64Array, codes: Int32Array, row: number, asked: readonly number[]) => number;

/** Equation 6: every code of the visit counts the same. */
const perCode: VisitMean = (losses, codes, row, asked) => {
  let [loss, count] = [0, 0];
  for (const kind of asked) {
    loss += losses[row + kind] as number;
    count += codes[row + kind] as number;
  }
  return loss / count;
};

/** Equation 7: every kind that the visit has counts the same, however many codes it has. */
const perKind: VisitMean = (losses, codes, row, asked) => {
  let [mean, present] = [0, 0];
  for (const kind of asked) {
    const count = codes[row + kind] as number;
    if (count === 0) continue;
    mean += (losses[row + kind] as number) / count;
    present++;
  }
  return mean / present;
};

const perPatient =
  (meanOf: VisitMean) =>
  ({ losses, codes, kinds }: VisitLosses, visitOffsets: Int32Array, asked: readonly number[]): Float64Array =>
    Float64Array.from({ length: visitOffsets.length - 1 }, (_, patient) => {
      let [sum, visits] = [0, 0];
      const end = visitOffsets[patient + 1] as number;
      for (let visit = visitOffsets[patient] as number; visit < end; visit++) {
        const mean = meanOf(losses, codes, visit * kinds, asked);
        if (Number.isNaN(mean)) continue;
        sum += mean;
        visits++;
      }
      return Math.exp(sum / visits);
    });

/**
 * Equation 6 per patient, over the kinds asked for: e to the mean over visits of the mean loss per code.
 * Visits without a code of these kinds do not count; NaN for a patient who has no other, ∞ where a code is
 * impossible.
 */
export const longitudinalPerplexities = perPatient(perCode);

/**
 * Equations 7 and 8 per patient, over the kinds asked for: e to the mean over visits of the mean over the
 * kinds that the visit has (K in the paper, which does not mention absent ones) of the mean loss per code.
 * NaN and ∞ as above.
 */
export const crossModalPerplexities = perPatient(perKind);

/** Patients who have a perplexity, from the lowest on. */
export interface RankedPatients {
  patients: Int32Array;
  perplexities: Float64Array;
}

/** Puts patients in order; those who are NaN are left out. */
export const rankPatients = (perplexities: Float64Array): RankedPatients => {
  const there = Array.from(perplexities.keys()).filter((p) => !Number.isNaN(perplexities[p]));
  const value = (patient: number) => perplexities[patient] as number;
  // Two infinities have no difference to sort by.
  there.sort((a, b) => (value(a) < value(b) ? -1 : Number(value(a) > value(b))));
  return { patients: Int32Array.from(there), perplexities: Float64Array.from(there, value) };
};

/**
 * The paper's summary of patients: their median, each counted as often as `counts` states where it is given.
 * Between two values their mean; null where no patient counts.
 */
export const medianPerplexity = (
  { patients, perplexities }: RankedPatients,
  counts?: ArrayLike<number>,
): number | null => {
  const times = (rank: number): number => (counts ? (counts[patients[rank] as number] as number) : 1);
  let total = 0;
  for (let rank = 0; rank < patients.length; rank++) total += times(rank);
  if (total === 0) return null;
  const at = (wanted: number): number => {
    let [rank, seen] = [0, times(0)];
    while (seen <= wanted) seen += times(++rank);
    return perplexities[rank] as number;
  };
  const [below, above] = [at((total - 1) >> 1), at(total >> 1)];
  return below === above ? below : (below + above) / 2;
};

/**
 * By what factor the perplexity of patients is higher under one model than under another: the geometric mean
 * over patients of the ratio of their perplexities, each patient counted as often as `counts` states where it
 * is given. Paired by patient, it distinguishes models whose medians differ less than patients do. NaN
 * patients are left out; null where no patient counts.
 */
export const perplexityRatio = (
  own: Float64Array,
  other: Float64Array,
  counts?: ArrayLike<number>,
): number | null => {
  let [sum, total] = [0, 0];
  own.forEach((perplexity, patient) => {
    const times = counts ? (counts[patient] as number) : 1;
    if (Number.isNaN(perplexity) || times === 0) return;
    sum += times * Math.log(perplexity / (other[patient] as number));
    total += times;
  });
  return total === 0 ? null : Math.exp(sum / total);
};

/** What the authors' code adds to a probability before it takes the logarithm. */
const published = 1e-16;

/**
 * As the authors' code computes it (RyanWangZf/PromptEHR 7e3751e: model.py 144–155, evaluator.py 28–38): per
 * batch 1/(p + 1e-16) of the code in the middle, the lower one of two as torch.median takes it; then the
 * median over batches, the mean of two as numpy takes it. It is no mean over codes, and it depends on the
 * batches. Batches without a code do not count; null where none has any.
 */
export const publishedPerplexity = (lossesByBatch: readonly ArrayLike<number>[]): number | null => {
  const ofBatch = lossesByBatch
    .filter(({ length }) => length > 0)
    .map((losses) => {
      const ascending = Float64Array.from(losses, (loss) => 1 / (Math.exp(-loss) + published)).sort();
      return ascending[(ascending.length - 1) >> 1] as number;
    });
  return ofBatch.length === 0 ? null : quantile(Float64Array.from(ofBatch).sort(), 0.5);
};
