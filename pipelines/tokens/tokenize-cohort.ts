import { type Modality, type Split, splits } from '../../schemas/ehr.ts';
import { StageError } from '../../schemas/errors.ts';
import type { Cohort } from '../cohort/cohort-columns.ts';
import type { SplitSizes } from '../cohort/patient-split.ts';
import { selectFact, type TokenCohort } from '../cohort/visit-columns.ts';
import { buildVocabulary, type TokenMap, type TokenRules } from './build-vocabulary.ts';

/** Per split: code occurrences outside the vocabulary, and the visits and patients left with no token. */
export type TokenLosses = Record<'codes' | 'visits' | 'patients', SplitSizes>;

const noLoss = (): SplitSizes => ({ train: 0, validation: 0, holdout: 0 });

/** Tokens, visit by visit, of the patients that keep at least one; typed arrays of the final size at most. */
class TokenWriter {
  readonly losses: TokenLosses = { codes: noLoss(), visits: noLoss(), patients: noLoss() };
  readonly keptPatients: number[] = [];
  readonly #columns: { offsets: Int32Array; indices: Int32Array; tokenOf: Int32Array }[];
  readonly #codes: Int32Array;
  readonly #codeOffsets: Int32Array;
  readonly #visitOffsets = [0];
  #visits = 0;
  #length = 0;

  constructor(cohort: Cohort, tokenOf: TokenMap['tokenOf']) {
    const entries = Object.entries(tokenOf) as [Modality, Int32Array][];
    this.#columns = entries.map(([modality, tokens]) => ({ ...cohort.codes[modality], tokenOf: tokens }));
    this.#codes = new Int32Array(this.#columns.reduce((sum, { indices }) => sum + indices.length, 0));
    this.#codeOffsets = new Int32Array(cohort.hadmIds.length + 1);
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
    let end = start;
    for (const { offsets, indices, tokenOf } of this.#columns)
      for (let i = offsets[visit] as number; i < (offsets[visit + 1] as number); i++) {
        const token = tokenOf[indices[i] as number] as number;
        if (token < 0) this.losses.codes[split]++;
        else this.#codes[end++] = token;
      }
    const tokens = this.#codes.subarray(start, end).sort();
    // Several unknown codes of a visit share one token.
    for (const token of tokens)
      if (this.#length === start || this.#codes[this.#length - 1] !== token)
        this.#codes[this.#length++] = token;
    if (this.#length === start) this.losses.visits[split]++;
    else this.#codeOffsets[++this.#visits] = this.#length;
  }

  finish() {
    return {
      visitOffsets: Int32Array.from(this.#visitOffsets),
      codeOffsets: this.#codeOffsets.slice(0, this.#visits + 1),
      codes: this.#codes.slice(0, this.#length),
    };
  }
}

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
 * Cohort to tokens. A visit left with no token is dropped, and so is a patient left with no visit: an empty
 * visit would teach a generator to make them. Labels stay those of all diagnoses. Throws InvalidConfig when
 * the vocabulary is empty, TooFewPatients when a split is emptied.
 */
export const tokenizeCohort = (
  cohort: Cohort,
  rules: TokenRules,
): { tokens: TokenCohort; losses: TokenLosses } => {
  const { vocabulary, tokenOf } = buildVocabulary(cohort, rules);
  const writer = new TokenWriter(cohort, tokenOf);
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
  const facts = Object.entries(cohort.demographics).map(([name, fact]) => [name, selectFact(fact, kept)]);
  const demographics = Object.fromEntries(facts);
  return { tokens: { ...writer.finish(), vocabulary, labels, split, demographics }, losses: writer.losses };
};
