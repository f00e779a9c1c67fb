import test from 'ava';
import { parseHTML } from 'linkedom';
import { reportPage } from '../../../pipelines/report/page.ts';
import { assembleReport } from '../../../pipelines/report/report-data.ts';
import type { MergedCard } from '../../../pipelines/verdicts/merged-cards.ts';
import type { MetricRow } from '../../../schemas/scorecard.ts';
import { exampleRun } from './example-run.ts';

const metric = 'attribute-imputation';

/** Invented numbers of one generator, in the rows and series of the metric. */
const guessed = (generator: string, auc: number): MergedCard => {
  const row = (name: string, title: string, value: number, base: number): MetricRow => ({
    metric,
    row: name,
    family: 'privacy',
    title,
    generator,
    about: `what ${name} means`,
    value,
    holdout: base,
    n: 400,
    interval: [value - 0.02, value + 0.02],
    better: 'lower',
  });
  const curve = { falsePositive: [0, 0.3, 1], truePositive: [0, auc, 1] };
  const sweep = { threshold: [0, 2, 4], falsePositive: [0.3, 0.1, 0], truePositive: [auc, 0.2, 0.1] };
  const size = { patients: 300, visits: 900 };
  return {
    card: {
      generator,
      cohorts: { real: size, synthetic: size, holdout: size },
      metrics: [
        {
          metric,
          family: 'privacy',
          title: 'By imputation',
          about: 'Is it there?',
          headline: { excess: 'Hidden' },
        },
      ],
      rows: [
        row('excess', 'AUC beyond', auc - 0.5, 0),
        row('auc', 'AUC of believed codes', auc, 0.52),
        row('control-auc', 'AUC of believed codes, control', 0.52, 0.52),
      ],
    },
    series: {
      [metric]: {
        roc: curve,
        sweep,
        'control-roc': curve,
        'control-sweep': { ...sweep, truePositive: [0.5, 0, 0] },
      },
    },
  };
};

const run = exampleRun(1);
const [baseline = '', model = ''] = run.cards.map(({ card }) => card.generator);
const data = assembleReport({ ...run, cards: [...run.cards, guessed(baseline, 0.5), guessed(model, 0.7)] });
const page = reportPage(data);
const { document } = parseHTML(page);

test('curves of hidden codes stand apart from those of membership', (t) => {
  t.true(data.attacks.every(({ curves }) => curves.every((curve) => curve.metric.startsWith('membership-'))));
  t.deepEqual(data.beliefs.map(({ generator }) => generator).sort(), [baseline, model].sort());
  const [panel] = data.beliefs.filter(({ generator }) => generator === model);
  t.deepEqual(
    panel?.curves.map(({ prefix, title }) => [prefix, title]),
    [
      ['', 'By imputation'],
      ['control-', 'By imputation, control'],
    ],
  );
  t.deepEqual(panel?.attack.truePositive, [0.7, 0.2, 0.1]);
  t.deepEqual(panel?.control.truePositive, [0.5, 0, 0]);
});

test('each generator has its curve and its rates by threshold, described in words', (t) => {
  const words = [...document.querySelectorAll('#privacy svg[id], #privacy svg desc')]
    .map((element) => element.textContent)
    .filter((text) => /predicts|AUC/.test(text));
  t.true(
    words.some((text) => text === 'By imputation: AUC 0.700; By imputation, control: AUC 0.520'),
    words.join('\n'),
  );
  t.true(
    words.some((text) =>
      /predicts 70.*% of the hidden codes \(true positives\) and 30.*%.*the control 50.*%/.test(text),
    ),
  );
  t.is(document.querySelectorAll('[id^="beliefs-"][id$="-title"]').length, 4);
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.getAttribute('id'));
  t.is(new Set(ids).size, ids.length, 'ids are unique');
  t.notRegex(page.replace(/<script>.*<\/script>/s, ''), /\bNaN\b|\bundefined\b|Infinity|\[object/);
});

test('nothing where the attack was not made', (t) => {
  const without = assembleReport(run);
  t.deepEqual(without.beliefs, []);
  t.false(reportPage(without).includes('beliefs-'));
});
