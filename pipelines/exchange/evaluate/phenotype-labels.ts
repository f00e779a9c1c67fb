import { readPhenotypes } from '../../cohort/phenotypes.ts';
import { labelColumns } from '../../patients/cohort-columns.ts';
import { usesIcd9 } from '../../plausibility/code-rules.ts';
import type { OutsideCohort } from '../read/outside-cohort.ts';
import type { CohortRead } from '../read/read-cohort.ts';
import type { Sides } from './align-cohorts.ts';

const tellsNone = ({ vocabulary }: OutsideCohort): boolean => vocabulary.labels.length === 0;

const withLabels = (
  cohort: OutsideCohort,
  { names, labelOf }: Awaited<ReturnType<typeof readPhenotypes>>,
): OutsideCohort => {
  const byToken = cohort.vocabulary.codes.map(({ modality, code }) =>
    modality === 'dx' ? (labelOf.get(code) ?? -1) : -1,
  );
  const { visitOffsets, codeOffsets, codes } = cohort;
  const { labels } = labelColumns(
    visitOffsets,
    { offsets: codeOffsets, indices: codes },
    byToken,
    names.length,
  );
  return {
    ...cohort,
    labels,
    labelsNamed: true,
    vocabulary: { ...cohort.vocabulary, labels: names },
    notes: [
      ...cohort.notes,
      `labels are the ${names.length} phenotypes that its diagnoses define, by patient`,
    ],
  };
};

/**
 * MEDS has no labels. Where its diagnoses are ICD-9-CM they define the phenotypes, by the mapping and the
 * function that a run makes its labels with; so they do for the other sides, as far as these tell none.
 * Nothing is done where a side has labels of its own that are others, or diagnoses in another system.
 */
export const withPhenotypes = async (reads: Sides<CohortRead>): Promise<Sides<CohortRead>> => {
  const all = [reads.train, reads.synthetic, ...(reads.test ? [reads.test] : [])];
  const isMeds = all.some(({ layout, cohort }) => layout === 'meds' && tellsNone(cohort));
  if (!isMeds) return reads;
  const phenotypes = await readPhenotypes();
  const names = phenotypes.names.join('\n');
  const fits = ({ cohort }: CohortRead) =>
    tellsNone(cohort)
      ? usesIcd9(cohort.vocabulary)
      : cohort.labelsNamed && cohort.vocabulary.labels.toSorted().join('\n') === names;
  if (!all.every(fits)) return reads;
  const labeled = (read: CohortRead): CohortRead =>
    tellsNone(read.cohort) ? { ...read, cohort: withLabels(read.cohort, phenotypes) } : read;
  return {
    train: labeled(reads.train),
    synthetic: labeled(reads.synthetic),
    ...(reads.test && { test: labeled(reads.test) }),
  };
};
