import test from 'ava';
import { areaUnder, rank, rocSteps } from '../../../../pipelines/metrics/statistics/roc.ts';
import {
  precisionRecallArea,
  ScoredSet,
} from '../../../../pipelines/metrics/utility/engine/classification.ts';
import { highest, RecallTally, recallDepths } from '../../../../pipelines/metrics/utility/engine/recall.ts';
import type { Example } from '../../../../pipelines/nn/networks/visit-batch.ts';
import { noPatients } from '../../../helpers/patients.ts';
import { utilityGolden } from './utility-golden.ts';

const golden = await utilityGolden();

const scored = (scores: number[], labels: number[]): ScoredSet => {
  const examples = labels.map(
    (label, patient): Example => ({ cohort: noPatients, patient, positive: label === 1 }),
  );
  return new ScoredSet(examples, Float64Array.from(scores));
};

const near = (value: number | null, expected: number): boolean =>
  value !== null && Math.abs(value - expected) < 1e-12;

test('accuracy, F1, AUC and both precision-recall areas are those of the reference', (t) => {
  const { scores, labels, reference_metrics, sklearn_average_precision } = golden.score_table;
  const set = scored(scores, labels);
  const { accuracy, f1, auc, averagePrecision } = set.measure();
  t.true(near(accuracy, reference_metrics.Accuracy));
  t.true(near(f1, reference_metrics['F1 Score']));
  t.true(near(auc, reference_metrics.AUROC));
  t.true(near(averagePrecision, sklearn_average_precision));
  t.true(near(precisionRecallArea(set.steps), reference_metrics.AUPRC));
});

test('a resample that draws everyone once is the set itself', (t) => {
  const { scores, labels } = golden.score_table;
  const set = scored(scores, labels);
  t.deepEqual(set.measure(new Int32Array(labels.length).fill(1)), set.measure());
});

test('a set without positives has no AUC, and no NaN', (t) => {
  t.deepEqual(scored([0.1, 0.2], [0, 0]).measure(), {
    accuracy: 1,
    f1: null,
    auc: null,
    averagePrecision: null,
  });
});

test('macro AUC over the columns that have both classes', (t) => {
  const { scores, labels, macro_auroc_columns_with_both_classes } = golden.multilabel;
  const areas = (scores[0] ?? []).flatMap((_, column) => {
    const pick = (label: number) =>
      Float64Array.from(
        scores.filter((_, row) => labels[row]?.[column] === label),
        (row) => row[column] as number,
      );
    const [members, nonMembers] = [pick(1), pick(0)];
    if (members.length === 0 || nonMembers.length === 0) return [];
    return [areaUnder(rocSteps(rank({ members, nonMembers })))];
  });
  t.true(near(areas.reduce((a, b) => a + b, 0) / areas.length, macro_auroc_columns_with_both_classes));
});

test('recall@k equals the fixture, rows without codes skipped', (t) => {
  const { scores, labels, recall_at_k_numpy_NOT_from_reference: expected } = golden.multilabel;
  const tally = new RecallTally();
  for (const [row, numbers] of scores.entries()) {
    const actual = [...(labels[row] ?? []).entries()]
      .filter(([, label]) => label === 1)
      .map(([code]) => code);
    tally.add(row, highest(numbers, 30), actual);
  }
  const recalls = tally.measure(0, 50);
  for (const depth of recallDepths) {
    t.true(near(recalls[depth].value, expected[`recall@${depth}`]));
    const [low, high] = recalls[depth].interval ?? [1, 0];
    t.true(low < (recalls[depth].value ?? 0) && high > (recalls[depth].value ?? 1));
  }
  t.is(recalls[10].n, labels.filter((row) => row.includes(1)).length);
});

test('recall of nothing is a sentence', (t) => {
  const tally = new RecallTally();
  tally.add(0, [1, 2, 3], []);
  const { value, note } = tally.measure(0, 10)[10];
  t.is(value, null);
  t.regex(note ?? '', /nothing to predict/);
});

test('of equal scores the lower index comes first', (t) => {
  t.deepEqual([...highest([1, 3, 3, 2, 3], 4)], [1, 2, 4, 3]);
  t.deepEqual([...highest([1], 4)], [0]);
});

test('a difference of recalls is of the same visits, and narrower than its two sides', (t) => {
  const [good, bad] = [new RecallTally(), new RecallTally()];
  // Patients are easy or hard for both; one in three gets one code more from the first.
  for (let patient = 0; patient < 60; patient++) {
    const hits = patient % 2 === 0 ? 8 : 2;
    const actual = Array.from({ length: 10 }, (_, i) => i);
    const guesses = (right: number) => [...actual.slice(0, right), ...Array(30).fill(99)];
    good.add(patient, guesses(hits + (patient % 3 === 0 ? 1 : 0)), actual);
    bad.add(patient, guesses(hits), actual);
  }
  const gap = good.less(bad, 1, 200)[20];
  t.true(Math.abs((gap.value ?? 0) - 1 / 30) < 1e-12);
  t.is(gap.n, 60);
  const width = ([low, high]: readonly number[] = []) => (high ?? Number.NaN) - (low ?? Number.NaN);
  t.true(width(gap.interval) < width(good.measure(1, 200)[20].interval) / 2);
  t.true((gap.interval?.[0] ?? 0) > 0, 'better for sure, though their own intervals overlap');
  t.deepEqual(bad.less(bad, 1, 50)[10].value, 0);
  t.regex(new RecallTally().less(bad, 1, 50)[10].note ?? '', /nothing to predict/);
});
