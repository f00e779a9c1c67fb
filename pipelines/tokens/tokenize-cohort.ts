import { type Split, splits } from '../../schemas/ehr.ts';
import { StageError } from '../../schemas/errors.ts';
import type { SplitSizes } from '../cohort/patient-split.ts';
import type { Cohort } from '../patients/cohort-columns.ts';
import { selectFacts, type TokenCohort } from '../patients/visit-columns.ts';
import { buildVocabulary, type TokenColumn } from './build-vocabulary.ts';
import type { TokenRules } from './candidate-columns.ts';
import { rollUp } from './roll-up.ts';

/**
 * Per split: code occurrences outside the vocabulary, the visits and patients left with no token, and, where
 * lab tests are buckets, numbers of tests that have none.
 */
type TokenLosses = Record<'codes' | 'visits' | 'patients', SplitSizes> & { numbers?: SplitSizes };

const noLoss = (): SplitSizes => ({ train: 0, validation: 0, holdout: 0 });

/** Tokens, visit by visit, of the patients that keep at least one; typed arrays of the final size at most. */
class TokenWriter {
  readonly losses: TokenLosses = { codes: noLoss(), visits: noLoss(), patients: noLoss() };
  readonly keptPatients: number[] = [];
  readonly #columns: readonly TokenColumn[];
  readonly #codes: Int32Array;
  readonly #values: Float32Array | undefined;
  readonly #codeOffsets: Int32Array;
  readonly #visitOffsets = [0];
  #visits = 0;
  #length = 0;
  /** Numbers of the visit that is being written, by token; a bucket occurs once in a visit. */
  readonly #numbers = new Map<number, number>();

  constructor(columns: readonly TokenColumn[], visits: number) {
    this.#columns = columns;
    const most = columns.reduce((sum, { tokens }) => sum + tokens.length, 0);
    this.#codes = new Int32Array(most);
    if (columns.some(({ values }) => values)) this.#values = new Float32Array(most).fill(Number.NaN);
    this.#codeOffsets = new Int32Array(visits + 1);
  }

  addPatient(patient: number, firstVisit: number, endVisit: number, split: Split): void {
    for (let visit = firstVisit; visit < endVisit; visit++) this.#addVisit(visit, split);
    if (this.#visits === this.#visitOffsets.at(-1)) this.losses.patients[split]++;
    else {
      this.keptPatients.push(patient);
      this.#visitOffsets.push(this.#visits);
    }
  }

  #addVisit(visit: number, split: Split): void {
    const start = this.#length;
    const end = this.#gather(visit, split);
    const tokens = this.#codes.subarray(start, end).sort();
    // Several unknown codes of a visit share one token.
    for (const token of tokens)
      if (this.#length === start || this.#codes[this.#length - 1] !== token) {
        if (this.#values) this.#values[this.#length] = this.#numbers.get(token) ?? Number.NaN;
        this.#codes[this.#length++] = token;
      }
    if (this.#length === start) this.losses.visits[split]++;
    else this.#codeOffsets[++this.#visits] = this.#length;
  }

  /** Puts the tokens of a visit behind the last one, in no order; returns where they end. */
  #gather(visit: number, split: Split): number {
    let end = this.#length;
    this.#numbers.clear();
    for (const { kind, offsets, tokens, values } of this.#columns)
      for (let i = offsets[visit] as number; i < (offsets[visit + 1] as number); i++) {
        const token = tokens[i] as number;
        const value = values?.[i] ?? Number.NaN;
        if (token >= 0) this.#codes[end++] = token;
        // Not every visit has a gap, and that loses nothing.
        else if (kind !== 'gap') this.losses.codes[split]++;
        if (!Number.isNaN(value)) this.#numbers.set(token, value);
      }
    return end;
  }

  finish() {
    const values = this.#values?.slice(0, this.#length);
    return {
      visitOffsets: Int32Array.from(this.#visitOffsets),
      codeOffsets: this.#codeOffsets.slice(0, this.#visits + 1),
      codes: this.#codes.slice(0, this.#length),
      values,
    };
  }
}

/** Numbers of lab tests that no bucket takes, per split. */
const lostNumbers = ({ labValues, visitOffsets, codes, split }: Cohort, kept: Float32Array): SplitSizes => {
  const losses = noLoss();
  split.forEach((part, patient) => {
    const from = codes.lab.offsets[visitOffsets[patient] as number] as number;
    const to = codes.lab.offsets[visitOffsets[patient + 1] as number] as number;
    for (let i = from; i < to; i++)
      if (!Number.isNaN(labValues[i]) && Number.isNaN(kept[i])) losses[splits[part] as Split]++;
  });
  return losses;
};

const checkSplits = (before: Uint8Array, after: Uint8Array): void => {
  splits.forEach((name, i) => {
    if (before.includes(i) && !after.includes(i))
      throw new StageError(
        'TooFewPatients',
        `no patient of the ${name} split has a code in the vocabulary; give more patients, a smaller ` +
          '`minCount`, or `unknown: token`',
      );
  });
};

/**
 * Cohort to tokens. A visit left with no code is dropped, and so is a patient left with no visit: an empty
 * visit would teach a generator to make them. The days before it go to the gap of the visit after it. Labels
 * stay those of all diagnoses. Throws InvalidConfig when the vocabulary is empty, TooFewPatients when a split
 * is emptied.
 */
export const tokenizeCohort = (
  source: Cohort,
  rules: TokenRules,
): { tokens: TokenCohort; losses: TokenLosses } => {
  const cohort = rollUp(source, rules.rollUp);
  const { vocabulary, columns } = buildVocabulary(cohort, rules);
  const writer = new TokenWriter(columns, cohort.hadmIds.length);
  const labs = columns.find(({ kind }) => kind === 'lab')?.values;
  if (labs) writer.losses.numbers = lostNumbers(cohort, labs);
  cohort.split.forEach((split, patient) => {
    const [first, end] = cohort.visitOffsets.subarray(patient, patient + 2);
    writer.addPatient(patient, first as number, end as number, splits[split] as Split);
  });
  const kept = Int32Array.from(writer.keptPatients);
  const width = cohort.labelNames.length;
  const labels = new Uint8Array(kept.length * width);
  kept.forEach((patient, row) => {
    labels.set(cohort.labels.subarray(patient * width, (patient + 1) * width), row * width);
  });
  const split = Uint8Array.from(kept, (patient) => cohort.split[patient] as number);
  checkSplits(cohort.split, split);
  const demographics = selectFacts(cohort.demographics, kept);
  return { tokens: { ...writer.finish(), vocabulary, labels, split, demographics }, losses: writer.losses };
};
