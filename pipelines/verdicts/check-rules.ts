import type { MetricRow } from '../../schemas/scorecard.ts';
import { cellOfGenerator, type MetricTable, tableRow } from './metric-tables.ts';
import { leading } from './ranking.ts';

/** A number, the threshold it is compared with, and where that comes from. */
export interface Rule {
  family: MetricRow['family'];
  metric: string;
  row: string;
  title: string;
  short: string;
  better: 'higher' | 'lower';
  /** A whole interval on the wrong side of it fails, unless `isMargin`. */
  limit: number;
  /** An interval that keeps to the right side of it passes, unless it failed. */
  bound: number;
  /**
   * A loss up to `bound` is acceptable even where it is certain: only a whole interval beyond `bound` fails. Not
   * for privacy, where a small leak that is certain is a leak.
   */
  isMargin?: true;
  /** Fewer test cases (the row's `n`) are inconclusive, whatever the interval. */
  leastN?: number;
  /** Where the limit comes from: `guessing`. */
  limitIs: string;
}

type Particular = Omit<Rule, 'family' | 'better'>;

/** Where the limit is the baseline's own value, the baseline is not judged. */
export const theBaseline = 'the baseline';

const privacyRules: Particular[] = [
  {
    metric: 'strongest-attack',
    row: 'auc',
    title: 'Membership inference: no attack separates training patients from others',
    short: 'strongest attack',
    limit: 0.5,
    bound: 0.6,
    limitIs: 'guessing',
  },
  {
    metric: 'strongest-attack',
    row: 'tpr-at-1-percent',
    title: 'Membership inference: no attack identifies single training patients with few false positives',
    short: 'members found at a 1% false positive rate',
    limit: 0.01,
    bound: 0.05,
    limitIs: 'guessing at a 1% false positive rate',
  },
  {
    metric: 'overfitting-gap',
    row: 'gap',
    title: 'The model finds training patients no more probable than other patients',
    short: 'overfitting',
    limit: 0.1,
    bound: 0.1,
    limitIs: 'nats per code, about a tenth of the perplexity',
  },
  {
    metric: 'copies',
    row: 'exact-excess',
    title: 'No training patient is copied exactly',
    short: 'exact copies',
    limit: 0,
    bound: 0.01,
    limitIs: "the holdout's own rate",
  },
  {
    metric: 'copies',
    row: 'near-excess',
    title: 'No training patient is copied almost exactly',
    short: 'near copies',
    limit: 0,
    bound: 0.05,
    limitIs: "the holdout's own rate",
  },
  {
    metric: 'nearest-neighbor-accuracy',
    row: 'loss',
    title: 'Training patients are no nearer than other real patients',
    short: 'nearest neighbors',
    limit: 0,
    bound: 0.05,
    limitIs: 'no difference',
  },
  {
    metric: 'attribute-inference',
    row: 'excess',
    title: 'Attribute inference: further codes are guessed no better than from other real patients',
    short: 'attribute inference',
    limit: 0,
    bound: 0.05,
    limitIs: 'the same attack with real patients',
  },
  {
    metric: 'identity-disclosure',
    row: 'risk',
    title: 'Identity risk is acceptable',
    short: 'identity risk',
    limit: 0.09,
    bound: 0.09,
    limitIs: 'the customary threshold',
  },
];

const utilityRules: Particular[] = [
  {
    metric: 'phenotyping',
    row: 'gap-synthetic-auc',
    title: 'Classifiers of labels learn as much from synthetic patients as from real ones',
    short: 'phenotypes from synthetic patients',
    limit: 0,
    bound: -0.05,
    isMargin: true,
    limitIs: 'trained on real patients',
  },
  {
    metric: 'phenotyping',
    row: 'gap-augmented-auc',
    title: 'Adding synthetic patients to real ones does no harm',
    short: 'phenotypes with synthetic patients added',
    limit: 0,
    bound: -0.05,
    isMargin: true,
    limitIs: 'trained on real patients alone',
  },
  {
    metric: 'next-visit',
    row: 'gap-recall-at-20',
    title: 'Next visits are predicted as well as after learning from real patients',
    short: 'next visit, as from real patients',
    leastN: 30,
    limit: 0,
    bound: -0.05,
    isMargin: true,
    limitIs: 'trained on real patients',
  },
  {
    metric: 'rare-conditions',
    row: 'gain-augmented-auc',
    title: 'Synthetic patients help where few real ones have a label',
    short: 'rare labels',
    limit: 0,
    bound: 0,
    limitIs: 'the few real patients alone',
  },
];

const mostFrequent = 'commonest-recall-at-20';

/** Rules whose limit is a number of this very run. */
const movingRules = (tables: readonly MetricTable[], baseline: string | undefined): Rule[] => {
  const rules: Rule[] = [];
  const ofBaseline =
    baseline && cellOfGenerator(tableRow(tables, leading.metric, leading.row), baseline)?.value;
  if (typeof ofBaseline === 'number') {
    const title = 'Codes occur together in a visit as in real patients, more than independence explains';
    const limits = { limit: ofBaseline, bound: ofBaseline, limitIs: theBaseline };
    rules.push({
      family: 'similarity',
      ...leading,
      title,
      short: 'same-visit co-occurrence',
      better: 'higher',
      ...limits,
    });
  }
  const next = { family: 'utility', metric: 'next-visit', row: 'recall-at-20', better: 'higher' } as const;
  const guess =
    tableRow(tables, next.metric, mostFrequent)?.values.find(({ value }) => value !== null)?.value ?? null;
  if (guess !== null)
    rules.push({
      ...next,
      leastN: 30,
      title: 'Next visits: predictors learn more than which codes are frequent',
      short: 'next visit, beyond frequent codes',
      limit: guess,
      bound: guess,
      limitIs: 'always predicting the most frequent codes',
    });
  return rules;
};

/** Every rule there is, family by family; those whose limit this run does not have are left out. */
export const rulesOf = (tables: readonly MetricTable[], baseline: string | undefined): Rule[] => [
  ...movingRules(tables, baseline),
  ...utilityRules.map((rule): Rule => ({ family: 'utility', better: 'higher', ...rule })),
  ...privacyRules.map((rule): Rule => ({ family: 'privacy', better: 'lower', ...rule })),
];
