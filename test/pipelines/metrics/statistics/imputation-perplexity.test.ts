import { readFileSync } from 'node:fs';
import test from 'ava';
import { decodeSafetensors } from '../../../../pipelines/kernel/safetensors.ts';
import {
  crossModalPerplexities,
  longitudinalPerplexities,
  medianPerplexity,
  perplexityRatio,
  publishedPerplexity,
  rankPatients,
} from '../../../../pipelines/metrics/statistics/imputation-perplexity.ts';
import { golden } from '../golden-cohorts.ts';

const near = (value: number | null | undefined, expected: number, tolerance = 1e-12): boolean =>
  Math.abs((value ?? Number.NaN) - expected) <= tolerance * Math.abs(expected);

/** Losses of codes as probabilities, kind by kind, visit by visit, patient by patient. */
const asked = (patients: readonly (readonly (readonly (readonly number[])[])[])[]) => {
  const cells = patients.flat().flat();
  let end = 0;
  return {
    visitOffsets: Int32Array.from([0, ...patients.map((visits) => (end += visits.length))]),
    given: {
      losses: Float64Array.from(cells, (codes) => codes.reduce((sum, p) => sum - Math.log(p), 0)),
      codes: Int32Array.from(cells, (codes) => codes.length),
      kinds: 2,
    },
  };
};

const { visitOffsets, given } = asked([
  [
    [[0.5, 0.25], [0.1]],
    [[0.2], []],
  ],
  [[[], [0.5, 0.5]]],
  [],
  [[[], []]],
  [[[0], [0.5]]],
]);

test('equation 6: visits count the same, and codes inside a visit', (t) => {
  const all = longitudinalPerplexities(given, visitOffsets, [0, 1]);
  // (1/2 · 1/4 · 1/10)^(1/3) of the first visit, 1/5 of the second.
  t.true(near(all[0], Math.exp((Math.log(80) / 3 + Math.log(5)) / 2)));
  t.true(near(all[1], 2));
  t.deepEqual([...all.subarray(2)], [Number.NaN, Number.NaN, Number.POSITIVE_INFINITY]);
  const [first] = longitudinalPerplexities(given, visitOffsets, [0]);
  t.true(near(first, Math.exp((Math.log(8) / 2 + Math.log(5)) / 2)));
  const [second] = longitudinalPerplexities(given, visitOffsets, [1]);
  t.true(near(second, 10));
});

test('equations 7 and 8: kinds count the same inside a visit, those it lacks not at all', (t) => {
  const all = crossModalPerplexities(given, visitOffsets, [0, 1]);
  t.true(near(all[0], Math.exp(((Math.log(8) / 2 + Math.log(10)) / 2 + Math.log(5)) / 2)));
  t.true(near(all[1], 2));
  t.deepEqual([...all.subarray(2)], [Number.NaN, Number.NaN, Number.POSITIVE_INFINITY]);
  for (const kind of [0, 1])
    t.deepEqual(
      crossModalPerplexities(given, visitOffsets, [kind]),
      longitudinalPerplexities(given, visitOffsets, [kind]),
      'of one kind, both formulas are the same',
    );
});

test('a random predictor has the size of the vocabulary, as the paper says', (t) => {
  const codes = 37;
  const even = asked([
    [
      [Array(5).fill(1 / codes), Array(9).fill(1 / codes)],
      [Array(2).fill(1 / codes), []],
    ],
  ]);
  t.true(near(longitudinalPerplexities(even.given, even.visitOffsets, [0, 1])[0], codes));
  t.true(near(crossModalPerplexities(even.given, even.visitOffsets, [0, 1])[0], codes));
});

test('the median over patients, drawn as often as a resample says', (t) => {
  const values = rankPatients(Float64Array.of(3, Number.NaN, 1, 8, Number.POSITIVE_INFINITY));
  t.is(medianPerplexity(values), 5.5);
  t.is(medianPerplexity(values, [2, 5, 1, 0, 0]), 3);
  t.is(medianPerplexity(values, [0, 5, 0, 1, 1]), Number.POSITIVE_INFINITY);
  t.is(medianPerplexity(values, [0, 0, 0, 0, 2]), Number.POSITIVE_INFINITY);
  t.is(medianPerplexity(values, [0, 5, 0, 0, 0]), null);
  t.is(medianPerplexity(rankPatients(new Float64Array(0))), null);
});

interface Table {
  probs_by_batch: number[][];
  batch_perplexity_reference_torch_median_lower: number[];
  evaluator_np_median_over_batches: number;
  one_batch_all_tokens_torch_median: number;
  textbook_exp_mean_nll: number;
}
const { ppl_table: table } = golden<{ ppl_table: Table }>('promptehr_tiny.json');
const losses = table.probs_by_batch.map((batch) => batch.map((p) => -Math.log(p)));

test('as published: the fixed table, batch by batch, over batches, and as one batch', (t) => {
  losses.forEach((batch, i) => {
    const expected = table.batch_perplexity_reference_torch_median_lower[i] as number;
    t.true(near(publishedPerplexity([batch]), expected));
  });
  t.true(near(publishedPerplexity(losses), table.evaluator_np_median_over_batches));
  t.true(near(publishedPerplexity([losses.flat()]), table.one_batch_all_tokens_torch_median));
  t.true(near(publishedPerplexity([[], ...losses, []]), table.evaluator_np_median_over_batches));
  t.is(publishedPerplexity([[], []]), null);
});

test('as the paper means it, the same table is a mean over codes', (t) => {
  // The golden number has the addend of the published code, which tells for one of the probabilities.
  const probabilities = table.probs_by_batch.flat().map((p) => p + 1e-16);
  const { visitOffsets, given } = asked([[[probabilities, []]]]);
  t.true(near(longitudinalPerplexities(given, visitOffsets, [0])[0], table.textbook_exp_mean_nll));
});

interface Case {
  name: string;
  perplexity: number;
  aux_exp_mean_nll: number;
}
const { cases } = golden<{ cases: Case[] }>('promptehr_tiny.json');
const io = decodeSafetensors(
  readFileSync(new URL('../../../fixtures/golden/promptehr_tiny_io.safetensors', import.meta.url)),
).arrays;

test('the authors’ network: its probabilities give the perplexities that its code prints', (t) => {
  const scored = cases.filter(({ name }) => io[`${name}.target_probs`]);
  t.deepEqual(
    scored.map(({ name }) => name),
    ['test_diag_spl', 'test_diag_tpl', 'test_med_spl', 'test_med_tpl', 'val_diag'],
  );
  for (const { name, perplexity, aux_exp_mean_nll } of scored) {
    const probabilities = Array.from(io[`${name}.target_probs`]?.data ?? [], Number);
    const published = publishedPerplexity([probabilities.map((p) => -Math.log(p))]);
    t.true(near(published, perplexity, 1e-6), name);
    const { visitOffsets, given } = asked([[[probabilities, []]]]);
    t.true(near(longitudinalPerplexities(given, visitOffsets, [0])[0], aux_exp_mean_nll, 1e-6), name);
  }
});

test('two models on the same patients: the geometric mean of ratios, patients counted', (t) => {
  const own = Float64Array.of(2, Number.NaN, 9);
  const other = Float64Array.of(8, Number.NaN, 4);
  t.true(near(perplexityRatio(own, other), 0.75));
  t.true(near(perplexityRatio(own, other, [2, 5, 0]), 0.25));
  t.is(perplexityRatio(own, other, [0, 3, 0]), null);
  t.is(
    perplexityRatio(Float64Array.of(Number.POSITIVE_INFINITY, 1), Float64Array.of(1, 1)),
    Number.POSITIVE_INFINITY,
  );
});
