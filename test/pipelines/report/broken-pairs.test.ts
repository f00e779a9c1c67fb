import test from 'ava';
import { parseHTML } from 'linkedom';
import { drainAsync } from '../../../pipelines/kernel/steps.ts';
import { scoreCohort } from '../../../pipelines/metrics/score-cohort.ts';
import incoherence from '../../../pipelines/metrics/similarity/incoherence.ts';
import { reportPage } from '../../../pipelines/report/page.ts';
import { assembleReport } from '../../../pipelines/report/report-data.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import { noPatients, recordsOf } from '../../helpers/patients.ts';
import { emptyRun } from './example-run.ts';

const vocabulary: Vocabulary = {
  codes: [
    ['V3000', 'Single liveborn'],
    ['4280', 'Heart failure'],
    ['25000', 'Diabetes'],
    ['2720', 'Cholesterol'],
  ].map(([code = '', title = '']) => ({ modality: 'dx' as const, code, title })),
  labels: [],
};
// Newborns and heart failure never meet; cholesterol never comes without diabetes.
const real = (patients: number) =>
  recordsOf(
    Array.from({ length: patients }, (_, i) => [
      [...(i < 0.3 * patients ? [0] : i < 0.6 * patients ? [1] : []), ...(i % 5 < 3 ? [2, 3] : [])],
    ]),
  );
const synthetic = recordsOf(Array.from({ length: 60 }, (_, i) => [i < 20 ? [0, 1] : i < 30 ? [3] : [2, 3]]));

const pageOf = async (suppressBelow: number) => {
  const { card, series } = await drainAsync(
    scoreCohort({
      ...{ generator: 'model', vocabulary, train: real(100), validation: noPatients, holdout: real(60) },
      ...{ synthetic, metrics: [incoherence], suppressBelow, seed: 0, replicates: 20 },
    }),
  );
  const data = assembleReport({ ...emptyRun(), suppressBelow, vocabulary, cards: [{ card, series }] });
  return { data, document: parseHTML(await reportPage(data)).document };
};

test('pairs that contradict real visits are listed by name', async (t) => {
  const { data, document } = await pageOf(11);
  const newborn = ['dx V3000 Single liveborn', 'dx 4280 Heart failure'];
  t.deepEqual(data.brokenPairs, [
    {
      generator: 'model',
      never: [{ names: newborn as [string, string], visits: 20, expected: 9 }],
      always: [{ names: ['dx 2720 Cholesterol', 'dx 25000 Diabetes'], visits: 10, real: 60 }],
      leftOut: 0,
    },
  ]);
  const cells = [...document.querySelectorAll('#similarity table tbody tr')].map((row) =>
    [...row.querySelectorAll('th, td')].map((cell) => cell.textContent),
  );
  t.deepEqual(cells, [
    [...newborn, '20', '9'],
    ['dx 2720 Cholesterol', 'dx 25000 Diabetes', '10', '60'],
  ]);
});

test('pairs of few real patients are counted, not shown', async (t) => {
  const { data, document } = await pageOf(31);
  t.deepEqual(data.brokenPairs[0]?.never, []);
  t.is(data.brokenPairs[0]?.leftOut, 1);
  const page = document.querySelector('#similarity')?.textContent ?? '';
  t.regex(page, /Left out: 1 pair with a code, or almost always together, in fewer than 31 real/);
  t.notRegex(page, /V3000/);
});
