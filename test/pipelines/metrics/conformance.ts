import type { TestFn } from 'ava';
import type { VisitColumns } from '../../../pipelines/cohort/visit-columns.ts';
import { drainAsync } from '../../../pipelines/measure.ts';
import type { Metric } from '../../../pipelines/metric.ts';
import { scoreCohort } from '../../../pipelines/metrics/score-cohort.ts';
import marginal from '../../../pipelines/models/marginal.ts';
import { metricsOf } from '../../../pipelines/registry.ts';
import type { MetricRow } from '../../../schemas/scorecard.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import { columnsOf, golden, nobody, type Patient, vocabularyOf } from './golden-cohorts.ts';
import { type Parties, tested } from './tested-families.ts';

const split = golden<Record<'train' | 'test' | 'synthetic', Patient[]>>('split.json');
const train = split.train.slice(0, 100);
const holdout = split.test.slice(0, 50);
const unseen = split.test.slice(50);

/** Codes dealt out again among all visits: each stays as frequent, and what went together is lost. */
const dealt = (patients: readonly Patient[]): Patient[] => {
  const codes = patients.flatMap(({ visits }) => visits.flat());
  let next = 0;
  return patients.map(({ visits, labels }, i) => ({
    labels: patients[(i * 7 + 3) % patients.length]?.labels ?? labels,
    visits: visits.map((visit) => [
      ...new Set(visit.map(() => codes[(next++ * 37) % codes.length] as number)),
    ]),
  }));
};

const usual: Parties = { train, validation: split.synthetic.slice(250, 290), holdout, synthetic: unseen };

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

/** A model of which everything that a metric asks of one can be computed in closed form. */
const modelOf = (patients: readonly Patient[], labels: number) => {
  const vocabulary = measuredVocabulary(labels);
  // One more patient has every code and label, so that no record of a usual length is impossible.
  const everything = { visits: [[...Array(120).keys()]], labels: Array<number>(labels).fill(1) };
  const lengths = Array.from({ length: 12 }, (_, visits) => ({
    visits: Array.from({ length: visits }, (): number[] => []),
    labels: Array<number>(labels).fill(0),
  }));
  const train = columnsOf([...patients, everything, ...lengths]);
  return async () => {
    const fitting = await marginal.fit({ vocabulary, train, validation: nobody }, {}, 0);
    await fitting.step();
    return marginal.open(fitting.model(), {}, vocabulary);
  };
};

const score = async (family: Metric['family'], parties: Partial<Parties>, replicates = 0, labels = 5) => {
  const given = { ...usual, ...parties };
  const side = (patients: readonly Patient[]) =>
    patients.length === 0 ? nobody : withValues(columnsOf(patients));
  const { card } = await drainAsync(
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
  return card.rows;
};

const reversed = (parties: Parties): Parties => ({
  train: [...parties.train].reverse(),
  validation: [...parties.validation].reverse(),
  holdout: [...parties.holdout].reverse(),
  synthetic: [...parties.synthetic].reverse(),
});

const unlabeled = (patients: readonly Patient[], labels: number[]) =>
  patients.map(({ visits }) => ({ visits, labels }));

const nothing = [0, 0, 0, 0, 0];

/** What a metric may be handed; each is scored once per family. */
const oddities: Record<string, { parties: Partial<Parties>; labels?: number }> = {
  'nobody at all': { parties: { train: [], validation: [], holdout: [], synthetic: [] } },
  'no holdout': { parties: { holdout: [] } },
  'no validation': { parties: { validation: [] } },
  'no synthetic patients': { parties: { synthetic: [] } },
  'one patient on each side': {
    parties: {
      train: train.slice(0, 1),
      validation: train.slice(1, 2),
      holdout: holdout.slice(0, 1),
      synthetic: unseen.slice(0, 1),
    },
  },
  'nobody has a visit': {
    parties: Object.fromEntries(
      Object.entries(usual).map(([side, patients]) => [
        side,
        patients.map(() => ({ visits: [], labels: nothing })),
      ]),
    ),
  },
  'synthetic visits are empty': {
    parties: { synthetic: unseen.map(() => ({ visits: [[], []], labels: nothing })) },
  },
  'synthetic codes that nobody else has': {
    parties: {
      synthetic: unseen.map(({ visits, labels }) => ({ visits: visits.map(() => [118, 119]), labels })),
    },
  },
  'no label has a positive': {
    parties: Object.fromEntries(
      Object.entries(usual).map(([side, patients]) => [side, unlabeled(patients, nothing)]),
    ),
  },
  'no labels': {
    parties: Object.fromEntries(
      Object.entries(usual).map(([side, patients]) => [side, unlabeled(patients, [])]),
    ),
    labels: 0,
  },
};

const isSentence = /^[A-Z0-9“].*\.$/s;

const rangeOf = (metric: Metric, row: MetricRow): [number, number] => {
  const [least, greatest] = row.range ?? metric.range;
  return [least ?? Number.NEGATIVE_INFINITY, greatest ?? Number.POSITIVE_INFINITY];
};

/** What is wrong with a row, in words. */
const faults = (metric: Metric, row: MetricRow): string[] => {
  const [least, greatest] = rangeOf(metric, row);
  const slack = 1e-9;
  const outside = (value: number) => !(value >= least - slack && value <= greatest + slack);
  const found: string[] = [];
  if (row.value === null && !isSentence.test(row.note ?? '')) found.push(`no sentence but: ${row.note}`);
  if (row.note !== undefined && !isSentence.test(row.note)) found.push(`no sentence: ${row.note}`);
  for (const value of [row.value, row.real, row.holdout])
    if (value !== null && value !== undefined && outside(value))
      found.push(`${value} is not in ${least} … ${greatest}`);
  if (row.interval?.some((end, i, ends) => outside(end) || (i === 1 && end < (ends[0] as number))))
    found.push(`interval ${row.interval}`);
  if (!Number.isInteger(row.n) || row.n < 0) found.push(`n is ${row.n}`);
  return found.map((fault) => `${row.row}: ${fault}`);
};

/** What every metric of a family must do, whoever wrote it. */
export const conform = (test: TestFn, family: Metric['family']): void => {
  const metrics = [...metricsOf(family).values()];
  const { better: good, worse: bad, leading } = tested[family];
  const scored = Promise.all([
    score(family, {}, 40),
    score(family, {}, 40),
    score(family, reversed(usual), 40),
  ]);
  const extremes = Promise.all([
    score(family, good({ ...usual, dealt })),
    score(family, bad({ ...usual, dealt })),
  ]);

  for (const metric of metrics) {
    const own = (rows: readonly MetricRow[]) => rows.filter((row) => row.metric === metric.name);

    test(`${metric.name}: says what it is, row by row, in its range`, async (t) => {
      const rows = own((await scored)[0]);
      t.regex(metric.about, /[.?]$/);
      t.true(rows.length > 0);
      t.is(new Set(rows.map(({ row }) => row)).size, rows.length, 'row names are unique');
      for (const row of Object.keys(metric.headline ?? {}))
        t.true(
          rows.some((found) => found.row === row),
          `headline row ${row}`,
        );
      t.deepEqual(
        rows.flatMap((row) => faults(metric, row)),
        [],
      );
      t.true(
        rows.every(({ title, about }) => title.length > 0 && (about?.length ?? 0) > 0),
        'every row says what it is',
      );
      t.true(rows.some(({ value }) => value !== null));
    });

    test(`${metric.name}: gives the same again, whatever the order of patients`, async (t) => {
      const [first, again, turned] = (await scored).map(own);
      t.deepEqual(again, first);
      t.deepEqual(turned, first);
    });

    test(`${metric.name}: tells a good cohort from a bad one`, async (t) => {
      const row = leading[metric.name] ?? Object.keys(metric.headline ?? {})[0];
      const [better, worse] = (await extremes).map((rows) => own(rows).find((found) => found.row === row));
      const distance = ({ value, real }: MetricRow) => Math.abs((value ?? Number.NaN) - (real ?? Number.NaN));
      if (!better || !worse) throw new Error(`no row ${row}`);
      if (better.better === 'closer-to-real') {
        t.true(distance(better) < distance(worse));
        return;
      }
      const gain = (worse.value ?? Number.NaN) - (better.value ?? Number.NaN);
      t.true(
        better.better === 'lower' ? gain > 0 : gain < 0,
        `${row}: ${better.value} against ${worse.value}`,
      );
    });
  }

  for (const [name, { parties, labels }] of Object.entries(oddities))
    test(`${family}, ${name}: numbers or sentences`, async (t) => {
      const rows = await score(family, parties, 20, labels);
      for (const metric of metrics) {
        const own = rows.filter((row) => row.metric === metric.name);
        t.true(own.length > 0, metric.name);
        t.deepEqual(
          own.flatMap((row) => faults(metric, row)),
          [],
          metric.name,
        );
      }
    });
};
