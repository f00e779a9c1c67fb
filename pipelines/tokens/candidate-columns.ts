import { type Modality, splits, type TokenKind } from '../../schemas/ehr.ts';
import type { Bucket, Vocabulary } from '../../schemas/vocabulary.ts';
import type { CodeTitle, Cohort } from '../patients/cohort-columns.ts';
import { toOffsets } from '../patients/visit-columns.ts';
import type { RollUpRules } from './roll-up.ts';
import { type BucketRules, fitBuckets } from './value-buckets.ts';

/** What decides which codes become tokens, and in which order. */
export interface TokenRules {
  modalities: readonly Modality[];
  minCount: number;
  unknown: 'drop' | 'token';
  order: NonNullable<Vocabulary['order']>;
  labs: 'presence' | 'buckets';
  gaps: boolean;
  buckets: Omit<BucketRules, 'leastVisits'>;
  rollUp?: RollUpRules;
  seed: number;
}

/** What may become a token, and in how many training visits it occurs. */
export interface Candidate extends CodeTitle {
  modality: TokenKind;
  visits: number;
  bucket?: Bucket;
}

/** The visits' codes of one modality, as indices of candidates: those of visit v are at `offsets[v] …`. */
export interface CandidateColumn {
  modality: TokenKind;
  offsets: Int32Array;
  /** -1: no candidate. */
  candidates: Int32Array;
  /** The number behind each; NaN where its candidate is no bucket. Absent where none is. */
  values?: Float32Array;
}

type Named = Omit<Candidate, 'visits' | 'bucket'>;

const gapCode: Named = { modality: 'gap', code: 'gap', title: 'days since the last admission', unit: 'days' };

/** Entries of a column, gathered by code: those of code c are `entries[starts[c] … starts[c + 1] - 1]`. */
const byCode = (indices: Int32Array, width: number): { starts: Int32Array; entries: Int32Array } => {
  const starts = new Int32Array(width + 1);
  for (const index of indices) starts[index + 1] = (starts[index + 1] as number) + 1;
  toOffsets(starts);
  const next = starts.slice();
  const entries = new Int32Array(indices.length);
  indices.forEach((index, entry) => {
    const at = next[index] as number;
    entries[at] = entry;
    next[index] = at + 1;
  });
  return { starts, entries };
};

/** Visit of each entry of a ragged column. */
const visitOfEntries = (offsets: Int32Array): Int32Array => {
  const visits = new Int32Array(offsets.at(-1) as number);
  for (let visit = 0; visit + 1 < offsets.length; visit++)
    visits.fill(visit, offsets[visit], offsets[visit + 1]);
  return visits;
};

/**
 * Days from one kept visit's admission to the next's, per visit: NaN at a patient's first kept visit and at
 * visits that are not kept. What lies between two kept visits belongs to the later one's gap.
 */
const gapsBetween = ({ visitOffsets, visitFacts }: Cohort, isKept: Uint8Array): Float32Array => {
  const since = visitFacts['days_since_admission'];
  const gaps = new Float32Array(isKept.length).fill(Number.NaN);
  if (since?.kind !== 'numeric') return gaps;
  for (let patient = 0; patient + 1 < visitOffsets.length; patient++) {
    let days = Number.NaN;
    for (let v = visitOffsets[patient] as number; v < (visitOffsets[patient + 1] as number); v++) {
      days += since.values[v] as number;
      if (isKept[v] === 0) continue;
      gaps[v] = days;
      days = 0;
    }
  }
  return gaps;
};

/** Finds the candidates of a cohort, in the order of the modalities asked for, their codes and buckets. */
export class CandidateFinder {
  readonly candidates: Candidate[] = [];
  readonly #cohort: Cohort;
  readonly #rules: TokenRules;
  /** Patient of each visit of the training split; -1 for all other visits. */
  readonly #trainee: Int32Array;

  constructor(cohort: Cohort, rules: TokenRules) {
    this.#cohort = cohort;
    this.#rules = rules;
    this.#trainee = new Int32Array(cohort.hadmIds.length).fill(-1);
    cohort.split.forEach((split, patient) => {
      if (split === splits.indexOf('train'))
        this.#trainee.fill(patient, cohort.visitOffsets[patient], cohort.visitOffsets[patient + 1]);
    });
  }

  /** The codes of one modality, lab tests as buckets of their numbers where the rules ask for it. */
  codes(modality: Modality): CandidateColumn {
    const { offsets, indices } = this.#cohort.codes[modality];
    const inBuckets = modality === 'lab' && this.#rules.labs === 'buckets';
    const visits = visitOfEntries(offsets);
    const candidates = new Int32Array(indices.length).fill(-1);
    const { starts, entries } = byCode(indices, this.#cohort.dictionary[modality].length);
    const values = new Float32Array(inBuckets ? indices.length : 0).fill(Number.NaN);
    this.#cohort.dictionary[modality].forEach((code, index) => {
      let own = entries.subarray(starts[index], starts[index + 1]);
      if (inBuckets) own = this.#bucketed({ modality, ...code }, own, visits, candidates, values);
      this.#present({ modality, ...code }, own, visits, candidates);
    });
    return { modality, offsets, candidates, values: inBuckets ? values : undefined };
  }

  /** Days since the last admission, for the visits that are kept. */
  gaps(isKept: Uint8Array): CandidateColumn {
    const days = gapsBetween(this.#cohort, isKept);
    const offsets = Int32Array.from({ length: days.length + 1 }, (_, visit) => visit);
    const visits = offsets.subarray(0, -1);
    const candidates = new Int32Array(days.length).fill(-1);
    const values = new Float32Array(days.length).fill(Number.NaN);
    this.#bucketed(gapCode, visits, visits, candidates, values, days);
    return { modality: 'gap', offsets, candidates, values };
  }

  /** One candidate for all entries, unless too few training visits have one. */
  #present(code: Named, entries: Int32Array, visits: Int32Array, candidates: Int32Array): void {
    const count = entries.filter((entry) => this.#isTraining(visits[entry] as number)).length;
    if (count < this.#rules.minCount) return;
    // The unit is that of numbers, which this candidate has none of.
    const { unit: _, ...rest } = code;
    const candidate = this.candidates.push({ ...rest, visits: count }) - 1;
    for (const entry of entries) candidates[entry] = candidate;
  }

  /**
   * A candidate per range of the numbers. Returns the entries without a number: all of them where too few
   * have one.
   */
  #bucketed(
    { unit, ...code }: Named,
    entries: Int32Array,
    visits: Int32Array,
    candidates: Int32Array,
    values: Float32Array,
    numbers = this.#cohort.labValues,
  ): Int32Array {
    const numbered = entries.filter((entry) => !Number.isNaN(numbers[entry]));
    const training = numbered.filter((entry) => this.#isTraining(visits[entry] as number));
    const buckets = fitBuckets(
      {
        values: Float32Array.from(training, (entry) => numbers[entry] as number),
        patients: training.map((entry) => this.#trainee[visits[entry] as number] as number),
      },
      { ...this.#rules.buckets, leastVisits: this.#rules.minCount },
    );
    if (!buckets) return entries;
    const first = this.candidates.length;
    for (let i = 0; i < buckets.count; i++)
      this.candidates.push({
        ...code,
        visits: 0,
        bucket: { ...buckets.range(i), unit, decimals: buckets.decimals },
      });
    for (const entry of numbered) {
      const candidate = first + buckets.of(numbers[entry] as number);
      candidates[entry] = candidate;
      values[entry] = numbers[entry] as number;
      if (this.#isTraining(visits[entry] as number)) (this.candidates[candidate] as Candidate).visits++;
    }
    return entries.filter((entry) => Number.isNaN(numbers[entry]));
  }

  #isTraining(visit: number): boolean {
    return (this.#trainee[visit] as number) >= 0;
  }
}
