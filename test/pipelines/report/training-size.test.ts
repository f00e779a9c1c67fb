import test from 'ava';
import { parseHTML } from 'linkedom';
import { reportPage } from '../../../pipelines/report/page.ts';
import { assembleReport, type ReportInput } from '../../../pipelines/report/report-data.ts';
import { exampleRun } from './example-run.ts';

const run = exampleRun(3);
const [baseline = '', first = '', second = '', third = ''] = run.curves.map(({ generator }) => generator);

/** The second and third models as the first, trained on fewer patients. */
const renamed = (name: string): string =>
  ({ [second]: `${first}@10%`, [third]: `${first}@40` })[name] ?? name;
const several: ReportInput = {
  ...run,
  cards: run.cards.map(({ card, series }) => {
    const generator = renamed(card.generator);
    return { series, card: { ...card, generator, rows: card.rows.map((row) => ({ ...row, generator })) } };
  }),
  models: [
    { name: baseline, branch: baseline },
    { name: first, branch: first },
    { name: `${first}@10%`, branch: first, patients: 30 },
    { name: `${first}@40`, branch: first, patients: 40 },
  ],
};
const data = assembleReport(several);
const all = data.real.patients;

test('each number of the leaderboard by training patients, with what was trained once beside it', (t) => {
  const [panel] = data.sizes.filter(({ metric }) => metric === 'code-pairs');
  const row = data.metrics
    .find(({ metric }) => metric === 'code-pairs')
    ?.rows.find((candidate) => candidate.row === panel?.row);
  const valueNamed = (name: string) => row?.values.find(({ generator }) => generator === name)?.value;
  t.deepEqual(
    panel?.lines.map(({ generator, points }) => [
      generator,
      points.map(({ patients, value }) => [patients, value]),
    ]),
    [
      [
        first,
        [
          [30, valueNamed(`${first}@10%`)],
          [40, valueNamed(`${first}@40`)],
          [all, valueNamed(first)],
        ],
      ],
    ],
  );
  t.deepEqual(panel?.references, [
    { label: baseline, value: valueNamed(baseline) },
    { label: 'real holdout', value: row?.holdout },
  ]);
  t.is(
    data.sizes.length,
    data.headlines.filter(({ values }) => values.every(({ value }) => value !== null)).length,
  );
});

test('the page draws them and states them in words', (t) => {
  const { document } = parseHTML(reportPage(data));
  const section = document.querySelector('#training-size');
  t.is(section?.querySelectorAll('svg.plot').length, data.sizes.length);
  const words = section?.querySelector('svg desc')?.textContent ?? '';
  t.regex(
    words,
    new RegExp(`^${first}: .* with 30 patients, .* with 40 patients, .* with ${all} patients; ${baseline}: `),
  );
  t.notRegex(section?.innerHTML ?? '', /\bNaN\b|undefined|Infinity/);
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.getAttribute('id'));
  t.is(new Set(ids).size, ids.length, 'ids are unique');
});

test('nothing where every generator was trained once', (t) => {
  const once = assembleReport(run);
  t.deepEqual(once.sizes, []);
  t.is(parseHTML(reportPage(once)).document.querySelector('#training-size'), null);
});

test('a value that is missing leaves a gap, and a lone point draws no line', (t) => {
  const blind = several.cards.map(({ card, series }) => ({
    series,
    card: {
      ...card,
      rows: card.rows.map((row) => (row.generator === first ? row : { ...row, value: null, note: 'None.' })),
    },
  }));
  t.deepEqual(assembleReport({ ...several, cards: blind }).sizes, []);
});
