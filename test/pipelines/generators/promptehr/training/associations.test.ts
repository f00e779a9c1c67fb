import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import type { Sampler } from '../../../../../pipelines/generation/generator.ts';
import {
  associatedRows,
  associations,
  leadingFactors,
} from '../../../../../pipelines/generators/promptehr/training/associations.ts';
import {
  promptConfig,
  resolvePrompt,
} from '../../../../../pipelines/generators/promptehr/training/config.ts';
import promptehr from '../../../../../pipelines/generators/promptehr.ts';
import { Pace } from '../../../../../pipelines/kernel/pace.ts';
import { drainAsync } from '../../../../../pipelines/kernel/steps.ts';
import { columnsAsWritten } from '../../../metrics/golden-cohorts.ts';
import { plantedDrugs } from '../../planted-cohort.ts';

const patient = (...visits: number[][]) => ({ visits, labels: [] });

test('what codes have to do with each other, by hand', (t) => {
  const columns = columnsAsWritten([patient([0, 1], [0, 1]), patient([0, 1, 2]), patient([2])]);
  const table = associations(columns, Int32Array.of(0, 1, 2), 3);
  // Four visits: 0 and 1 are in the same three of them, 2 in two, one of these with 0 and 1.
  const cell = (both: number, byChance: number) => Math.log((both + 2) / (byChance + 2));
  const expected = [
    [cell(3, 9 / 4), cell(3, 9 / 4), cell(1, 6 / 4)],
    [cell(3, 9 / 4), cell(3, 9 / 4), cell(1, 6 / 4)],
    [cell(1, 6 / 4), cell(1, 6 / 4), cell(2, 4 / 4)],
  ].flat();
  expected.forEach((value, i) => {
    t.true(Math.abs((table[i] as number) - value) < 1e-12, `cell ${i}`);
  });
  t.deepEqual(
    [...associations(columns, Int32Array.of(0, 2), 3)],
    [0, 2, 6, 8].map((i) => table[i]),
  );
});

test('factors give a matrix back as far as it is positive', async (t) => {
  // Orthogonal directions: (1, 1, 0) with 6, (0, 0, 1) with 2, (1, -1, 0) with -4.
  const matrix = Float64Array.of(1, 5, 0, 5, 1, 0, 0, 0, 2);
  const factors = await leadingFactors(matrix, 3, 3, new Pace());
  const product = (a: number, b: number) =>
    [0, 1, 2].reduce((sum, k) => sum + (factors[a * 3 + k] as number) * (factors[b * 3 + k] as number), 0);
  const expected = [3, 3, 0, 3, 3, 0, 0, 0, 2];
  expected.forEach((value, i) => {
    t.true(Math.abs(product(Math.floor(i / 3), i % 3) - value) < 1e-6, `cell ${i}`);
  });
  t.is((await leadingFactors(matrix, 3, 8, new Pace())).length, 24, 'more directions than there are: zeros');
});

test('a code that one patient alone has gets no row, however often it comes', async (t) => {
  const columns = columnsAsWritten([patient([0, 1], [1, 2]), patient([0, 2]), patient([0])]);
  const { codes, rows } = await associatedRows(columns, 4, 2, new Pace());
  t.deepEqual([...codes], [0, 2]);
  t.is(rows.length, 4);
});

test('cohorts of fewer than 250 patients begin with associations, unless told otherwise', (t) => {
  const startFor = (patients: number, given: object = {}) => {
    const columns = columnsAsWritten(Array.from({ length: patients }, () => patient([0])));
    return resolvePrompt(promptConfig.parse(given), columns, 1).start;
  };
  t.is(startFor(249), 'associations');
  t.is(startFor(250), 'prevalence');
  t.is(startFor(249, { start: 'random' }), 'random');
  t.is(startFor(249, { preset: 'paper' }), 'random');
});

/** Diagnoses 0 and 1 bring drugs 2, 3 and 4, 5. */
const data = plantedDrugs();

/** How probable an untrained model finds the drugs of each of the two diagnoses, both together. */
const foreseen = async (start: string, more: object = {}): Promise<number> => {
  const config = promptehr.config.parse({
    ...{ width: 32, encoderLayers: 1, decoderLayers: 2, attentionHeads: 2, feed: 32, promptHidden: 4 },
    ...{ start, prompts: { labels: [] }, ...more },
  });
  const fitting = await promptehr.fit(data, config, 3);
  const saved = await fitting.model();
  fitting.dispose();
  const sampler: Sampler = await promptehr.open(saved, config, data.vocabulary);
  const columns = columnsAsWritten([0, 1].map((code) => ({ visits: [[code]], labels: [0, 0] })));
  if (!sampler.impute) throw new Error('promptehr fills in');
  const request = { columns, task: 'cross-modal' as const, kinds: ['rx' as const] };
  const { patient: of, code, probability } = await drainAsync(sampler.impute(request));
  sampler.dispose();
  const own = (i: number) => (of[i] === 0 ? [2, 3] : [4, 5]).includes(code[i] as number);
  const sum = (chosen: (i: number) => boolean) =>
    Array.from(probability).reduce((total, p, i) => total + (chosen(i) ? p : 0), 0);
  return sum(own) / sum(() => true);
};

test('before any training, codes that share visits are likelier together', async (t) => {
  await startBackend();
  const [without, known, apart] = [
    await foreseen('prevalence'),
    await foreseen('associations'),
    await foreseen('associations', { tied: false }),
  ];
  t.true(Math.abs(without - 0.5) < 0.05, `${without}`);
  t.true(known > 0.57, `${known}`);
  t.true(apart > 0.57, `${apart}`);
});
