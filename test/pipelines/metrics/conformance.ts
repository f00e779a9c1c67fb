import type { TestFn } from 'ava';
import type { Metric } from '../../../pipelines/metrics/metric.ts';
import { metricsOf } from '../../../pipelines/metrics/registry.ts';
import type { MetricRow } from '../../../schemas/scorecard.ts';
import type { Patient } from './golden-cohorts.ts';
import { dealt, gainOf, holdout, leadingRow, score, train, unseen, usual } from './scored-parties.ts';
import { type Parties, tested } from './tested-families.ts';

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
  'every other visit is empty': {
    parties: Object.fromEntries(
      Object.entries(usual).map(([side, patients]) => [
        side,
        patients.map(({ visits, labels }: Patient) => ({
          visits: visits.flatMap((visit) => [visit, []]),
          labels,
        })),
      ]),
    ),
  },
  'one synthetic patient, again and again': {
    parties: { synthetic: unseen.map(() => unseen[0] as Patient) },
  },
  'one real patient': { parties: { train: train.slice(0, 1) } },
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
  for (const value of [row.value, row.real, row.holdout, ...(row.holdoutInterval ?? [])])
    if (value !== null && value !== undefined && outside(value))
      found.push(`${value} is not in ${least} … ${greatest}`);
  if (row.interval?.some((end, i, ends) => outside(end) || (i === 1 && end < (ends[0] as number))))
    found.push(`interval ${row.interval}`);
  if (!['higher', 'lower', 'closer-to-real'].includes(row.better)) found.push(`better is ${row.better}`);
  if (!Number.isInteger(row.n) || row.n < 0) found.push(`n is ${row.n}`);
  return found.map((fault) => `${row.row}: ${fault}`);
};

/** What is wrong with a metric's plots: JSON writes NaN as null, and columns are equally long. */
const seriesFaults = (plots: Record<string, Record<string, readonly unknown[]>> = {}): string[] =>
  Object.entries(plots).flatMap(([plot, columns]) => {
    const lengths = new Set(Object.values(columns).map((column) => column.length));
    const found = lengths.size > 1 ? [`${plot}: columns of ${[...lengths].join(', ')}`] : [];
    return /null/.test(JSON.stringify(columns)) ? [...found, `${plot}: no number`] : found;
  });

/** What every metric of a family must do, whoever wrote it. */
export const conform = (test: TestFn, family: Metric['family']): void => {
  const metrics = [...metricsOf(family).values()];
  const { better: good, worse: bad } = tested[family];
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
      const [{ rows: all, series }] = await scored;
      const rows = own(all);
      t.deepEqual(seriesFaults(series[metric.name]), []);
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
      const [first, again, turned] = (await scored).map(({ rows }) => own(rows));
      t.deepEqual(again, first);
      t.deepEqual(turned, first);
    });

    test(`${metric.name}: tells a good cohort from a bad one`, async (t) => {
      const [better, worse] = (await extremes).map(({ rows }) => leadingRow(metric, rows));
      if (!better || !worse) throw new Error('two cohorts');
      t.true(gainOf(better, worse) > 0, `${better.row}: ${better.value} against ${worse.value}`);
    });
  }

  for (const [name, { parties, labels }] of Object.entries(oddities))
    test(`${family}, ${name}: numbers or sentences`, async (t) => {
      const { rows, series } = await score(family, parties, 20, labels);
      for (const metric of metrics) {
        t.deepEqual(seriesFaults(series[metric.name]), [], metric.name);
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
