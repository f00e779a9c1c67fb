import type { DuckDBConnection } from '@duckdb/node-api';
import { type Modality, modalities } from '../../schemas/ehr.ts';
import type { Progress } from '../../schemas/progress.ts';
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
import {
  atFirstVisit,
  type CodeTitle,
  type Cohort,
  labelColumns,
  type ModalityColumns,
} from './cohort-columns.ts';
import type { DroppedCounts } from './cohort-file.ts';
import { checkedSplitSizes, type SplitShares, type SplitSizes, splitOf } from './patient-split.ts';
import { readPhenotypes } from './phenotypes.ts';
import { Float32Gatherer, gather, Int32Gatherer, LevelGatherer } from './query-columns.ts';
import type { Demographic } from './visit-columns.ts';

/** How a cohort is cut out of the events. */
export interface CohortRules extends CohortFilter {
  split: SplitShares;
  seed: number;
}

/** A cohort and what was left out on the way to it. */
export interface AssembledCohort {
  cohort: Cohort;
  splits: SplitSizes;
  dropped: DroppedCounts;
}

const countsOf = async (connection: DuckDBConnection, sql: string): Promise<Record<string, number>> => {
  const [row] = await (await connection.run(sql)).getRowObjects();
  return Object.fromEntries(Object.entries(row ?? {}).map(([name, value]) => [name, Number(value)]));
};

type VisitPart = Pick<Cohort, 'subjectIds' | 'hadmIds' | 'visitOffsets' | 'demographics' | 'visitFacts'>;

const visitFactNames = ['age', 'length_of_stay', 'days_since_admission', 'days_since_discharge'] as const;
const visitLevelNames = ['admission_type', 'insurance'] as const;
const patientLevelNames = ['sex', 'ethnicity', 'marital_status', 'language'] as const;

const readVisits = async (connection: DuckDBConnection): Promise<VisitPart> => {
  const ids = [new Int32Gatherer(), new Int32Gatherer()] as const;
  const numbers = [...visitFactNames, 'died_in_hospital'].map(() => new Float32Gatherer());
  const levels = [...visitLevelNames, ...patientLevelNames].map(() => new LevelGatherer());
  await gather(connection, visitRows, [...ids, ...numbers, ...levels]);
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
  const atFirst = Object.entries(perPatient).map(([name, fact]) => [name, atFirstVisit(fact, visitOffsets)]);
  return {
    subjectIds: Int32Array.from(starts, (visit) => visitSubjects[visit] as number),
    hadmIds,
    visitOffsets,
    demographics: Object.fromEntries(atFirst),
    visitFacts: perVisit,
  };
};

const readCodes = async (
  connection: DuckDBConnection,
  modality: Modality,
  visitCount: number,
): Promise<ModalityColumns> => {
  const [rows, indices] = [new Int32Gatherer(), new Int32Gatherer()];
  await gather(connection, codeRows(modality), [rows, indices]);
  const offsets = new Int32Array(visitCount + 1);
  for (const visit of rows.finish()) offsets[visit + 1] = (offsets[visit + 1] as number) + 1;
  for (let visit = 0; visit < visitCount; visit++)
    offsets[visit + 1] = (offsets[visit + 1] as number) + (offsets[visit] as number);
  return { offsets, indices: indices.finish() };
};

const readDictionary = async (connection: DuckDBConnection, modality: Modality): Promise<CodeTitle[]> => {
  await connection.run(codeTable(modality));
  const rows = await (
    await connection.run(`SELECT code, title FROM code_${modality} ORDER BY index`)
  ).getRows();
  return rows.map(([code, title]) => ({
    code: String(code),
    ...(title === null ? {} : { title: String(title) }),
  }));
};

const labelsFor = async (visitOffsets: Int32Array, diagnoses: ModalityColumns, titles: CodeTitle[]) => {
  const { names, labelOf } = await readPhenotypes();
  const byIndex = titles.map(({ code }) => labelOf.get(code) ?? -1);
  return { labelNames: names, ...labelColumns(visitOffsets, diagnoses, byIndex, names.length) };
};

/**
 * Events to cohort. Visits are admissions with at least one code in any modality, in order of admission
 * (ties: discharge, then hadm_id); patients are ordered by subject. DuckDB sorts and counts, rows stream
 * into typed arrays. Yields between queries. Throws TooFewPatients when a split that was asked for is empty.
 */
export async function* assembleCohort(
  connection: DuckDBConnection,
  paths: Record<CohortTable, string>,
  rules: CohortRules,
): AsyncGenerator<Progress, AssembledCohort> {
  const of = 2 * modalities.length + 2;
  let step = 0;
  await connection.run(tableViews(paths));
  const rows: DroppedCounts['rows'] = {};
  for (const modality of modalities) {
    await connection.run(occurrences(modality, rules));
    rows[modality] = await countsOf(connection, rowCounts(modality, rules));
    yield { step: ++step, of, phase: `rows of ${modality}` };
  }
  await connection.run(visits(rules));
  const [patients, stays] = visitCounts(rules);
  const dropped: DroppedCounts = {
    patients: await countsOf(connection, patients),
    visits: await countsOf(connection, stays),
    rows,
  };
  const visitPart = await readVisits(connection);
  const split = Uint8Array.from(visitPart.subjectIds, (id) => splitOf(id, rules.seed, rules.split));
  const splits = checkedSplitSizes(split, rules.split);
  yield { step: ++step, of, phase: 'visits' };
  const codes: Partial<Cohort['codes']> = {};
  const dictionary: Partial<Cohort['dictionary']> = {};
  for (const modality of modalities) {
    dictionary[modality] = await readDictionary(connection, modality);
    codes[modality] = await readCodes(connection, modality, visitPart.hadmIds.length);
    yield { step: ++step, of, phase: `codes of ${modality}` };
  }
  const complete = { codes, dictionary } as Pick<Cohort, 'codes' | 'dictionary'>;
  const labels = await labelsFor(visitPart.visitOffsets, complete.codes.dx, complete.dictionary.dx);
  return { cohort: { ...visitPart, ...complete, ...labels, split }, splits, dropped };
}
