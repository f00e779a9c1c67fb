import test from 'ava';
import { parseHTML } from 'linkedom';
import { drawValues } from '../../../pipelines/generation/sample-values.ts';
import { RandomSource } from '../../../pipelines/kernel/random.ts';
import { drainAsync } from '../../../pipelines/kernel/steps.ts';
import { scoreCohort } from '../../../pipelines/metrics/score-cohort.ts';
import codePrevalence from '../../../pipelines/metrics/similarity/code-prevalence.ts';
import labValues from '../../../pipelines/metrics/similarity/lab-values.ts';
import visitGaps from '../../../pipelines/metrics/similarity/visit-gaps.ts';
import { type VisitColumns, VisitColumnsBuilder } from '../../../pipelines/patients/visit-columns.ts';
import { reportPage } from '../../../pipelines/report/page.ts';
import { codeName } from '../../../pipelines/report/plot-data.ts';
import { assembleReport, type ReportInput } from '../../../pipelines/report/report-data.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import { noPatients } from '../../helpers/patients.ts';
import { emptyRun } from './example-run.ts';

const tests = Array.from({ length: 12 }, (_, i) => ({
  modality: 'lab' as const,
  code: String(50800 + i),
  title: `Test ${i}`,
}));
const ranges = tests.flatMap((lab, i) =>
  [0, 1, 2].map((step) => {
    const [low, high] = [step, step + 1].map((at) => Number((3 ** (i - 4) * (1 + at)).toFixed(2))) as [
      number,
      number,
    ];
    return { ...lab, bucket: { low, high, unit: 'mg/dL', decimals: 2 } };
  }),
);
const gapRanges = [0, 10, 60, 200, 800].slice(0, -1).map((low, i) => ({
  modality: 'gap' as const,
  code: 'gap',
  title: 'days since the last admission',
  bucket: { low, high: [10, 60, 200, 800][i] as number, unit: 'days', decimals: 1 },
}));
const vocabulary: Vocabulary = {
  codes: [{ modality: 'dx', code: '4019' }, ...ranges, ...gapRanges],
  labels: [],
  order: 'random',
};
const firstGap = 1 + ranges.length;

/** Patients with one to six visits; those with many come back sooner. `bias` moves tests and gaps upward. */
const invented = (patients: number, seed: number, bias: number): VisitColumns => {
  const random = new RandomSource(seed, 'order');
  const builder = new VisitColumnsBuilder();
  const uniforms = new Float64Array(64);
  for (let patient = 0; patient < patients; patient++) {
    random.fill(uniforms, 0, 64, patient);
    const length = 1 + Math.floor((uniforms[63] as number) ** 2 * 6);
    const visits = Array.from({ length }, (_, visit) => {
      random.fill(uniforms, 0, 64, patient, visit + 1);
      const u = (i: number) => uniforms[i] as number;
      const done = tests.flatMap((_, i) =>
        u(i) < 0.1 + 0.07 * i ? [1 + 3 * i + Math.min(2, Math.floor(u(20 + i) * 3 + bias))] : [],
      );
      const gap = Math.min(3, Math.floor(u(40) * 2 + bias + 4 / (1 + length)));
      return [0, ...done, ...(visit > 0 ? [firstGap + gap] : [])];
    });
    builder.addPatient(visits, []);
  }
  return drawValues(builder.build(), vocabulary, seed).columns;
};

/** One baseline and one model against invented patients. */
const run = async (suppressBelow: number): Promise<ReportInput> => {
  const cards = [];
  for (const [generator, bias] of [
    ['marginal', 0.7],
    ['halo', 0.15],
  ] as const)
    cards.push(
      await drainAsync(
        scoreCohort({
          generator,
          vocabulary,
          train: invented(300, 1, 0),
          validation: noPatients,
          holdout: invented(100, 2, 0),
          synthetic: invented(300, 3, bias),
          metrics: [codePrevalence, labValues, visitGaps],
          seed: 0,
          replicates: 20,
          suppressBelow: 0,
        }),
      ),
    );
  const [tokenize, ...others] = emptyRun().lineage.toReversed();
  const lineage = [...others, ...(tokenize ? [{ ...tokenize, params: { order: 'random' } }] : [])];
  return { ...emptyRun(), suppressBelow, vocabulary, cards, lineage };
};

const pageOf = (input: ReportInput) => {
  const page = reportPage(assembleReport(input));
  return { page, document: parseHTML(page).document };
};

test('lab values and gaps have a section: two scatters, bars and lines per generator', async (t) => {
  const { page, document } = pageOf(await run(11));
  const section = document.querySelector('#values');
  t.is(section?.querySelectorAll('details:not([open]) figure').length, 8, 'behind one line');
  t.is(section?.querySelectorAll('svg.plot[role=img]').length, 8);
  const dots = section?.querySelectorAll('#values figure')[2]?.querySelectorAll('circle').length;
  t.is(dots, 12, 'a dot per test');
  t.regex(section?.textContent ?? '', /shift 0\.\d+ standard deviations/);
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.getAttribute('id'));
  t.is(new Set(ids).size, ids.length);
  t.notRegex(page.replace(/<script>.*<\/script>/s, ''), /\bNaN\b|\bundefined\b|Infinity|\[object/);
});

test('tests and record lengths of too few real patients are left out, and that is stated', async (t) => {
  const input = await run(11);
  const shown = (enough: number) => assembleReport({ ...input, suppressBelow: enough });
  t.true(shown(120).labs.every(({ presence, leftOut }) => presence.length + leftOut === 12 && leftOut > 0));
  t.true(shown(120).gaps.every(({ bars }) => bars.length < (shown(11).gaps[0]?.bars.length ?? 0)));
  t.deepEqual(
    shown(9999).labs.map(({ means }) => means),
    [[], []],
  );
  const { document } = pageOf({ ...input, suppressBelow: 9999 });
  t.regex(document.querySelector('#values')?.textContent ?? '', /Left out: 12 lab tests/);
  t.is(document.querySelectorAll('#values .empty, #values figure:not(:has(svg))').length, 0);
});

test('bars of gaps add up to one', async (t) => {
  for (const { bars } of assembleReport(await run(50)).gaps)
    for (const side of ['real', 'synthetic'] as const)
      t.true(Math.abs(bars.reduce((sum, bar) => sum + bar[side], 0) - 1) < 1e-12);
});

test('without ranges there is no such section', (t) => {
  const { document } = pageOf(emptyRun());
  t.is(document.querySelector('#values'), null);
});

test('ranges are named with their numbers, and the lineage states the order of the tokens', async (t) => {
  t.is(codeName(vocabulary, 14), 'lab 50804 Test 4 2–3 mg/dL');
  t.is(codeName(vocabulary, firstGap), 'gap days since the last admission 0–10 days');
  const { document } = pageOf(await run(11));
  t.regex(document.querySelector('#lineage')?.textContent ?? '', /codes in random order/);
  t.regex(document.querySelector('#similarity .legend')?.textContent ?? '', /days between visits/);
});
