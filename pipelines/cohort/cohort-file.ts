import type { Data } from 'apache-arrow';
import { z } from 'zod';
import { type Modality, modalities, modality } from '../../schemas/ehr.ts';
import { StageError } from '../../schemas/errors.ts';
import type { Draft, OpenArtifact } from '../../schemas/store.ts';
import {
  childrenOf,
  decodeColumns,
  demographicColumns,
  demographicsOf,
  encodeColumns,
  fixedListColumn,
  float32Column,
  float32Values,
  int32Column,
  int32Values,
  listColumn,
  listParts,
  structColumn,
  uint8Column,
  uint8Values,
} from '../patients/arrow-columns.ts';
import type { Cohort, ModalityColumns } from '../patients/cohort-columns.ts';
import type { SplitSizes } from './patient-split.ts';

const counts = z.record(z.string(), z.int().nonnegative());

/** What was left out of a cohort, by reason. Rows are counted per modality, before anything else. */
const droppedCounts = z.object({
  patients: counts.describe('without a kept visit, with too few visits, too young'),
  visits: counts.describe('of unknown patients, without any code, of patients left out'),
  rows: z.partialRecord(modality, counts).describe('all rows, and those that add no code to a visit'),
  labNumbers: counts.describe('lab rows of admissions: all, and those that give no number, by reason'),
  labUnits: counts.describe('numbers converted to the commonest unit of their test; numbers without a unit'),
});
export type DroppedCounts = z.output<typeof droppedCounts>;

/** `cohort.json`: what is in the artifact, in numbers that name no patient. */
export const cohortHeader = z.object({
  patients: z.int(),
  visits: z.int(),
  splits: counts.describe('patients per split'),
  dropped: droppedCounts,
  codes: z.record(modality, z.object({ distinct: z.int(), occurrences: z.int() })),
  labels: z.array(z.object({ name: z.string(), patients: z.int(), visits: z.int() })),
});
type CohortHeader = z.output<typeof cohortHeader>;

const codeTitle = z.object({ code: z.string(), title: z.string().optional(), unit: z.string().optional() });
const dictionarySchema = z.object({
  labels: z.array(z.string()),
  codes: z.record(modality, z.array(codeTitle)),
});

const forModalities = <T>(make: (modality: Modality) => T): Record<Modality, T> => ({
  dx: make('dx'),
  px: make('px'),
  rx: make('rx'),
  lab: make('lab'),
});

const columnsOf = (cohort: Cohort): Record<string, Data> => {
  const width = cohort.labelNames.length;
  const patientFacts = demographicColumns(cohort.demographics, 0);
  const visitFacts = demographicColumns(cohort.visitFacts, Object.keys(patientFacts).length);
  const visit = structColumn(
    {
      hadm_id: int32Column(cohort.hadmIds),
      labels: fixedListColumn(uint8Column(cohort.visitLabels), width),
      ...forModalities((m) => listColumn(int32Column(cohort.codes[m].indices), cohort.codes[m].offsets)),
      lab_value: listColumn(float32Column(cohort.labValues), cohort.codes.lab.offsets),
      ...visitFacts,
    },
    cohort.hadmIds.length,
  );
  return {
    subject_id: int32Column(cohort.subjectIds),
    split: uint8Column(cohort.split),
    labels: fixedListColumn(uint8Column(cohort.labels), width),
    visits: listColumn(visit, cohort.visitOffsets),
    ...patientFacts,
  };
};

const columnSum = (rows: Uint8Array, width: number, column: number): number => {
  let sum = 0;
  for (let i = column; i < rows.length; i += width) sum += rows[i] as number;
  return sum;
};

const headerOf = (cohort: Cohort, splits: SplitSizes, dropped: DroppedCounts): CohortHeader => ({
  patients: cohort.subjectIds.length,
  visits: cohort.hadmIds.length,
  splits,
  dropped,
  codes: forModalities((m) => ({
    distinct: cohort.dictionary[m].length,
    occurrences: cohort.codes[m].indices.length,
  })),
  labels: cohort.labelNames.map((name, i) => ({
    name,
    patients: columnSum(cohort.labels, cohort.labelNames.length, i),
    visits: columnSum(cohort.visitLabels, cohort.labelNames.length, i),
  })),
});

/**
 * Writes the three files of a `cohort` artifact and returns the header: `cohort.arrow` (one row per patient,
 * visits nested, source identifiers kept), `dictionary.json` (codes with titles, label names), `cohort.json`.
 */
export const writeCohort = async (
  draft: Pick<Draft, 'write'>,
  cohort: Cohort,
  splits: SplitSizes,
  dropped: DroppedCounts,
): Promise<CohortHeader> => {
  const header = headerOf(cohort, splits, dropped);
  const dictionary = { labels: cohort.labelNames, codes: cohort.dictionary };
  await draft.write('cohort.arrow', encodeColumns(columnsOf(cohort), header.patients));
  await draft.write('dictionary.json', `${JSON.stringify(dictionary)}\n`);
  await draft.write('cohort.json', `${JSON.stringify(header, null, 2)}\n`);
  return header;
};

const modalityColumns = (column: Data | undefined): ModalityColumns => {
  const { offsets, child } = listParts(column);
  return { offsets, indices: int32Values(child) };
};

const cohortFrom = (bytes: Uint8Array): Omit<Cohort, 'labelNames' | 'dictionary'> => {
  const { subject_id, split, labels, visits, ...demographics } = decodeColumns(bytes).columns;
  const { offsets, child } = listParts(visits);
  const { hadm_id, labels: visitLabels, lab_value, ...others } = childrenOf(child);
  const facts = Object.entries(others).filter(([name]) => !modalities.includes(name as Modality));
  return {
    subjectIds: int32Values(subject_id),
    hadmIds: int32Values(hadm_id),
    split: uint8Values(split),
    visitOffsets: offsets,
    labels: uint8Values(labels?.children[0]),
    visitLabels: uint8Values(visitLabels?.children[0]),
    demographics: demographicsOf(demographics),
    visitFacts: demographicsOf(Object.fromEntries(facts)),
    codes: forModalities((m) => modalityColumns(others[m])),
    labValues: float32Values(listParts(lab_value).child),
  };
};

/**
 * Reads a `cohort` artifact as views on its bytes. Throws ArtifactCorrupt when the file has another shape.
 */
export const readCohort = async (artifact: Pick<OpenArtifact, 'bytes' | 'json'>): Promise<Cohort> => {
  const dictionary = dictionarySchema.parse(await artifact.json('dictionary.json'));
  const bytes = await artifact.bytes('cohort.arrow');
  try {
    return { ...cohortFrom(bytes), labelNames: dictionary.labels, dictionary: dictionary.codes } as Cohort;
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new StageError('ArtifactCorrupt', `cohort.arrow: ${cause.message}`, { cause });
  }
};
