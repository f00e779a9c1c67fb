import test from 'ava';
import { html } from '../../../pipelines/report/markup.ts';
import { reportPage } from '../../../pipelines/report/page.ts';
import { assembleReport } from '../../../pipelines/report/report-data.ts';
import { perplexities } from '../../../pipelines/report/sections/perplexities.ts';
import type { MetricRow, Scorecard } from '../../../schemas/scorecard.ts';
import { exampleRun } from './example-run.ts';

const metric = 'imputation-perplexity';

/** A scorecard of that metric alone; what has no value has a sentence. */
const cardOf = (card: Scorecard, values: Record<string, [number, number, number] | null>): Scorecard => ({
  ...card,
  metrics: [
    { metric, family: 'similarity', title: 'Filled in', about: 'How well?', range: [1, null], headline: {} },
  ],
  rows: Object.entries(values).map(
    ([row, found]): MetricRow => ({
      ...{ metric, row, family: 'similarity', title: `Title of ${row}`, about: 'meaning', better: 'lower' },
      generator: card.generator,
      value: found?.[0] ?? null,
      n: found ? 18 : 0,
      ...(found ? { interval: [found[1], found[2]] as [number, number] } : { note: 'This one <cannot>.' }),
    }),
  ),
});

const run = () => {
  const example = exampleRun(2);
  const [baseline, halo, prompt] = example.cards.map(({ card }) => card) as [Scorecard, Scorecard, Scorecard];
  const cards = [
    cardOf(baseline, {
      'lpl-all': [168, 149, 189],
      'mpl-all': [149, 89, 165],
      'lpl-dx': [206.25, 171, 270],
      'mpl-dx': [206.25, 171, 270],
      'lpl-lab': null,
      'reference-lpl-dx': [400, 300, 500],
    }),
    cardOf(halo, { 'lpl-all': null }),
    cardOf(prompt, {
      ...{ 'lpl-all': [60, 50, 70], 'lpl-dx': [65.875, 60, 70], 'mpl-dx': [67.5, 61, 71] },
      ...{ 'ratio-mpl-all': [0.911, 0.87, 0.958], 'ratio-mpl-dx': [0.943, 0.892, 0.996] },
    }),
  ];
  return { ...example, cards: [...example.cards, ...cards.map((card) => ({ card, series: {} }))] };
};

test('methods by rows, kinds by columns, lpl before mpl, intervals below; what cannot be measured is stated', (t) => {
  const data = assembleReport(run());
  const section = perplexities(data);
  const text = html`${section}`.text;
  const headings = [...text.matchAll(/>((?:[A-Z][a-z ]+ )?[lm]pl(?: by marginals)?)</g)].map(
    ([, heading]) => heading,
  );
  t.deepEqual(headings, ['Diagnosis lpl', 'Diagnosis mpl', 'All lpl', 'All mpl', 'mpl by marginals']);
  t.regex(text, /0\.911<span class="interval">0\.870 to 0\.958/);
  t.regex(text, /65\.875<span class="interval">60\.000 to 70\.000/);
  t.regex(text, /206\.3<span class="interval">171\.0 to 270\.0/);
  t.regex(text, /This one &lt;cannot&gt;\./);
  t.notRegex(text, /400/, 'what the published code computes is elsewhere');
  t.regex(text, /rows in gray/);
  const page = reportPage(data);
  t.regex(page, /<div id="perplexities"/);
  for (const [, id] of text.matchAll(/href="#([^"]+)"/g)) t.true(page.includes(`id="${id}"`), id);
});

test('where no model was asked there is no section', (t) => {
  t.false(perplexities(assembleReport(exampleRun(2))));
  t.notRegex(reportPage(assembleReport(exampleRun(2))), /perplexities/);
});
