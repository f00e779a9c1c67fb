import test from 'ava';
import marginal from '../../../../pipelines/generators/marginal.ts';
import { drainAsync } from '../../../../pipelines/kernel/steps.ts';
import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import { noPatients } from '../../../helpers/patients.ts';
import { columnsAsWritten, type Patient } from '../../metrics/golden-cohorts.ts';

const vocabulary: Vocabulary = {
  codes: (['dx', 'rx', 'dx', 'rx', 'dx', 'rx'] as const).map((modality, i) => ({ modality, code: `${i}` })),
  labels: [],
};
const patients = (...records: number[][][]): Patient[] => records.map((visits) => ({ visits, labels: [] }));

/** In four visits: dx 0 four times, dx 2 twice, dx 4 never; rx 1 three times, rx 3 once, rx 5 never. */
const opened = async () => {
  const train = columnsAsWritten(
    patients(
      [
        [0, 1],
        [0, 1, 2],
      ],
      [[0, 1, 2]],
      [[0, 3]],
    ),
  );
  const fitting = await marginal.fit({ vocabulary, train, validation: noPatients }, {}, 0);
  await fitting.step();
  return marginal.open(await fitting.model(), {}, vocabulary);
};

const near = (values: Iterable<number>, expected: number[]): boolean =>
  [...values].every((value, i) => Math.abs(value - (expected[i] ?? Number.NaN)) < 1e-12);

test('a code costs its share among the codes of its kind, half an occurrence more for each', async (t) => {
  const sampler = await opened();
  const columns = columnsAsWritten(
    patients(
      [
        [0, 1],
        [2, 4, 5],
      ],
      [[0]],
    ),
  );
  const scores = await drainAsync(sampler.conditional?.(columns) ?? t.fail());
  const dx = (count: number) => Math.log(7.5 / (count + 0.5));
  const rx = (count: number) => Math.log(5.5 / (count + 0.5));
  // Columns: dx, px, rx, lab, gap.
  const losses = [dx(4), 0, rx(3), 0, 0, dx(2) + dx(0), 0, rx(0), 0, 0, dx(4), 0, 0, 0, 0];
  t.true(near(scores.longitudinal, losses));
  t.true(near(scores.crossModal, losses));
  t.deepEqual([...scores.codes], [1, 0, 1, 0, 0, 2, 0, 1, 0, 0, 1, 0, 0, 0, 0]);
  t.is(scores.cut, 0);
  t.true(near(scores.reference?.crossModal ?? [], [dx(4), rx(3), dx(2), dx(0), rx(0), dx(4)]));
  const [first, second, ...others] = scores.reference?.longitudinal ?? [];
  t.deepEqual([first, second, others.at(-1)], Array(3).fill(Number.NaN), 'first visits are not scored');
  t.true(near(others.slice(0, 3), [dx(2), dx(0), rx(0)]));
});

test('the probabilities of one kind add up to one', async (t) => {
  const sampler = await opened();
  const all = columnsAsWritten(patients([[0, 1, 2, 3, 4, 5]]));
  const { reference } = await drainAsync(sampler.conditional?.(all) ?? t.fail());
  const shares = [...(reference?.crossModal ?? [])].map((loss) => Math.exp(-loss));
  for (const kind of [0, 1]) {
    const own = shares.filter((_, code) => code % 2 === kind);
    t.true(Math.abs(own.reduce((a, b) => a + b) - 1) < 1e-12);
  }
});

test('every visit is given the shares of training visits, likeliest first, known codes left out', async (t) => {
  const sampler = await opened();
  const columns = columnsAsWritten(patients([[0], [1]], []));
  const ask = async (request: object) => {
    const found = await drainAsync(sampler.impute?.({ columns, task: 'completion', ...request }) ?? t.fail());
    return Array.from(found.code, (code, i) =>
      [found.patient[i], found.visit[i], code, found.probability[i]].join(' '),
    );
  };
  t.deepEqual(await ask({}), ['0 0 1 0.75', '0 0 2 0.5', '0 0 3 0.25', '0 1 0 1', '0 1 2 0.5', '0 1 3 0.25']);
  t.deepEqual(await ask({ top: 1 }), ['0 0 1 0.75', '0 0 2 0.5', '0 1 0 1', '0 1 3 0.25']);
  t.deepEqual(await ask({ task: 'next-visit', kinds: ['dx'] }), [
    '0 2 0 1',
    '0 2 2 0.5',
    '1 0 0 1',
    '1 0 2 0.5',
  ]);
  t.deepEqual(await ask({ task: 'cross-modal', kinds: ['rx'], top: 1 }), ['0 0 1 0.75', '0 1 1 0.75']);
});
