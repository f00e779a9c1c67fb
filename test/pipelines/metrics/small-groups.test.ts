import test from 'ava';
import { startBackend } from '../../../infra/backend.ts';
import { drainAsync } from '../../../pipelines/kernel/steps.ts';
import type { Metric, PartialRow, ScoredRow } from '../../../pipelines/metrics/metric.ts';
import { metrics, metricsOf } from '../../../pipelines/metrics/registry.ts';
import { scoreCohort } from '../../../pipelines/metrics/score-cohort.ts';
import { suppressedCount, suppressedRow, suppressedSeries } from '../../../pipelines/metrics/small-groups.ts';
import { scorecard, scorecardSeries } from '../../../schemas/scorecard.ts';
import { columnsAsWritten, golden, type Patient } from './golden-cohorts.ts';

const row = (more: Partial<ScoredRow> & Pick<PartialRow, 'nIs' | 'behind'> = {}) => ({
  metric: 'm',
  row: 'label: gout',
  family: 'similarity' as const,
  title: 'Gout',
  about: 'share of patients',
  better: 'lower' as const,
  value: 0.5,
  interval: [0.4, 0.6] as [number, number],
  real: 0.25,
  n: 100,
  ...more,
});

test('a row about too few real patients keeps its name and nothing else', (t) => {
  const told = suppressedRow(row({ patients: 10, note: 'Only 10.' }), undefined, 11);
  t.deepEqual(told, {
    metric: 'm',
    row: 'label: gout',
    family: 'similarity',
    title: 'Gout',
    about: 'share of patients',
    range: undefined,
    better: 'lower',
    value: null,
    n: 0,
    suppressed: true,
    note: 'Suppressed: fewer than 11 patients are behind it.',
  });
  t.is(suppressedRow(row({ patients: 11 }), undefined, 11).value, 0.5);
  t.is(suppressedRow(row({ patients: 0 }), undefined, 0).value, 0.5, 'off');
});

test('few people behind a number, few keys are no people', (t) => {
  t.true(suppressedRow(row({ n: 10 }), undefined, 11).suppressed);
  t.is(suppressedRow(row({ n: 10, nIs: 'keys' }), undefined, 11).value, 0.5);
  t.is(suppressedRow(row({ n: 0, value: null, note: 'Nobody.' }), undefined, 11).note, 'Nobody.');
  t.false('nIs' in suppressedRow(row({ nIs: 'keys' }), undefined, 11));
});

test('a small group of one side takes that side’s value only, and its count is never written', (t) => {
  const real = suppressedRow(row({ behind: { real: 3, judged: 3 } }), undefined, 11);
  t.is(real.real, null);
  t.is(real.value, 0.5, 'synthetic patients are nobody');
  t.regex(real.note ?? '', /real cohort.*fewer than 11/);
  t.false('behind' in real);
  const standIn = row({ value: 0.01, behind: { real: 50, judged: 3 } });
  const held = suppressedRow(row({ behind: { real: 50, judged: 60 } }), standIn, 11);
  t.is(held.holdout, null);
  t.is(held.real, 0.25);
  t.is(suppressedRow(row(), row({ value: 0.3 }), 11).holdout, 0.3);
  t.is(suppressedRow(row(), row({ value: 0.3, n: 4 }), 11).holdout, null);
  t.is(
    suppressedRow(row({ holdout: 0.1, behind: { real: 0, judged: 0, holdout: 2 } }), undefined, 11).holdout,
    null,
  );
});

test('points of rare keys go, with how many; lengths and ranges are taken together', (t) => {
  const told = suppressedSeries(
    {
      codes: { first: [1, 2, 3], real: [0.5, 0.01, 0], patients: [50, 1, 0] },
      lengths: {
        length: [0, 1, 2, 3],
        real: [0, 40, 20, 2],
        synthetic: [1, 9, 9, 1],
        patients: [0, 40, 20, 2],
      },
      gaps: { from: [0, 7, 30], real: [20, 3, 12], synthetic: [1, 1, 1], patients: [20, 3, 12] },
      'by-name': { length: ['2', '3+'], real: [1, 2], patients: [30, 2] },
      roc: { falsePositive: [0, 1], truePositive: [0, 1] },
    },
    11,
  );
  t.deepEqual(told['codes'], { first: [1], real: [0.5], patients: [50] });
  t.deepEqual(told['lengths']?.['label'], ['0', '1', '2+']);
  t.false('patients' in (told['lengths'] ?? {}));
  t.deepEqual(told['gaps'], { from: [0, 7], real: [20, 15], synthetic: [1, 2], patients: [20, 15] });
  t.deepEqual(told['by-name'], { length: ['2'], real: [1], patients: [30] });
  t.deepEqual(told['roc'], { falsePositive: [0, 1], truePositive: [0, 1] });
  t.deepEqual(told['left-out'], { plot: ['codes', 'by-name'], count: [2, 1] });
});

test('counts in sentences', (t) => {
  t.deepEqual(
    [0, 1, 10, 11].map((count) => suppressedCount(count, 11)),
    ['0', 'fewer than 11', 'fewer than 11', '11'],
  );
});

const split = golden<Record<'train' | 'test' | 'synthetic', Patient[]>>('split.json');
/** A code and a label that seven of the real patients have, and a record length that three have. */
const rare = { code: 119, label: 5, patients: 7, visits: 31, long: 3 };
const planted = (patients: readonly Patient[], marked: number): Patient[] =>
  patients.map(({ visits, labels }, i) => {
    const own = visits.map((visit) => visit.filter((code) => code !== rare.code));
    const first = i < marked ? [...(own[0] ?? []), rare.code] : (own[0] ?? []);
    const rest =
      i < rare.long && marked > 0 ? Array.from({ length: rare.visits - 1 }, () => [1]) : own.slice(1);
    return { visits: [first, ...rest], labels: [...labels, i < marked ? 1 : 0] };
  });

/** As small as the settings allow: what is learned does not matter here. */
const quick = { embedding: 4, hidden: 4, epochs: 1, leastUpdates: 0, patience: 1 };
const classifier = { ...quick, layers: 1 };
const training = { embedding: 4, hidden: 4, middle: 4, epochs: 1, leastUpdates: 0 };
const options = {
  phenotyping: { leastPositives: 2, classifier },
  'phenotyping-as-published': { leastPositives: 2, classifier },
  'rare-conditions': { leastPositives: 2, classifier },
  'next-visit': { mixes: [{ real: 0, synthetic: 40 }], training: { ...training, patience: 1 } },
  'membership-shadow': { shadow: training, attacker: { updates: 2 } },
  'attribute-imputation': { leastPatients: 4, codeCount: 4, training },
  discriminator: { folds: 2 },
};

await startBackend();

const cardBelow = (suppressBelow: number, chosen: readonly Metric[]) =>
  drainAsync(
    scoreCohort({
      generator: 'somebody',
      vocabulary: {
        codes: Array.from({ length: 120 }, (_, i) => ({
          modality: 'dx' as const,
          code: i === rare.code ? 'PLANTED' : String(i),
        })),
        labels: ['L0', 'L1', 'L2', 'L3', 'L4', 'PLANTED'],
      },
      train: columnsAsWritten(planted(split.train.slice(0, 120), rare.patients)),
      validation: columnsAsWritten(planted(split.test.slice(60), 4)),
      holdout: columnsAsWritten(planted(split.test.slice(0, 60), 5)),
      synthetic: columnsAsWritten(planted(split.synthetic.slice(0, 120), 20)),
      metrics: chosen,
      options,
      seed: 0,
      replicates: 0,
      suppressBelow,
    }),
  );

const suppressed = cardBelow(11, [...metrics.values()]);

test('a rare code, label and length are nowhere in what any metric writes', async (t) => {
  const [open, told] = [await cardBelow(0, [...metricsOf('similarity').values()]), await suppressed];
  const isPlanted = ({ row, title }: { row: string; title: string }) => /PLANTED/.test(`${row} ${title}`);
  const named = told.card.rows.filter(isPlanted);
  t.true(named.length > 3, 'the label’s rows are there');
  for (const { metric, row: name, ...rest } of named) {
    t.true(rest.suppressed, `${metric} ${name}`);
    t.is(rest.value, null);
    for (const key of ['real', 'holdout', 'interval', 'patients'])
      t.false(key in rest, `${metric} ${name}: ${key}`);
  }
  t.true(
    open.card.rows.some((found) => isPlanted(found) && found.value !== null),
    'without suppression it is told',
  );
  const tokens = (series: typeof told.series) =>
    ['code-prevalence', 'code-pairs', 'sequential-pairs'].flatMap((metric) =>
      Object.values(series[metric] ?? {}).flatMap(({ first = [], second = [] }) => [...first, ...second]),
    );
  t.true(tokens(open.series).includes(rare.code));
  t.false(tokens(told.series).includes(rare.code));
  t.true(tokens(told.series).length > 0);
  const text = JSON.stringify(told.series);
  t.notRegex(text, /PLANTED/);
  t.false(
    (told.series['visits-per-record']?.['lengths']?.['label'] ?? []).map(String).includes(`${rare.visits}`),
  );
  const counts = Object.values(told.series).flatMap((plots) =>
    Object.values(plots).flatMap(({ patients = [] }) => patients.map(Number)),
  );
  t.true(counts.length > 0 && counts.every((patients) => patients >= 11));
  t.notThrows(() => [scorecard.parse(told.card), scorecardSeries.parse(told.series)]);
});

test('no number of people in a row or a sentence is a small one', async (t) => {
  const { card } = await suppressed;
  const isCohort = /cohort has|non-members|resamples/;
  for (const { metric, row: name, n, patients, note = '', value } of card.rows) {
    t.true(patients === undefined || patients >= 11, `${metric} ${name}`);
    t.true(value === null || n >= 11 || metric !== 'label-prevalence', `${metric} ${name}: ${n}`);
    const small = note.match(/\b([1-9]|10) (patients|visits|people|synthetic|real)\b/);
    t.true(small === null || isCohort.test(note), `${metric} ${name}: ${note}`);
  }
});

test('a mean goes where the groups that are reported would give the suppressed ones back', (t) => {
  const mean = (patients: readonly number[], rows: 1 | 2 = 1) => {
    const parts = { groups: patients.map((count) => ({ patients: count })), rows };
    return suppressedRow({ ...row(), parts }, undefined, 11);
  };
  t.is(mean([40, 50, 60]).value, 0.5, 'nothing is suppressed');
  const one = mean([40, 50, 5]);
  t.is(one.value, null);
  t.true(one.suppressed);
  t.regex(one.note ?? '', /fewer than 11 patients back/);
  t.false('parts' in one);
  t.is(mean([40, 9, 8]).value, 0.5, 'two unknowns and one equation');
  t.is(mean([40, 9, 8], 2).value, null, 'a mean and a standard deviation are two equations');
  t.is(mean([40, 9, 8, 7], 2).value, 0.5);
  t.is(mean([40, 3, 4]).value, null, 'both together are a small group');
});

test('a mean loses the side whose parts are suppressed', (t) => {
  const part = (real: number, judged: number) => ({ patients: 50, behind: { real, judged } });
  const of = (groups: ReturnType<typeof part>[]) => ({ ...row(), parts: { groups, rows: 1 as const } });
  const real = suppressedRow(of([part(3, 20), part(20, 20)]), undefined, 11);
  t.is(real.real, null);
  t.is(real.value, 0.5);
  const held = suppressedRow(of([part(20, 2)]), of([part(20, 2), part(20, 20)]), 11);
  t.is(held.holdout, null, 'real patients stand in for the synthetic ones');
  t.is(held.value, 0.5, 'synthetic patients are no one');
});

test('label prevalence: no suppressed label follows from the mean', async (t) => {
  const cohort = (counts: readonly number[], size: number) => {
    const patients = Array.from(
      { length: size },
      (_, p): Patient => ({
        visits: [[0]],
        labels: counts.map((count) => (p < count ? 1 : 0)),
      }),
    );
    return columnsAsWritten(patients);
  };
  const scored = async (counts: readonly number[]) => {
    const train = cohort(counts, 100);
    const { card } = await drainAsync(
      scoreCohort({
        generator: 'any',
        metrics: [metrics.get('label-prevalence') as Metric],
        vocabulary: { codes: [{ modality: 'dx', code: 'A' }], labels: counts.map((_, i) => `l${i}`) },
        ...{
          train,
          validation: train,
          holdout: cohort([20, 20, 20], 60),
          synthetic: cohort([25, 25, 25], 90),
        },
        ...{ seed: 1, replicates: 0, suppressBelow: 11 },
      }),
    );
    return card.rows;
  };
  const rows = await scored([50, 40, 4]);
  t.is(rows.find((one) => one.row === 'label: l2')?.value, null);
  for (const one of rows.filter(({ row: name }) => name.endsWith('mean-absolute-difference'))) {
    t.is(one.value, null);
    t.is(one.holdout, undefined);
  }
  const shown = await scored([50, 40, 30]);
  t.is(typeof shown.find((one) => one.row === 'mean-absolute-difference')?.value, 'number');
});
