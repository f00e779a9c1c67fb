import test from 'ava';
import { RandomSource, UniformStream } from '../../../../pipelines/kernel/random.ts';
import { drain } from '../../../../pipelines/kernel/steps.ts';
import {
  type AttackResult,
  scoreAttack,
} from '../../../../pipelines/metrics/privacy/engine/attack-scores.ts';
import { candidatesOf, ofBoth } from '../../../../pipelines/metrics/privacy/engine/candidates.ts';
import {
  densityRatioAttack,
  densityRatioScores,
} from '../../../../pipelines/metrics/privacy/engine/density-ratio.ts';
import {
  localLikelihoodAttack,
  localLikelihoodScores,
} from '../../../../pipelines/metrics/privacy/engine/local-likelihood.ts';
import {
  calibratedDatasetAttack,
  relativeDistanceScores,
} from '../../../../pipelines/metrics/privacy/engine/membership.ts';
import { maximumPValue } from '../../../../pipelines/metrics/privacy/engine/permuted-attacks.ts';
import { visitAttack, visitScores } from '../../../../pipelines/metrics/privacy/engine/visit-membership.ts';
import type { PrivacyCohorts } from '../../../../pipelines/metrics/statistics/samples.ts';
import {
  joinRecords,
  patientCount,
  type VisitColumns,
} from '../../../../pipelines/patients/visit-columns.ts';
import { recordsOf } from '../../../helpers/patients.ts';

type Record = number[][];

const attacks: { [name: string]: (cohorts: PrivacyCohorts) => AttackResult } = {
  'relative distance': (cohorts) => drain(calibratedDatasetAttack(cohorts, { seed: 0, replicates: 0 })),
  'density ratio': (cohorts) => drain(densityRatioAttack(cohorts, { seed: 0, replicates: 0 })),
  'local likelihood': (cohorts) =>
    drain(localLikelihoodAttack(cohorts, { seed: 0, replicates: 0, neighbors: 5 })),
  visits: (cohorts) => drain(visitAttack(cohorts, { seed: 0, replicates: 0, leastCodes: 1 })),
};

/** Records of one or two visits whose codes are of every frequency. */
const strangers = (count: number, seed: number, codes = 60): Record[] => {
  const source = new RandomSource(seed, 'patients');
  return Array.from({ length: count }, (_, patient) => {
    const stream = new UniformStream(source, patient);
    return Array.from({ length: 1 + stream.below(2) }, () =>
      [...Array(codes).keys()].filter((code) => stream.next() < 1 / (2 + code / 3)),
    );
  });
};

/** Some of the codes are lost, each with the same probability. */
const noisy = (records: readonly Record[], lost: number): Record[] => {
  const source = new RandomSource(9, 'corruption');
  return records.map((record, patient) => {
    const stream = new UniformStream(source, patient);
    return record.map((visit) => visit.filter(() => stream.next() >= lost));
  });
};

const people = { train: strangers(300, 1), test: strangers(300, 2), others: strangers(300, 3) };

/** A synthetic cohort of strangers, `copied` of them replaced by training patients who lose some codes. */
const leaking = (copied: number, lost: number): PrivacyCohorts => ({
  train: recordsOf(people.train),
  test: recordsOf(people.test),
  synthetic: recordsOf([...noisy(people.train.slice(0, copied), lost), ...people.others.slice(copied)]),
});

for (const [name, attack] of Object.entries(attacks)) {
  test(`${name}: copies of 30 of 300 patients are found without a false positive, also with 30 % of codes lost`, (t) => {
    for (const [lost, least] of [
      [0, 0.095],
      // Five codes of one visit show less than those of a whole record.
      [0.3, name === 'visits' ? 0.045 : 0.06],
    ] as const) {
      const found = attack(leaking(30, lost)).truePositiveRates[0]?.value ?? 0;
      t.true(found >= least, `${found} with ${lost} lost`);
    }
  });

  test(`${name}: a cohort of strangers gives nothing away`, (t) => {
    const { auc, truePositiveRates } = attack(leaking(0, 0));
    t.true(Math.abs((auc.value ?? 0) - 0.5) < 0.06, `${auc.value}`);
    t.true((truePositiveRates[1]?.value ?? 1) < 0.05);
  });

  test(`${name}: no patients on one side is a sentence, one on each a number`, (t) => {
    const none = attack({ ...leaking(0, 0), test: recordsOf([]) });
    t.regex(none.auc.note ?? '', /the test cohort has 0 patients/);
    const one = (record: Record): VisitColumns => recordsOf([record]);
    const few = attack({ train: one([[1, 2]]), test: one([[3]]), synthetic: one([[1, 2]]) });
    t.is(few.auc.value, 1);
  });
}

const small = {
  train: [[[0, 1, 2]], [[4]]],
  test: [[[3]], [[0, 4]]],
  synthetic: [[[0, 1]], [[4], [2]]],
};
const smallCohorts = {
  train: recordsOf(small.train),
  test: recordsOf(small.test),
  synthetic: recordsOf(small.synthetic),
};
const tested = [...small.train, ...small.test];
const candidates = candidatesOf(smallCohorts, { seed: 0 });

const keysOf = (record: Record) =>
  new Set(record.flatMap((visit, at) => visit.map((code) => `${at}:${code}`)));
const allKeys = [...new Set([...tested, ...small.synthetic].flatMap((record) => [...keysOf(record)]))];

/** The kernel by its definition: every key kept with 1 − blur, or drawn anew with the share who have it. */
const kernel = (x: Record, y: Record): number => {
  const terms = [0.1, 0.3, 0.5, 0.7].map((blur) => {
    let product = x.length === y.length ? 1 - blur / 2 : blur / 2;
    for (const key of allKeys) {
      const share = (tested.filter((record) => keysOf(record).has(key)).length + 0.5) / (tested.length + 1);
      const [has, had] = [keysOf(x).has(key), keysOf(y).has(key)];
      product *= (has === had ? 1 - blur : 0) + blur * (has ? share : 1 - share);
    }
    // The engine leaves the factor of equal visit counts out of every record.
    return product / (1 - blur / 2);
  });
  return terms.reduce((sum, term) => sum + term, 0) / terms.length;
};

/** The engine rounds every cost to 1/64. */
const near = (t: { true(ok: boolean, message?: string): void }, found: Float64Array, expected: number[]) => {
  t.true(found.length === expected.length);
  for (const [i, value] of expected.entries())
    t.true(Math.abs((found[i] as number) - value) < 0.1, `${i}: ${found[i]} for ${value}`);
};

test('relative distance: as by hand', (t) => {
  t.deepEqual(
    [...drain(relativeDistanceScores(candidates, smallCohorts.synthetic))],
    // Nearest other candidate and nearest synthetic patient, each plus 1.
    [4 / 2, 2 / 3, 3 / 4, 2 / 3],
  );
});

test('visits: as by hand, and the patient’s own visits are no others', (t) => {
  const cohorts = {
    // The second visit is near to the first: a chronic patient's.
    train: recordsOf([[[0, 1, 2], [0, 1, 2, 3], [9]]]),
    test: recordsOf([[[4, 5, 6]], [[7]]]),
    synthetic: recordsOf([[[8], [0, 1, 3]], [[4, 5, 8, 9]]]),
  };
  const candidates = { columns: joinRecords(cohorts.train, cohorts.test), members: 1 };
  t.deepEqual(
    [...drain(visitScores(candidates, cohorts.synthetic, 2))],
    // Of the visit of four codes: seven differ from the nearest of others, one from the nearest synthetic one.
    [8 / 2, 7 / 4, Number.NEGATIVE_INFINITY],
  );
  const short = drain(visitAttack(cohorts, { seed: 0, replicates: 0, leastCodes: 6 }));
  t.regex(short.auc.note ?? '', /has 6 codes or more/);
});

test('visits: of 3 % of visits stitched into other records, with 30 % of codes lost, most are found', (t) => {
  const size = 500;
  const [real, others, clean] = [41, 42, 43].map((seed) => strangers(size, seed, 200)) as [
    Record[],
    Record[],
    Record[],
  ];
  const pool = noisy(real, 0.3).flat();
  const stream = new UniformStream(new RandomSource(5, 'corruption'), 1);
  const stitched = clean.map((record) =>
    record.map((visit) => (stream.next() < 0.03 ? (pool[stream.below(pool.length)] as number[]) : visit)),
  );
  const pOf = (synthetic: Record[]) => {
    const cohorts = { train: recordsOf(real), test: recordsOf(others), synthetic: recordsOf(synthetic) };
    const { permuted } = drain(visitAttack(cohorts, { seed: 0, replicates: 1, leastCodes: 5 }));
    return maximumPValue([permuted?.fewFalsePositives ?? []]) ?? 1;
  };
  t.true(pOf(stitched) <= 0.05 / 15);
  t.true(pOf(clean) > 0.05);
});

test('density ratio: as by the definition of the kernel', (t) => {
  const expected = tested.map((x, i) => {
    const others = tested.filter((_, j) => j !== i);
    const sum = (records: Record[]) => records.reduce((total, y) => total + kernel(x, y), 0);
    return Math.log(sum(small.synthetic) / sum(others));
  });
  near(t, drain(densityRatioScores(candidates, smallCohorts.synthetic)), expected);
});

test('local likelihood: as by densities fitted with and without the candidate', (t) => {
  const expected = tested.map((x, i) => {
    const others = tested.filter((_, j) => j !== i);
    const density = (s: Record, records: Record[]) => records.reduce((sum, y) => sum + kernel(s, y), 0);
    return small.synthetic.reduce(
      (sum, s) => sum + Math.log(density(s, [...others, x])) - Math.log(density(s, others)),
      0,
    );
  });
  near(t, drain(localLikelihoodScores(candidates, smallCohorts.synthetic, 2)), expected);
});

test('no score depends on who is a member, nor on the order of the candidates', (t) => {
  const swapped = { ...smallCohorts, train: smallCohorts.test, test: smallCohorts.train };
  const other = candidatesOf(swapped, { seed: 0 });
  t.is(patientCount(other.columns), 4);
  for (const scores of [
    relativeDistanceScores,
    densityRatioScores,
    (...given: Parameters<typeof densityRatioScores>) => localLikelihoodScores(...given, 2),
    (...given: Parameters<typeof densityRatioScores>) => visitScores(...given, 1),
  ]) {
    const { members, nonMembers } = ofBoth(candidates, drain(scores(candidates, smallCohorts.synthetic)));
    const back = ofBoth(other, drain(scores(other, smallCohorts.synthetic)));
    for (const [a, b] of [
      [members, back.nonMembers],
      [nonMembers, back.members],
    ] as const)
      for (const [i, score] of a.entries()) t.true(Math.abs(score - (b[i] as number)) < 1e-9);
    t.is(scoreAttack({ members, nonMembers }, { seed: 0, replicates: 0 }).auc.n, 4);
  }
});
