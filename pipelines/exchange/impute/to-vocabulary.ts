import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import type { VisitColumns } from '../../patients/visit-columns.ts';
import type { OutsideCohort } from '../read/outside-cohort.ts';
import { CodeNumbers } from '../read/own-vocabulary.ts';

/** A cohort in the tokens of a model, and what of it the model does not know. */
export interface SpokenCohort {
  columns: VisitColumns;
  /** Distinct codes that the model lacks, and how often the cohort has one. */
  unknown: { codes: number; occurrences: number };
  /** Codes that were read. */
  known: number;
  /** False where the model has labels and the cohort does not have all of them: then none is used. */
  labeled: boolean;
}

/** Per label of the model its column in the cohort: by name where there are names, else by position. */
const labelColumns = (cohort: OutsideCohort, wanted: readonly string[]): number[] | undefined => {
  const own = cohort.vocabulary.labels;
  if (!cohort.labelsNamed) return own.length === wanted.length ? wanted.map((_, i) => i) : undefined;
  const columns = wanted.map((name) => own.indexOf(name));
  return columns.includes(-1) ? undefined : columns;
};

const spokenCodes = (
  { codeOffsets, codes }: VisitColumns,
  tokenOf: readonly number[],
): Pick<VisitColumns, 'codeOffsets' | 'codes'> => {
  const spoken = new Int32Array(codes.length);
  const offsets = new Int32Array(codeOffsets.length);
  for (let visit = 0; visit + 1 < offsets.length; visit++) {
    const start = offsets[visit] as number;
    let end = start;
    for (let i = codeOffsets[visit] as number; i < (codeOffsets[visit + 1] as number); i++) {
      const token = tokenOf[codes[i] as number] as number;
      if (token >= 0) spoken[end++] = token;
    }
    spoken.subarray(start, end).sort();
    offsets[visit + 1] = end;
  }
  return { codeOffsets: offsets, codes: spoken.slice(0, offsets.at(-1)) };
};

/**
 * The cohort as a model reads it: codes that it lacks are left out and counted, while patients and visits all stay,
 * so that each keeps its number.
 */
export const speakVocabulary = (cohort: OutsideCohort, vocabulary: Vocabulary): SpokenCohort => {
  const numbers = new CodeNumbers();
  for (const code of vocabulary.codes) numbers.of(code);
  const tokenOf = cohort.vocabulary.codes.map((code) => {
    const number = numbers.of(code);
    return number < vocabulary.codes.length ? number : -1;
  });
  const order = labelColumns(cohort, vocabulary.labels);
  const width = cohort.vocabulary.labels.length;
  const patients = cohort.visitOffsets.length - 1;
  const labels = new Uint8Array(order ? patients * order.length : 0);
  order?.forEach((column, label) => {
    for (let patient = 0; patient < patients; patient++)
      labels[patient * order.length + label] = cohort.labels[patient * width + column] as number;
  });
  const spoken = spokenCodes(cohort, tokenOf);
  return {
    columns: {
      visitOffsets: cohort.visitOffsets,
      ...spoken,
      labels,
      ...(cohort.demographics && { demographics: cohort.demographics }),
    },
    unknown: {
      codes: tokenOf.filter((token) => token < 0).length,
      occurrences: cohort.codes.length - spoken.codes.length,
    },
    known: spoken.codes.length,
    labeled: order !== undefined,
  };
};
