import test from 'ava';
import { structuredCohort } from '../../../../bench/structured-cohort.ts';
import { drain } from '../../../../pipelines/kernel/steps.ts';
import { inferenceRisk } from '../../../../pipelines/metrics/privacy/engine/attribute-inference.ts';
import { linkability } from '../../../../pipelines/metrics/privacy/engine/linkability.ts';
import { residualRisk } from '../../../../pipelines/metrics/privacy/engine/residual-risk.ts';
import { singlingOut } from '../../../../pipelines/metrics/privacy/engine/singling-out.ts';
import type { PrivacyCohorts } from '../../../../pipelines/metrics/statistics/samples.ts';
import {
  codesOfVisit,
  joinRecords,
  patientCount,
  selectPatients,
  type VisitColumns,
  visitRange,
} from '../../../../pipelines/patients/visit-columns.ts';
import { checksOf } from '../../../../pipelines/verdicts/checks.ts';
import { noPatients, recordsOf } from '../../../helpers/patients.ts';

const upTo = (n: number, from = 0) => Array.from({ length: n }, (_, i) => from + i);
const cohort = (patients: number, seed: number) => structuredCohort(patients, seed);
const first = (columns: VisitColumns, n: number) => selectPatients(columns, upTo(n));
const visitsOf = (columns: VisitColumns) =>
  upTo(patientCount(columns)).map((patient) => {
    const [from, end] = visitRange(columns, patient);
    return upTo(end - from, from).map((visit) => [...codesOfVisit(columns, visit)]);
  });
/** The clean patients, the first `n` replaced by training patients without three in ten of their codes. */
const leaking = (clean: VisitColumns, train: VisitColumns, n: number) =>
  recordsOf([
    ...visitsOf(first(train, n)).map((visits, p) =>
      visits.map((visit) => visit.filter((_, i) => (7 * i + p) % 10 > 2)),
    ),
    ...visitsOf(clean).slice(n),
  ]);

const attacks = {
  'singling out': (cohorts: PrivacyCohorts, seed = 1) =>
    drain(singlingOut(cohorts, { seed, replicates: 1, predicates: 5000, weight: 1e-4 })),
  linkability: (cohorts: PrivacyCohorts, seed = 1) =>
    drain(linkability(cohorts, { seed, replicates: 1, neighbors: 1, leastCodes: 2, size: 5000 })),
};
type Attack = (typeof attacks)[keyof typeof attacks];

const metricsOf: Record<string, string> = {
  'singling out': 'singling-out',
  linkability: 'linkability',
  inference: 'attribute-inference',
};
const inference: Attack = (cohorts, seed = 1) => drain(inferenceRisk(cohorts, { seed, replicates: 200 }));

/** What the check makes of an attack, as one of `checks`. */
const verdictOf = (name: string, { risk }: ReturnType<Attack>) => {
  const metric = metricsOf[name] as string;
  const row = { row: 'risk', title: '', about: '', better: 'lower' as const, real: null, holdout: null };
  const table = { metric, family: 'privacy' as const, title: '', about: '', leftOut: 0 };
  const range: [number, number] = [-1, 1];
  const rows = [{ ...row, range, values: [{ generator: 'made', ...risk }] }];
  const { checks } = checksOf([{ ...table, rows }], [{ name: 'made', isBaseline: false }]);
  return checks[0]?.verdicts[0]?.outcome;
};

const [train, holdout, clean] = [cohort(500, 1), cohort(500, 2), cohort(500, 3)];
const few = { train: cohort(40, 1), test: cohort(12, 2), synthetic: cohort(40, 3) };

for (const [name, attack] of Object.entries({ ...attacks, inference }))
  test(`${name}: copies fail, 5 % of noisy copies too; clean patients pass; few are inconclusive`, (t) => {
    const judged = (synthetic: VisitColumns) => verdictOf(name, attack({ train, test: holdout, synthetic }));
    t.is(judged(train), 'failed');
    t.is(judged(leaking(clean, train, 25)), 'failed');
    t.is(judged(clean), 'passed');
    t.is(verdictOf(name, attack(few)), 'unknown');
  });

for (const [name, attack] of Object.entries(attacks)) {
  test(`${name}: a leak is the excess over the control, whatever the order of patients and codes`, (t) => {
    const copied = attack({ train, test: holdout, synthetic: train });
    t.is(copied.attack.value, 1);
    t.is(copied.risk.value, 1);
    const swapped = attack({ train: holdout, test: train, synthetic: train });
    t.is(swapped.control.value, 1);
    t.is(swapped.risk.value, null);
    t.regex(swapped.risk.note ?? '', /every attack on real non-members succeeds/);
    const turned = (columns: VisitColumns) =>
      recordsOf(visitsOf(columns).map((visits) => visits.map((visit) => [...visit].reverse())));
    const again = attack({ train: turned(train), test: turned(holdout), synthetic: turned(train) });
    t.deepEqual(again, copied);
  });

  test(`${name}: what cannot be attacked is stated`, (t) => {
    t.regex(attack({ ...few, synthetic: noPatients }).risk.note ?? '', /synthetic cohort has 0 patients/);
    const short = recordsOf(upTo(30).map((i) => [[i % 3]]));
    const { risk } = attack({ train: short, test: short, synthetic: short });
    t.is(risk.value, null);
    t.regex(risk.note ?? '', /rare enough|codes in each of two data sets/);
  });
}

test('singling out: every record twice hides nothing, and a smaller holdout makes the control larger', (t) => {
  const attack = attacks['singling out'];
  t.is(attack({ train, test: holdout, synthetic: joinRecords(train, train) }).attack.value, 1);
  t.is(attack({ train: joinRecords(train, train), test: holdout, synthetic: train }).attack.value, 0);
  const { control } = attack({ train, test: first(holdout, 100), synthetic: clean });
  const whole = attack({ train, test: first(holdout, 100), synthetic: first(holdout, 100) });
  const fives = ((control.value ?? 0) * control.n) / 5;
  t.true(Math.abs(fives - Math.round(fives)) < 1e-9, 'a success in the smaller holdout counts five times');
  t.is(whole.control.value, 1);
});

test('linkability by hand: the nearest of equals is a probability', (t) => {
  // By rank of frequency codes 0, 3, 4, 7 are in the first data set, and 1, 2, 5, 6 in the second.
  const real = recordsOf([[[0, 1, 2, 3]], [[0, 1, 2, 3]], [[4, 5, 6, 7]]]);
  const found = (synthetic: number[][]) =>
    attacks.linkability({ train: real, test: real, synthetic: recordsOf(synthetic.map((codes) => [codes])) });
  t.is(
    found([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]).attack.value,
    1,
  );
  // Each record stands twice: the two parts meet in the same one by half.
  t.is(
    found([
      [0, 1, 2, 3],
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [4, 5, 6, 7],
    ]).attack.value,
    1 / 2,
  );
  // One part of every record is nearest to the first, the other to the second.
  t.is(
    found([
      [0, 3, 5, 6],
      [4, 7, 1, 2],
    ]).attack.value,
    0,
  );
});

test('residual risk by hand', (t) => {
  const tried = (successes: number) => ({ successes, attacks: 100 });
  const of = (attack: number, control: number, replicates = 1, scale = 1) =>
    residualRisk(
      { attack: tried(attack), control: tried(control), baseline: tried(0) },
      { replicates, scale },
    );
  const isHalf = ({ risk }: ReturnType<typeof of>) => Math.abs((risk.value ?? 0) - 0.5) < 1e-12;
  t.true(isHalf(of(60, 20)));
  t.true(isHalf(of(60, 10, 1, 2)), 'the control is scaled');
  t.true(Math.abs((of(20, 60).risk.value ?? 0) + 1) < 1e-12);
  t.is(of(60, 20, 0).risk.interval, undefined);
  const [low, high] = of(20, 20).risk.interval as [number, number];
  t.true(low < 0 && high > 0);
  t.is(of(100, 20).risk.interval?.[1], 1);
});

test('inference by hand: the control is the same attack on others, and order plays no part', (t) => {
  // The attacker knows codes 0 to 2. Synthetic patients give away 10 and 11 of training, 20 of the others.
  const sides = {
    train: recordsOf([[[0, 10]], [[1], [11]]]),
    test: recordsOf([[[2, 20]], [[0, 1, 21]]]),
    synthetic: recordsOf([[[0, 10]], [[1, 11]], [[2, 20]]]),
  };
  const found = drain(inferenceRisk(sides, { seed: 1, replicates: 0, knownCodes: [0, 1, 2] }));
  t.is(found.attack.value, 1);
  // Of the second, codes 0 and 1 are as near to the first two synthetic patients, of whom neither has a majority.
  t.true(Math.abs((found.control.value ?? 0) - 2 / 3) < 1e-12);
  t.is(found.risk.value, 1);
  const turned = inference({ train, test: holdout, synthetic: selectPatients(train, upTo(500).reverse()) });
  const { attack, control, risk } = inference({ train, test: holdout, synthetic: train });
  t.deepEqual([turned.attack, turned.control, turned.risk], [attack, control, risk]);
  const { risk: none } = inference({ ...few, synthetic: noPatients });
  t.regex(none.note ?? '', /synthetic cohort has 0 patients/);
  const short = recordsOf(upTo(30).map((i) => [[i % 3]]));
  t.regex(
    inference({ train: short, test: short, synthetic: short }).risk.note ?? '',
    /beyond the known ones/,
  );
});
