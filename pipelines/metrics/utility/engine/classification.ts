import type { Example } from '../../../nn/networks/visit-batch.ts';
import { accuracyAt, areaUnder, type RocSteps, rank, rocSteps } from '../../statistics/roc.ts';

/** How well scores separate positives from negatives. `null` where there is nothing to divide by. */
export interface Classification {
  /**
   * Share classified correctly, where a score above ½ is positive (½ itself does not, as numpy rounds it).
   */
  accuracy: number | null;
  f1: number | null;
  /** Probability that a positive scores above a negative, ties counting half. */
  auc: number | null;
  /** Mean precision over the positives, highest score first (scikit-learn's average_precision_score). */
  averagePrecision: number | null;
}

const last = (values: Float64Array): number => values.at(-1) ?? 0;

/** Σ (recall gained) · precision, over the steps of the ranking. */
const averagePrecision = ({ hits, alarms }: RocSteps): number => {
  let sum = 0;
  for (let i = 1; i < hits.length; i++) {
    const called = (hits[i] as number) + (alarms[i] as number);
    if (called > 0) sum += (((hits[i] as number) - (hits[i - 1] as number)) * (hits[i] as number)) / called;
  }
  return sum / last(hits);
};

/** Area under the precision-recall curve by trapezoids from (0, 1): HALO's AUPRC, which flatters. */
export const precisionRecallArea = ({ hits, alarms }: RocSteps): number => {
  let area = 0;
  let before = 1;
  for (let i = 1; i < hits.length; i++) {
    const called = (hits[i] as number) + (alarms[i] as number);
    if (called === 0) continue;
    const precision = (hits[i] as number) / called;
    area += (((hits[i] as number) - (hits[i - 1] as number)) * (before + precision)) / 2;
    before = precision;
  }
  return area / last(hits);
};

/** A scored set, sorted once, of which any resample of its patients can be measured. */
export class ScoredSet {
  readonly size: number;
  readonly #positives: Int32Array;
  readonly #negatives: Int32Array;
  readonly #ranking: ReturnType<typeof rank>;
  /** Steps of the ranking that score above ½. */
  readonly #called: number;
  /** Patients of the cohort the set was drawn from, positives then negatives. */
  readonly #patients: readonly [Int32Array, Int32Array];

  constructor(examples: readonly Example[], scores: Float64Array) {
    this.size = examples.length;
    const places = (positive: boolean) =>
      Int32Array.from([...examples.keys()].filter((i) => examples[i]?.positive === positive));
    this.#positives = places(true);
    this.#negatives = places(false);
    const pick = (chosen: Int32Array) => Float64Array.from(chosen, (i) => scores[i] as number);
    const members = pick(this.#positives);
    this.#ranking = rank({ members, nonMembers: pick(this.#negatives) });
    const above = scores.reduce((sum, score) => sum + (score > 0.5 ? 1 : 0), 0);
    this.#called = this.#ranking.ends.indexOf(above) + 1;
    const patients = (chosen: Int32Array) => Int32Array.from(chosen, (i) => (examples[i] as Example).patient);
    this.#patients = [patients(this.#positives), patients(this.#negatives)];
  }

  get steps(): RocSteps {
    return rocSteps(this.#ranking);
  }

  /** Of the set itself, or with each patient of its cohort counted as often as `counts` states. */
  measure(counts?: Int32Array): Classification {
    const [positives, negatives] = this.#patients;
    const times = (patients: Int32Array) => patients.map((patient) => counts?.[patient] ?? 0);
    const steps = rocSteps(this.#ranking, counts && [times(positives), times(negatives)]);
    const [members, others] = [last(steps.hits), last(steps.alarms)];
    const hits = steps.hits[this.#called] as number;
    const called = hits + (steps.alarms[this.#called] as number);
    return {
      accuracy: members + others > 0 ? accuracyAt(steps, this.#called) : null,
      f1: called + members > 0 ? (2 * hits) / (called + members) : null,
      auc: members > 0 && others > 0 ? areaUnder(steps) : null,
      averagePrecision: members > 0 ? averagePrecision(steps) : null,
    };
  }
}
