import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import {
  codesOfPatient,
  patientCount,
  type VisitColumns,
  visitsOf,
} from '../../../patients/visit-columns.ts';
import type { RecordCase } from '../../learners/record-cases.ts';
import type { Question, RecordQuery, RecordTask } from '../../learners/record-models.ts';

/** `[patients, codes]` 1 where a patient has the code in some visit. */
const presence = (cohort: VisitColumns, codes: ArrayLike<number>): Uint8Array => {
  const columnOf = new Map(Array.from(codes, (token, column) => [token, column]));
  const found = new Uint8Array(patientCount(cohort) * codes.length);
  for (let patient = 0; patient < patientCount(cohort); patient++) {
    for (const token of codesOfPatient(cohort, patient)) {
      const column = columnOf.get(token);
      if (column !== undefined) found[patient * codes.length + column] = 1;
    }
  }
  return found;
};

/** How many of the patients have each token of the vocabulary. */
const patientsWith = (cohort: VisitColumns, tokens: number): Int32Array => {
  const counts = new Int32Array(tokens);
  for (let patient = 0; patient < patientCount(cohort); patient++) {
    for (const token of new Set(codesOfPatient(cohort, patient)))
      counts[token] = (counts[token] as number) + 1;
  }
  return counts;
};

/**
 * Up to `most` codes worth asking about, ascending: at least `least` patients have them and as many have not.
 * Spread evenly over the ranks of frequency, so that common and rare codes are both there.
 */
export const spreadCodes = (
  cohort: VisitColumns,
  { codes }: Vocabulary,
  most: number,
  least: number,
): number[] => {
  const patients = patientCount(cohort);
  const counts = patientsWith(cohort, codes.length);
  const usable = [...counts.keys()]
    .filter((token) => {
      const count = counts[token] as number;
      return codes[token]?.modality !== 'gap' && count >= least && patients - count >= least;
    })
    .sort((a, b) => (counts[b] as number) - (counts[a] as number) || a - b);
  const chosen = Math.min(most, usable.length);
  const at = (i: number) => Math.floor(((i + 0.5) * usable.length) / chosen);
  return Array.from({ length: chosen }, (_, i) => usable[at(i)] as number).sort((a, b) => a - b);
};

/** A cohort in which one code at a time is hidden. */
export interface HiddenCodes extends RecordTask {
  /** Tokens that may be hidden, ascending. */
  codes: readonly number[];
  /** `[patients, codes]` */
  present: Uint8Array;
}

/**
 * The whole record of every patient, which asks about all codes that are not there, and for each code that is
 * there the record without it, which asks about that one alone. Each code of each patient is thus asked about
 * once, given all the others: p(v | record \ v) of PromptEHR's section 3.6.
 */
export const hideOneByOne = (cohort: VisitColumns, codes: readonly number[]): HiddenCodes => {
  const present = presence(cohort, codes);
  const cases: RecordCase[] = [];
  for (let patient = 0; patient < patientCount(cohort); patient++) {
    const visits = visitsOf(cohort, patient);
    cases.push({ patient, visits, hidden: -1 });
    for (const [column, token] of codes.entries())
      if (present[patient * codes.length + column] === 1) cases.push({ patient, visits, hidden: token });
  }
  return { cohort, cases, codes, present };
};

/** Which of the codes a patient has, asked as `hideOneByOne` asks; tasks must be cohorts it made. */
export const attributeQuestion = (tasks: readonly HiddenCodes[], codes: readonly number[]): Question => {
  const presentIn = new Map(tasks.map(({ cohort, present }) => [cohort, present]));
  return {
    outputs: codes.length,
    weights: codes.length,
    answer({ cohort }, { patient, hidden }, targets, weights) {
      const present = presentIn.get(cohort) as Uint8Array;
      for (const [column, token] of codes.entries()) {
        const has = present[patient * codes.length + column] === 1;
        if (has && token === hidden) targets[column] = 1;
        if (hidden < 0 ? !has : token === hidden) weights[column] = 1;
      }
    },
  };
};

/**
 * ln p that each patient has each code, by model: `logs[model]` is `[patients, codes]`, filled in as it is
 * asked.
 */
export const askHidden = (
  { cohort, cases, codes, present }: HiddenCodes,
  models: number,
): { logs: Float64Array[]; query: RecordQuery } => {
  const logs = Array.from({ length: models }, () => new Float64Array(present.length));
  const tell = (model: number, index: number, logits: Float32Array) => {
    const { patient, hidden } = cases[index] as RecordCase;
    const row = patient * codes.length;
    for (const [column, token] of codes.entries()) {
      if (hidden < 0 ? present[row + column] === 1 : token !== hidden) continue;
      const odds = logits[column] as number;
      (logs[model] as Float64Array)[row + column] = Math.min(0, odds) - Math.log1p(Math.exp(-Math.abs(odds)));
    }
  };
  return { logs, query: { cohort, cases, tell } };
};
