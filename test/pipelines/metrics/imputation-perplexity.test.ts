import test from 'ava';
import type { ConditionalScores, Sampler } from '../../../pipelines/generation/generator.ts';
import marginal from '../../../pipelines/generators/marginal.ts';
import { drainAsync } from '../../../pipelines/kernel/steps.ts';
import imputationPerplexity from '../../../pipelines/metrics/similarity/imputation-perplexity.ts';
import { quantile } from '../../../pipelines/metrics/statistics/bootstrap.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import { noPatients } from '../../helpers/patients.ts';
import { columnsAsWritten, golden, type Patient, vocabularyOf } from './golden-cohorts.ts';

const split = golden<Record<'train' | 'test', Patient[]>>('split.json');
const train = columnsAsWritten(split.train.slice(0, 80));
const holdout = columnsAsWritten(split.test.slice(0, 40));
const vocabulary = vocabularyOf(120, 5);

const rowsOf = async (model: () => Promise<Sampler>, given: Partial<{ vocabulary: Vocabulary }> = {}) => {
  const input = { train, holdout, validation: noPatients, synthetic: noPatients, vocabulary, ...given };
  const found = imputationPerplexity.compute({
    ...input,
    model,
    rows: [],
    options: {},
    seed: 1,
    replicates: 50,
  });
  const { rows } = await drainAsync(found);
  return new Map(rows.map((row) => [row.row, row]));
};

const fitted = async (words = vocabulary): Promise<Sampler> => {
  const fitting = await marginal.fit({ vocabulary: words, train, validation: noPatients }, {}, 0);
  await fitting.step();
  return marginal.open(await fitting.model(), {}, words);
};

/** The marginals, but for what `scores` says of a cohort with so many codes. */
const pretender = (scores: (codes: number) => Partial<ConditionalScores>): Sampler => ({
  sample: () => Promise.reject(new Error('not asked for')),
  dispose: () => undefined,
  async *conditional(columns) {
    const sampler = await fitted();
    if (!sampler.conditional) throw new Error('the marginals can condition');
    return { ...(yield* sampler.conditional(columns)), ...scores(columns.codes.length) };
  },
});

test('the marginals’ perplexity of one kind, from the numbers of codes', async (t) => {
  const rows = await rowsOf(() => fitted());
  const counts = Array<number>(120).fill(0.5);
  for (const code of train.codes) counts[code] = (counts[code] as number) + 1;
  const isDx = (code: number) => vocabulary.codes[code]?.modality === 'dx';
  const total = counts.reduce((sum, count, code) => sum + (isDx(code) ? count : 0), 0);
  const perplexities = split.test.slice(0, 40).flatMap(({ visits }) => {
    const means = visits.flatMap((visit) => {
      const losses = visit.filter(isDx).map((code) => Math.log(total / (counts[code] as number)));
      return losses.length > 0 ? [losses.reduce((a, b) => a + b) / losses.length] : [];
    });
    return means.length > 0 ? [Math.exp(means.reduce((a, b) => a + b) / means.length)] : [];
  });
  const expected = quantile(Float64Array.from(perplexities).sort(), 0.5);
  for (const row of ['lpl-dx', 'mpl-dx']) {
    const found = rows.get(row);
    t.true(Math.abs((found?.value ?? 0) - expected) < 1e-9 * expected, row);
    t.is(found?.n, perplexities.length);
    const [low = 0, high = 0] = found?.interval ?? [];
    t.true(low <= expected && expected <= high && low < high, row);
  }
});

test('who has no code of a kind is left out and told; a kind that nobody has is told', async (t) => {
  const rows = await rowsOf(() => fitted());
  const px = rows.get('lpl-px');
  const isPx = (code: number) => vocabulary.codes[code]?.modality === 'px';
  const have = split.test.slice(0, 40).filter(({ visits }) => visits.flat().some(isPx)).length;
  t.true(have < 40);
  t.is(px?.n, have);
  t.is(px?.note, `${40 - have} of 40 patients have no such code and are left out.`);
  t.is(rows.get('lpl-lab')?.value, null);
  t.is(rows.get('lpl-lab')?.note, 'The vocabulary has no lab tests.');
  t.is(rows.get('lpl-gap'), undefined);
  const gaps = {
    ...vocabulary,
    codes: vocabulary.codes.map((code, i) => (i === 119 ? { ...code, modality: 'gap' as const } : code)),
  };
  t.true((await rowsOf(() => fitted(gaps), { vocabulary: gaps })).has('lpl-gap'));
});

test('the two perplexities rest on their own losses', async (t) => {
  const cheap = new Float64Array(5 * (holdout.codeOffsets.length - 1));
  const model = async () =>
    pretender((codes) => (codes === holdout.codes.length ? { crossModal: cheap } : {}));
  const rows = await rowsOf(model);
  t.is(rows.get('mpl-all')?.value, 1);
  t.true((rows.get('lpl-all')?.value ?? 0) > 5);
  t.true((rows.get('train-mpl-all')?.value ?? 0) > 5);
});

test('paired with the marginals: the geometric mean of the patients’ ratios', async (t) => {
  const same = await rowsOf(() => fitted());
  for (const row of ['ratio-lpl-all', 'ratio-mpl-dx', 'ratio-mpl-rx']) {
    t.is(same.get(row)?.value, 1, row);
    t.deepEqual(same.get(row)?.interval, [1, 1]);
    t.deepEqual(same.get(row)?.range, [0, Number.POSITIVE_INFINITY]);
  }
  t.false(same.has('ratio-lpl-lab'), 'no row about a kind that the vocabulary lacks');
  const half = await rowsOf(async () => {
    const sampler = await fitted();
    return {
      ...pretender(() => ({})),
      async *conditional(columns) {
        if (!sampler.conditional) throw new Error('the marginals can condition');
        const scores = yield* sampler.conditional(columns);
        const cheaper = scores.longitudinal.map((loss, i) => loss - Math.LN2 * (scores.codes[i] as number));
        return { ...scores, longitudinal: cheaper };
      },
    };
  });
  const ratio = half.get('ratio-lpl-all');
  t.true(Math.abs((ratio?.value ?? 0) - 0.5) < 1e-12, 'every code half as dear');
  t.is(ratio?.n, half.get('lpl-all')?.n);
  const [low = 0, high = 0] = ratio?.interval ?? [];
  t.true(high - low < 1e-12, 'patients differ, and their ratios do not');
  t.is(half.get('ratio-mpl-all')?.value, 1);
  const never = await rowsOf(async () =>
    pretender(() => ({ longitudinal: new Float64Array(5 * 2000).fill(Number.POSITIVE_INFINITY) })),
  );
  t.is(never.get('ratio-lpl-all')?.note, 'Some patient has a code to which the model assigns probability 0.');
});

test('as published: batches of 16 patients, in their order', async (t) => {
  const rows = await rowsOf(async () =>
    pretender((codes) => {
      const longitudinal = Float64Array.from({ length: codes }, (_, i) => Math.log(1 + (i % 7)));
      return { reference: { longitudinal, crossModal: new Float64Array(codes).fill(Number.NaN) } };
    }),
  );
  const batches: number[][] = [[], [], []];
  let at = 0;
  split.test.slice(0, 40).forEach(({ visits }, patient) => {
    for (const code of visits.flat()) {
      if (vocabulary.codes[code]?.modality === 'rx') batches[patient >> 4]?.push(1 + (at % 7));
      at++;
    }
  });
  const middle = batches.map((batch) => batch.sort((a, b) => a - b)[(batch.length - 1) >> 1] as number);
  const found = rows.get('reference-lpl-rx');
  const expected = middle.sort((a, b) => a - b)[1] as number;
  t.true(Math.abs((found?.value ?? 0) - expected) < 1e-9);
  t.is(found?.n, batches.flat().length);
  t.is(rows.get('reference-mpl-rx')?.note, 'No code of this kind is scored.');
  t.false(rows.has('reference-lpl-lab'));
});

test('what cannot be had is a sentence', async (t) => {
  const cannot = await rowsOf(async () => ({
    sample: () => Promise.reject(new Error('not asked for')),
    dispose: () => undefined,
  }));
  t.regex(cannot.get('lpl-all')?.note ?? '', /gives no probability of a visit’s codes .*HALO/);
  const impossible = await rowsOf(async () =>
    pretender(() => {
      const losses = new Float64Array(5 * 2000).fill(Number.POSITIVE_INFINITY);
      return { longitudinal: losses, cut: 3 };
    }),
  );
  t.regex(impossible.get('lpl-all')?.note ?? '', /Half of the patients or more .* probability 0\.$/);
  t.regex(impossible.get('mpl-all')?.note ?? '', /^Of 3 patients some visits are scored without/);
});
