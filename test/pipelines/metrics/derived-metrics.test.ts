import test from 'ava';
import { structuredCohort, structuredShape } from '../../../bench/structured-cohort.ts';
import { drainAsync } from '../../../pipelines/kernel/steps.ts';
import { metricsOf } from '../../../pipelines/metrics/registry.ts';
import { metricOptions, scoreMetric } from '../../../pipelines/metrics/score-metric.ts';
import {
  afterHistory,
  atLag,
  distinctCodeOffsets,
  mostFrequentCodes,
  recurring,
  triplesAmong,
  wholeRecords,
} from '../../../pipelines/metrics/statistics/derived-columns.ts';
import { countOccurrences } from '../../../pipelines/metrics/statistics/occurrence-counts.ts';
import {
  codesOfVisit,
  patientCount,
  selectPatients,
  type VisitColumns,
  visitRange,
} from '../../../pipelines/patients/visit-columns.ts';
import { noPatients, recordsOf } from '../../helpers/patients.ts';

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);
const visitsOf = (columns: VisitColumns) =>
  upTo(patientCount(columns)).map((patient) => {
    const [first, end] = visitRange(columns, patient);
    return upTo(end - first).map((at) => [...codesOfVisit(columns, first + at)]);
  });

test('derived cohorts: visits at a lag, codes that come back, whole records, triples', (t) => {
  const cohort = recordsOf([[[1, 2], [2, 3], [1, 3], [4]], [[5]], []]);
  t.deepEqual(visitsOf(atLag(cohort, 2)), [[[1, 2], [1, 3], [], [2, 3], [4]], [[5]], []]);
  t.deepEqual(visitsOf(atLag(cohort, 3))[0], [[1, 2], [4], [], [2, 3], [], [1, 3]]);
  t.deepEqual(visitsOf(afterHistory(cohort)), [
    [[1, 2], [2, 3], [], [1, 2, 3], [1, 3], [], [1, 2, 3], [4]],
    [],
    [],
  ]);
  t.deepEqual(visitsOf(recurring(cohort)), [[[2], [3], []], [], []]);
  t.deepEqual(visitsOf(wholeRecords(cohort)), [[[1, 2, 3, 4]], [[5]], []]);
  t.deepEqual([...distinctCodeOffsets(cohort)], [0, 4, 5, 5]);
  t.deepEqual(mostFrequentCodes(cohort, 3), [1, 2, 3]);
  // Ranks 0 … 4: the triple of ranks a < b < c has its own number, and all numbers are used.
  const all = triplesAmong(recordsOf([[[10, 11, 12, 13, 14]]]), [10, 11, 12, 13, 14]);
  t.deepEqual(visitsOf(all), [[upTo(10)]]);
  t.deepEqual(
    visitsOf(
      triplesAmong(
        recordsOf([
          [
            [10, 12, 99],
            [10, 11, 12],
          ],
        ]),
        [10, 11, 12],
      ),
    ),
    [[[], [0]]],
  );
});

const vocabulary = {
  codes: upTo(structuredShape.codes).map((i) => ({ modality: 'dx' as const, code: `${i}` })),
  labels: upTo(structuredShape.labels).map((i) => `label ${i}`),
};
const [train, holdout] = [structuredCohort(800, 1), structuredCohort(800, 2)];
const rowsOf = async (name: string, synthetic: VisitColumns, replicates = 0) => {
  const metric = metricsOf('similarity').get(name);
  if (!metric) throw new Error(`no metric ${name}`);
  const input = {
    ...{ vocabulary, train, validation: noPatients, holdout, synthetic, rows: [], seed: 0, replicates },
    options: metricOptions(metric),
  };
  const { rows } = await drainAsync(scoreMetric(metric, input, 0));
  return new Map(rows.map((row) => [row.row, row]));
};

test('authenticity finds copies, α-precision patients who are not typical, β-recall kinds that are missing', async (t) => {
  const value = async (synthetic: VisitColumns) =>
    [...(await rowsOf('alpha-precision', synthetic)).values()].map((row) => row.value ?? Number.NaN);
  const [precision = 0, recall = 0, authentic = 0] = await value(structuredCohort(800, 3));
  t.true(precision > 0.9 && recall > 0.3 && authentic > 0.9, `${precision} ${recall} ${authentic}`);
  const copied = await value(train);
  t.is(copied[2], 0);
  t.true((copied[0] ?? 0) > 0.99 && (copied[1] ?? 0) > 0.99, 'copies are typical, and all kinds are there');
  const strange = recordsOf(upTo(800).map((i) => [upTo(200).filter((code) => (code + i) % 2 === 0)]));
  t.true(((await value(strange))[0] ?? 1) < 0.15);
  const one = selectPatients(
    train,
    upTo(800).map(() => 0),
  );
  t.true(((await value(one))[1] ?? 1) < 0.1, 'one patient over and over covers nobody');
});

test('intervals of β-recall resample both sides, and hold the value', async (t) => {
  const row = (await rowsOf('alpha-precision', structuredCohort(800, 3), 100)).get('beta-recall');
  const [low = 1, high = 0] = row?.interval ?? [];
  t.true(low < (row?.value ?? 2) && (row?.value ?? -1) < high);
  t.true(high - low > 0.1, 'which synthetic patients there are decides more than which real ones look');
});

test('pairs of a code and one of any later visit, by hand', async (t) => {
  const later = countOccurrences(
    afterHistory(recordsOf([[[1], [2], [1], [2]], [[1], [3], [2]], [[2]]])),
    afterHistory(noPatients),
    'sequences',
  );
  const pairs = upTo(later.first.length).map((key) => [
    ...[later.first[key], later.second[key]],
    ...[later.real.patients[key], later.real.occurrences[key]],
  ]);
  // 1 before 2: by both patients, and before three visits with 2. 2 before 2 and 1 before 1 come from the first patient alone.
  t.deepEqual(pairs, [
    [1, 1, 1, 1],
    [1, 2, 2, 3],
    [1, 3, 1, 1],
    [2, 1, 1, 1],
    [2, 2, 1, 1],
    [3, 2, 1, 1],
  ]);
  const row = (await rowsOf('later-pairs', holdout)).get('visit-r2');
  t.regex(row?.title ?? '', /per visit after the first/);
});

test('pairs two visits apart, recurring codes and triples: independent patients agree, shuffled ones do not', async (t) => {
  const good = structuredCohort(800, 3);
  // Each visit keeps its codes; visits are dealt to other patients, so nothing comes back.
  const visits = visitsOf(good).flat();
  let at = 0;
  const dealt = recordsOf(
    visitsOf(good).map((own) => own.map(() => visits[(17 * ++at) % visits.length] ?? [])),
  );
  const recurrence = async (synthetic: VisitColumns) =>
    (await rowsOf('recurrence', synthetic)).get('record-r2')?.value ?? Number.NaN;
  t.true((await recurrence(good)) > (await recurrence(dealt)) + 0.3);
  for (const name of ['lagged-pairs', 'recurrence', 'later-pairs']) {
    const pearson = async (synthetic: VisitColumns) =>
      (await rowsOf(name, synthetic)).get('record-pearson')?.value ?? Number.NaN;
    t.true((await pearson(good)) > (await pearson(dealt)), name);
    t.true(Math.abs((await pearson(train)) - 1) < 1e-9, name);
  }
  // Codes of each visit drawn from all visits: prevalences stay, what occurs together is lost.
  const codes = visits.flat();
  let drawn = 0;
  const loose = recordsOf(
    visitsOf(good).map((own) =>
      own.map((visit) => visit.map(() => codes[(7919 * ++drawn) % codes.length] ?? 0)),
    ),
  );
  const triples = async (synthetic: VisitColumns) =>
    (await rowsOf('code-triples', synthetic)).get('visit-r2')?.value ?? Number.NaN;
  t.true((await triples(good)) > (await triples(loose)) + 0.2);
});
