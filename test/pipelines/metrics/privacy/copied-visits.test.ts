import test from 'ava';
import { structuredCohort } from '../../../../bench/structured-cohort.ts';
import { drain } from '../../../../pipelines/kernel/steps.ts';
import { copiedVisits } from '../../../../pipelines/metrics/privacy/engine/copied-visits.ts';
import {
  codesOfVisit,
  patientCount,
  selectPatients,
  type VisitColumns,
  visitRange,
} from '../../../../pipelines/patients/visit-columns.ts';
import { noPatients, recordsOf } from '../../../helpers/patients.ts';

const options = { seed: 0, replicates: 200, leastCodes: 5, similarity: 0.8 };
const [train, test_, clean] = [1, 2, 3].map((seed) => structuredCohort(500, seed)) as [
  VisitColumns,
  VisitColumns,
  VisitColumns,
];
const found = (synthetic: VisitColumns, sides = { train, test: test_ }, more = {}) =>
  drain(copiedVisits({ ...sides, synthetic }, { ...options, ...more }));

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);
const visitsOf = (columns: VisitColumns) =>
  upTo(patientCount(columns)).map((patient) => {
    const [first, end] = visitRange(columns, patient);
    return upTo(end - first).map((at) => [...codesOfVisit(columns, first + at)]);
  });
const pool = visitsOf(train).flat();
/** The clean patients, every `nth` visit replaced by one of some training patient, one code in ten of it dropped. */
const stitched = (nth: number, drops = false) => {
  let at = 0;
  return recordsOf(
    visitsOf(clean).map((visits) =>
      visits.map((visit) => {
        if (at++ % nth > 0) return visit;
        const copy = pool[(7919 * at) % pool.length] as number[];
        return drops ? copy.filter((_, i) => i % 10 !== 5) : copy;
      }),
    ),
  );
};

test('records put together from visits of training patients are found, also where codes are dropped', (t) => {
  const whole = found(stitched(1));
  t.is(whole.exact.excess.value, 1);
  t.is(whole.runs.excess.value, 0, 'the order of the visits is not copied');
  const some = found(stitched(25, true));
  t.true((some.near.excess.interval?.[0] ?? 0) > 0.005, JSON.stringify(some.near.excess));
  t.true((some.exact.excess.interval?.[0] ?? 1) < 0.005);
});

test('independent patients repeat nothing beyond chance, and whole copies repeat runs of visits too', (t) => {
  const { near, runs } = found(clean);
  t.true((near.excess.interval?.[0] ?? 1) < 0 && (near.excess.interval?.[1] ?? 0) > 0);
  t.is(runs.excess.value, 0);
  t.is(found(train).runs.excess.value, 1);
});

test('neither order of patients nor which patient a visit is in matters', (t) => {
  const turned = selectPatients(train, upTo(500).reverse());
  t.deepEqual(found(turned), found(train));
});

test('a generator that prefers common visits is held against its hits in the holdout', (t) => {
  // Half of all real patients have one common visit; the generator makes nothing else.
  const real = (offset: number) =>
    recordsOf(upTo(200).map((i) => [i % 2 ? [1, 2, 3, 4, 5] : upTo(6).map((k) => 10 + offset + 6 * i + k)]));
  const common = recordsOf(upTo(200).map(() => [[1, 2, 3, 4, 5]]));
  const { exact } = found(common, { train: real(0), test: real(5000) });
  t.is(exact.synthetic.value, 1);
  t.is(exact.holdout.value, 0.5);
  t.is(exact.excess.value, 0);
});

test('the prefix filter finds what a comparison of all pairs finds', (t) => {
  const jaccard = (a: readonly number[], b: readonly number[]) => {
    const both = a.filter((code) => b.includes(code)).length;
    return both / (a.length + b.length - both);
  };
  const noisy = recordsOf(
    visitsOf(train).map((visits) => visits.map((visit) => visit.filter((_, i) => i % 7 !== 3))),
  );
  for (const similarity of [0.6, 0.8, 0.9]) {
    const long = (columns: VisitColumns) =>
      visitsOf(columns)
        .flat()
        .filter(({ length }) => length >= 5);
    const asked = long(noisy).slice(0, 150);
    const expected = asked.filter((visit) =>
      long(train).some((real) => jaccard(visit, real) >= similarity - 1e-9),
    );
    const { near } = found(recordsOf(asked.map((visit) => [visit])), undefined, {
      similarity,
      replicates: 0,
    });
    t.true(Math.abs((near.synthetic.value ?? 0) - expected.length / asked.length) < 1e-12, `${similarity}`);
  }
});

test('what cannot be looked at is said', (t) => {
  t.regex(found(noPatients).near.excess.note ?? '', /no synthetic patient has any of 5 codes or more/);
  t.regex(found(clean, { train, test: noPatients }).near.excess.note ?? '', /no holdout patient has any/);
});
