import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Modality, modalities } from '../../schemas/ehr.ts';
import type { Progress } from '../../schemas/progress.ts';
import type { Draft } from '../../schemas/store.ts';
import { type Database, openDatabase, steadily } from '../kernel/duckdb.ts';
import {
  atFirstVisit,
  type CodeTitle,
  type Cohort,
  labelColumns,
  type ModalityColumns,
} from '../patients/cohort-columns.ts';
import { Float32Gatherer, gather, Int32Gatherer, LevelGatherer } from '../patients/query-columns.ts';
import { type Demographic, toOffsets } from '../patients/visit-columns.ts';
import {
  type CohortFilter,
  type CohortTable,
  codeRows,
  codeTable,
  occurrences,
  rowCounts,
  tableViews,
  visitCounts,
  visitRows,
  visits,
} from './assemble-sql.ts';
import type { DroppedCounts } from './cohort-file.ts';
import { type LabChoice, type LabUnits, labRows, placeLabValues } from './lab-values.ts';
import { checkedSplitSizes, type SplitShares, type SplitSizes, splitOf } from './patient-split.ts';
import { readPhenotypes } from './phenotypes.ts';

/** How a cohort is cut out of the events. */
export interface CohortRules extends CohortFilter {
  split: SplitShares;
  labValue: LabChoice;
  seed: number;
}

/** A cohort and what was left out on the way to it. */
interface AssembledCohort {
  cohort: Cohort;
  splits: SplitSizes;
  dropped: DroppedCounts;
}

const countsOf = async (database: Database, sql: string): Promise<Record<string, number>> => {
  const [row = {}] = await database.rows<Record<string, number>>(sql);
  return row;
};

type VisitPart = Pick<Cohort, 'subjectIds' | 'hadmIds' | 'visitOffsets' | 'demographics' | 'visitFacts'>;

const visitFactNames = ['age', 'length_of_stay', 'days_since_admission', 'days_since_discharge'] as const;
const visitLevelNames = ['admission_type', 'insurance'] as const;
const patientLevelNames = ['sex', 'ethnicity', 'marital_status', 'language'] as const;

const readVisits = async (database: Database): Promise<VisitPart> => {
  const ids = [new Int32Gatherer(), new Int32Gatherer()] as const;
  const numbers = [...visitFactNames, 'died_in_hospital'].map(() => new Float32Gatherer());
  const levels = [...visitLevelNames, ...patientLevelNames].map(() => new LevelGatherer());
  await gather(database, visitRows, [...ids, ...numbers, ...levels]);
  const [visitSubjects, hadmIds] = [ids[0].finish(), ids[1].finish()];
  const starts: number[] = [];
  visitSubjects.forEach((subject, visit) => {
    if (visit === 0 || subject !== visitSubjects[visit - 1]) starts.push(visit);
  });
  const visitOffsets = Int32Array.from([...starts, visitSubjects.length]);
  const named = (names: readonly string[], facts: Demographic[]) =>
    Object.fromEntries(names.map((name, i) => [name, facts[i] as Demographic]));
  const numeric = named(
    [...visitFactNames, 'died_in_hospital'],
    numbers.map((gatherer) => ({ kind: 'numeric', values: gatherer.finish() })),
  );
  const categorical = levels.map((gatherer) => gatherer.finish());
  const perVisit = { ...numeric, ...named(visitLevelNames, categorical) };
  const perPatient = {
    age: numeric['age'] as Demographic,
    ...named([...visitLevelNames, ...patientLevelNames], categorical),
  };
  return {
    subjectIds: Int32Array.from(starts, (visit) => visitSubjects[visit] as number),
    hadmIds,
    visitOffsets,
    demographics: atFirstVisit(perPatient, visitOffsets),
    visitFacts: perVisit,
  };
};

const readCodes = async (
  database: Database,
  modality: Modality,
  visitCount: number,
): Promise<ModalityColumns & { values: Float32Array }> => {
  const [rows, indices, values] = [new Int32Gatherer(), new Int32Gatherer(), new Float32Gatherer()];
  if (modality === 'lab') await gather(database, labRows, [rows, indices, values]);
  else await gather(database, codeRows(modality), [rows, indices]);
  const offsets = new Int32Array(visitCount + 1);
  for (const visit of rows.finish()) offsets[visit + 1] = (offsets[visit + 1] as number) + 1;
  toOffsets(offsets);
  return { offsets, indices: indices.finish(), values: values.finish() };
};

const readDictionary = async (
  database: Database,
  modality: Modality,
  units: LabUnits,
): Promise<CodeTitle[]> => {
  await database.run(codeTable(modality));
  const rows = await database.rows<{ code: string; title: string | null }>(
    `SELECT code, title FROM code_${modality} ORDER BY index`,
  );
  return rows.map(({ code, title }) => {
    const unit = modality === 'lab' ? units.get(code) : undefined;
    const entry: CodeTitle = { code };
    if (title !== null) entry.title = title;
    if (unit !== undefined) entry.unit = unit;
    return entry;
  });
};

const labelsFor = async (visitOffsets: Int32Array, diagnoses: ModalityColumns, titles: CodeTitle[]) => {
  const { names, labelOf } = await readPhenotypes();
  const byIndex = titles.map(({ code }) => labelOf.get(code) ?? -1);
  return { labelNames: names, ...labelColumns(visitOffsets, diagnoses, byIndex, names.length) };
};

const countRows = async (database: Database, modality: Modality, rules: CohortRules) => {
  await database.run(occurrences(modality, rules));
  return countsOf(database, rowCounts(modality, rules));
};

const placeVisits = async (database: Database, rules: CohortRules) => {
  for (const statement of visits(rules)) await database.run(statement);
  const [patients, stays] = visitCounts(rules);
  const dropped = {
    patients: await countsOf(database, patients),
    visits: await countsOf(database, stays),
  };
  const part = await readVisits(database);
  const split = Uint8Array.from(part.subjectIds, (id) => splitOf(id, rules.seed, rules.split));
  return { dropped, part: { ...part, split }, splits: checkedSplitSizes(split, rules.split) };
};

/** The work of one phase, begun only after a safe point; reports progress every two seconds. */
async function* during<T>(
  progress: Progress,
  database: Database,
  begin: () => Promise<T>,
): AsyncGenerator<Progress, T> {
  yield progress;
  const work = begin();
  const beats = steadily(database, work);
  try {
    let next = await beats.next();
    for (; !next.done; next = await beats.next()) yield progress;
    return next.value;
  } finally {
    await beats.return(work);
  }
}

async function* inPhases(
  database: Database,
  paths: Record<CohortTable, string>,
  rules: CohortRules,
): AsyncGenerator<Progress, AssembledCohort> {
  let step = 0;
  const phase = <T>(name: string, begin: () => Promise<T>) =>
    during({ step: step++, of: 3 * modalities.length + 2, phase: name }, database, begin);
  for (const view of tableViews(paths)) await database.run(view);
  const rows: DroppedCounts['rows'] = {};
  for (const modality of modalities)
    rows[modality] = yield* phase(`rows of ${modality}`, () => countRows(database, modality, rules));
  const labs = yield* phase('lab values', () => placeLabValues(database, rules.labValue));
  const { dropped, part, splits } = yield* phase('visits', () => placeVisits(database, rules));
  const codes: Partial<Cohort['codes']> = {};
  const dictionary: Partial<Cohort['dictionary']> = {};
  let labValues: Cohort['labValues'] = new Float32Array(0);
  for (const modality of modalities) {
    dictionary[modality] = yield* phase(`codes of ${modality}`, () =>
      readDictionary(database, modality, labs.units),
    );
    const { values, ...columns } = yield* phase(`visits of ${modality}`, () =>
      readCodes(database, modality, part.hadmIds.length),
    );
    codes[modality] = columns;
    if (modality === 'lab') labValues = values;
  }
  const complete = { codes, dictionary } as Pick<Cohort, 'codes' | 'dictionary'>;
  const labels = await labelsFor(part.visitOffsets, complete.codes.dx, complete.dictionary.dx);
  return {
    cohort: { ...part, ...complete, labValues, ...labels },
    splits,
    dropped: { ...dropped, rows, ...labs.counts },
  };
}

/**
 * Events to cohort. Visits are admissions with at least one code in any modality, in order of admission
 * (ties: discharge, then hadm_id); patients are ordered by subject. DuckDB sorts and counts in a scratch
 * folder of the draft, gone afterwards; rows stream into typed arrays. Throws TooFewPatients when a split
 * that was asked for is empty.
 */
export async function* assembleCohort(
  paths: Record<CohortTable, string>,
  rules: CohortRules,
  draft: Pick<Draft, 'path'>,
): AsyncGenerator<Progress, AssembledCohort> {
  const scratch = draft.path('scratch');
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true });
  try {
    const database = await openDatabase(scratch, Object.values(paths).map(dirname));
    try {
      return yield* inPhases(database, paths, rules);
    } finally {
      database.close();
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
