import marginal from '../../../pipelines/generators/marginal.ts';
import { drainAsync } from '../../../pipelines/kernel/steps.ts';
import type { Metric } from '../../../pipelines/metrics/metric.ts';
import { metricsOf } from '../../../pipelines/metrics/registry.ts';
import { scoreCohort } from '../../../pipelines/metrics/score-cohort.ts';
import {
  codesOfPatient,
  patientCount,
  type VisitColumns,
} from '../../../pipelines/patients/visit-columns.ts';
import type { MetricRow, ScorecardSeries } from '../../../schemas/scorecard.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import { noPatients } from '../../helpers/patients.ts';
import { columnsAsWritten, golden, type Patient, vocabularyOf } from './golden-cohorts.ts';
import { type Parties, tested } from './tested-families.ts';

const split = golden<Record<'train' | 'test' | 'synthetic', Patient[]>>('split.json');
export const train = split.train.slice(0, 100);
export const holdout = split.test.slice(0, 50);
export const unseen = split.test.slice(50);

/** Codes dealt out again among all visits: each stays as frequent, and what went together is lost. */
export const dealt = (patients: readonly Patient[]): Patient[] => {
  const codes = patients.flatMap(({ visits }) => visits.flat());
  let next = 0;
  return patients.map(({ visits, labels }, i) => ({
    labels: patients[(i * 7 + 3) % patients.length]?.labels ?? labels,
    visits: visits.map((visit) => [
      ...new Set(visit.map(() => codes[(next++ * 37) % codes.length] as number)),
    ]),
  }));
};

/** Parties that every metric can be computed of. */
export const usual: Parties = {
  train,
  validation: split.synthetic.slice(250, 290),
  holdout,
  synthetic: unseen,
};

/** Codes of the fixtures that stand for ranges here: two lab tests, and days between visits. */
const ranges: Record<number, Omit<Vocabulary['codes'][number], 'title'>> = {
  20: { modality: 'lab', code: '1', bucket: { low: 1, high: 3 } },
  23: { modality: 'lab', code: '1', bucket: { low: 3, high: 9 } },
  26: { modality: 'lab', code: '2', bucket: { low: 100, high: 140 } },
  29: { modality: 'lab', code: '2', bucket: { low: 140, high: 160 } },
  6: { modality: 'gap', code: 'gap', bucket: { low: 0, high: 30 } },
  15: { modality: 'gap', code: 'gap', bucket: { low: 30, high: 300 } },
};

const measuredVocabulary = (labels: number): Vocabulary => {
  const { codes, ...rest } = vocabularyOf(120, labels);
  return { ...rest, codes: codes.map((code, token) => ranges[token] ?? code) };
};

/** The middle of its range for every code that is one. */
const withValues = (columns: VisitColumns): VisitColumns => ({
  ...columns,
  values: Float32Array.from(columns.codes, (token) => {
    const { low, high } = ranges[token]?.bucket ?? { low: Number.NaN, high: Number.NaN };
    return (low + high) / 2;
  }),
});

/** A sex that goes with the codes, and an age and an ethnicity that follow from the record. */
const withFacts = (columns: VisitColumns): VisitColumns => {
  const codesOf = Array.from({ length: patientCount(columns) }, (_, p) => codesOfPatient(columns, p));
  const sums = codesOf.map((codes) => codes.reduce((sum, code) => sum + code, 7));
  const sex = Int32Array.from(codesOf, (codes) => (codes.some((code) => code % 5 === 0) ? 0 : 1));
  return {
    ...columns,
    demographics: {
      sex: { kind: 'categorical', levels: ['F', 'M'], values: sex },
      age: { kind: 'numeric', values: Float32Array.from(sums, (sum) => 20 + (sum % 70)) },
      ethnicity: { kind: 'categorical', levels: ['a', 'b'], values: Int32Array.from(sums, (sum) => sum % 2) },
    },
  };
};

/** A model of which everything that a metric asks of one can be computed in closed form. */
const modelOf = (patients: readonly Patient[], labels: number) => {
  const vocabulary = measuredVocabulary(labels);
  // One more patient has every code and label, so that no record of a usual length is impossible.
  const everything = { visits: [[...Array(120).keys()]], labels: Array<number>(labels).fill(1) };
  const lengths = Array.from({ length: 12 }, (_, visits) => ({
    visits: Array.from({ length: visits }, (): number[] => []),
    labels: Array<number>(labels).fill(0),
  }));
  const train = columnsAsWritten([...patients, everything, ...lengths]);
  return async () => {
    const fitting = await marginal.fit({ vocabulary, train, validation: noPatients }, {}, 0);
    await fitting.step();
    return marginal.open(await fitting.model(), {}, vocabulary);
  };
};

export interface Scored {
  rows: MetricRow[];
  series: ScorecardSeries;
}

/** Scores every metric of a family, as the stages do, small enough for a test. */
export const score = async (
  family: Metric['family'],
  parties: Partial<Parties>,
  replicates = 0,
  labels = 5,
): Promise<Scored> => {
  const given = { ...usual, ...parties };
  const side = (patients: readonly Patient[]) =>
    patients.length === 0 ? noPatients : withFacts(withValues(columnsAsWritten(patients)));
  const { card, series } = await drainAsync(
    scoreCohort({
      generator: 'somebody',
      vocabulary: measuredVocabulary(labels),
      train: side(given.train),
      validation: side(given.validation),
      holdout: side(given.holdout),
      synthetic: side(given.synthetic),
      ...(given.train.length > 0 && { model: modelOf(given.fitted ?? given.train, labels) }),
      metrics: [...metricsOf(family).values()],
      options: tested[family].options,
      suppressBelow: 0,
      seed: 3,
      replicates,
    }),
  );
  return { rows: card.rows, series };
};

/** The row that a metric is judged by: its own, unless told. */
export const leadingRow = (
  metric: Pick<Metric, 'name' | 'family' | 'headline'>,
  rows: readonly MetricRow[],
  row = tested[metric.family].leading[metric.name] ?? Object.keys(metric.headline ?? {})[0],
): MetricRow => {
  const found = rows.find((candidate) => candidate.metric === metric.name && candidate.row === row);
  if (!found) throw new Error(`no row ${row} of ${metric.name}`);
  return found;
};

/** By how much the first is better than the second. */
export const gainOf = (better: MetricRow, worse: MetricRow): number => {
  const distance = ({ value, real }: MetricRow) => Math.abs((value ?? Number.NaN) - (real ?? Number.NaN));
  if (better.better === 'closer-to-real') return distance(worse) - distance(better);
  const gain = (worse.value ?? Number.NaN) - (better.value ?? Number.NaN);
  return better.better === 'lower' ? gain : -gain;
};
