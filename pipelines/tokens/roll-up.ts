import { StageError } from '../../schemas/errors.ts';
import type { CodeTitle, Cohort, ModalityColumns } from '../patients/cohort-columns.ts';

/** Which codes are replaced by the category they are in. */
export interface RollUpRules {
  dx?: '3-digit';
  px?: '2-digit';
}

/** The category is what the first group matches: ICD-9-CM, with or without the dot, nothing else. */
const patterns = {
  dx: /^(\d{3}|V\d\d|E\d{3})\.?\d{0,2}$/,
  px: /^(\d\d)\.?\d{1,2}$/,
};

/**
 * Category of an ICD-9-CM code: three characters of a diagnosis, four of an external cause (`E8497` →
 * `E849`), two of a procedure; undefined where it is no such code.
 */
export const icd9Category = (modality: keyof typeof patterns, code: string): string | undefined =>
  patterns[modality].exec(code)?.[1];

/**
 * A modality with categories for codes; each once in a visit. A category has its title where it is a code of
 * its own.
 */
const rolledUp = (
  modality: keyof typeof patterns,
  { offsets, indices }: ModalityColumns,
  titles: readonly CodeTitle[],
): { columns: ModalityColumns; titles: CodeTitle[] } => {
  const categories = titles.map(({ code }) => icd9Category(modality, code));
  if (titles.length > 0 && categories.every((category) => category === undefined))
    throw new StageError(
      'InvalidConfig',
      `tokens.rollUp.${modality}: none of the ${titles.length} codes looks like ICD-9-CM, such as ` +
        `${modality === 'dx' ? '4280, V5861 or E8497' : '3961'}; leave \`rollUp.${modality}\` out`,
    );
  const names = categories.map((category, i) => category ?? (titles[i] as CodeTitle).code);
  const sorted = [...new Set(names)].sort();
  const place = new Map(sorted.map((name, i) => [name, i]));
  const known = new Map(titles.map((title) => [title.code, title]));
  const indexOf = Int32Array.from(names, (name) => place.get(name) as number);
  const rows = new Int32Array(indices.length);
  const ends = new Int32Array(offsets.length);
  let length = 0;
  for (let visit = 0; visit + 1 < offsets.length; visit++) {
    const own = indices
      .subarray(offsets[visit], offsets[visit + 1])
      .map((i) => indexOf[i] as number)
      .sort();
    const start = length;
    for (const index of own) if (length === start || rows[length - 1] !== index) rows[length++] = index;
    ends[visit + 1] = length;
  }
  return {
    columns: { offsets: ends, indices: rows.slice(0, length) },
    titles: sorted.map((code) => known.get(code) ?? { code }),
  };
};

/**
 * The cohort in categories, for a vocabulary of fewer codes. Labels stay those of the codes themselves.
 * Throws InvalidConfig where a modality is to be rolled up that has no ICD-9-CM code.
 */
export const rollUp = (cohort: Cohort, rules: RollUpRules = {}): Cohort => {
  const rolled = { ...cohort, codes: { ...cohort.codes }, dictionary: { ...cohort.dictionary } };
  for (const modality of ['dx', 'px'] as const) {
    if (rules[modality] === undefined) continue;
    const { columns, titles } = rolledUp(modality, cohort.codes[modality], cohort.dictionary[modality]);
    rolled.codes[modality] = columns;
    rolled.dictionary[modality] = titles;
  }
  return rolled;
};
