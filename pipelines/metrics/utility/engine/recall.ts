import { bootstrapIntervals } from '../../statistics/bootstrap.ts';
import { type Measure, measured, missing } from '../../statistics/measure.ts';

/** How many guesses count. */
export const recallDepths = [10, 20, 30] as const;
export type RecallDepth = (typeof recallDepths)[number];
export type Recalls = Record<RecallDepth, Measure>;

/** Indices of the `depth` highest of `scores`, highest first; of equal scores the lower index. */
export const highest = (scores: ArrayLike<number>, depth: number): Int32Array => {
  const best = new Int32Array(Math.min(depth, scores.length));
  let held = 0;
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] as number;
    if (held === best.length && score <= (scores[best[held - 1] as number] as number)) continue;
    let at = held < best.length ? held++ : held - 1;
    for (; at > 0 && score > (scores[best[at - 1] as number] as number); at--)
      best[at] = best[at - 1] as number;
    best[at] = i;
  }
  return best;
};

/**
 * Recall at 10, 20 and 30 guesses. Of a predicted visit: the share of its codes that are among the k codes
 * with the highest scores, |top k ∩ actual| / |actual|. The measure is the mean over predicted visits, so a
 * patient counts as often as there are visits to predict. Visits without codes cannot be divided by and are
 * skipped, and so are first visits, which nothing precedes. PromptEHR reports recall@k without a formula and
 * publishes no code for it; this is the usual one (Choi et al., Doctor AI, 2016).
 */
export class RecallTally {
  /** Per patient: recalls summed over visits, one after the other for each depth, and the visits. */
  readonly #sums = new Map<number, Float64Array>();

  /** `guesses`: best first, at least as many as the greatest depth where there are that many codes. */
  add(patient: number, guesses: ArrayLike<number>, actual: ArrayLike<number>): void {
    if (actual.length === 0) return;
    const wanted = new Set(Array.from(actual));
    const sums = this.#sums.get(patient) ?? new Float64Array(recallDepths.length + 1);
    for (const [d, depth] of recallDepths.entries()) {
      let hits = 0;
      for (let i = 0; i < Math.min(depth, guesses.length); i++) if (wanted.has(guesses[i] as number)) hits++;
      sums[d] = (sums[d] as number) + hits / wanted.size;
    }
    sums[recallDepths.length] = (sums[recallDepths.length] as number) + 1;
    this.#sums.set(patient, sums);
  }

  /** Predicted visits. */
  get visits(): number {
    return visitsIn(this.#sums);
  }

  /**
   * Recall here less that of `other`, over the same visits of the same patients: intervals resample patients
   * on both sides at once, so that what makes a patient easy or hard to predict cancels.
   */
  less(other: RecallTally, seed: number, replicates: number): Recalls {
    const gaps = new Map<number, Float64Array>();
    for (const [patient, sums] of this.#sums) {
      const others = other.#sums.get(patient);
      if (!others) continue;
      const gap = sums.slice();
      for (const d of recallDepths.keys()) gap[d] = (sums[d] as number) - (others[d] as number);
      gaps.set(patient, gap);
    }
    return meanRecalls(gaps, seed, replicates);
  }

  /** The same of some patients alone, by the numbers they were added under. */
  among(patients: ReadonlySet<number>): RecallTally {
    const part = new RecallTally();
    for (const [patient, sums] of this.#sums) if (patients.has(patient)) part.#sums.set(patient, sums);
    return part;
  }

  /** Patients with a predicted visit. */
  get patients(): number {
    return this.#sums.size;
  }

  /** `n` counts predicted visits; intervals resample patients. A sentence where no visit was predicted. */
  measure(seed: number, replicates: number): Recalls {
    return meanRecalls(this.#sums, seed, replicates);
  }
}

export const noRecalls = (note: string): Recalls => {
  const none = missing(note);
  return { 10: none, 20: none, 30: none };
};

const visitsIn = (sums: ReadonlyMap<number, Float64Array>): number =>
  [...sums.values()].reduce((total, of) => total + (of[recallDepths.length] as number), 0);

const meanRecalls = (of: ReadonlyMap<number, Float64Array>, seed: number, replicates: number): Recalls => {
  const patients = [...of.values()];
  if (patients.length === 0)
    return noRecalls(
      'no test patient has a visit with codes after the first, so there is nothing to predict',
    );
  const compute = (counts?: Int32Array): number[] => {
    const totals = new Float64Array(recallDepths.length + 1);
    for (const [p, sums] of patients.entries())
      for (const [i, sum] of sums.entries()) totals[i] = (totals[i] as number) + (counts?.[p] ?? 1) * sum;
    return recallDepths.map((_, d) => (totals[d] as number) / (totals[recallDepths.length] as number));
  };
  const intervals = bootstrapIntervals({
    sizes: [patients.length],
    seed,
    replicates,
    statistics: ([counts]) => compute(counts),
  });
  const [ten, twenty, thirty] = compute().map((value, d) => measured(value, visitsIn(of), intervals[d])) as [
    Measure,
    Measure,
    Measure,
  ];
  return { 10: ten, 20: twenty, 30: thirty };
};
