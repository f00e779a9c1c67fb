import type { MetricRow } from '../../schemas/scorecard.ts';
import { cellOfGenerator, type MetricTable, tableRow } from './metric-tables.ts';
import { leading } from './ranking.ts';

/**
 * A number, the threshold it is compared with, and where that comes from. The same fields decide the verdict
 * (judge.ts) and write the sentence that states the rule.
 */
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
  /** Where the limit comes from: `guessing`. */
  limitIs: string;
  /** Fewer test cases are inconclusive, whatever the interval. */
  leastN?: number;
  /**
   * A failure is judged by the row's p-value, not by its interval: of a maximum over several attacks, for which
   * an interval that holds is too wide to fail anything. The text is what the p-value is about: `the AUC`.
   */
  permuted?: string;
  /** A rate that fewer non-members cannot resolve never passes; the row marks it `unresolved`. */
  leastOthers?: number;
  /** What the test cases are: `predicted visits`. */
  casesAre?: string;
  /**
   * Where the row's `n` counts labels: the test cases are those of the label that has most of them, in the rows
   * whose names end so. Patients may be asked about for several labels, and this counts none of them twice.
   */
  casesIn?: string;
  /** The row is a share of `n` patients, which has an exact interval where resampling gives one without width. */
  isShare?: true;
  /** What is judged is the row less another number of this run, which has an interval of its own. */
  less?: { row: string; generator?: string; is: string };
  /** Real patients must beat a trivial predictor before `as good as real` means anything. */
  realFirst?: RealFirst;
  /** A failure counts; a result that is not passed does not keep the family from being good. */
  isGain?: true;
  /**
   * Some models define no probability of a record, and some cohorts come without a model. Where there is no
   * value, the check is inconclusive, and the family may still be good by its others.
   */
  isAboutModel?: true;
  /** Without this metric the family cannot be good. */
  isNeeded?: true;
  /** Real patients who are strangers to the model have no part in it, so it stands where there are none. */
  needsNoStrangers?: true;
}

/** The predictor trained on real patients, and what predicts without having learned. */
export interface RealFirst {
  /** Row of the predictor trained on real patients. Where it matches several, that on most patients counts. */
  real: RegExp;
  trivial: { row: string } | { value: number };
  trivialIs: string;
}

type Particular = Omit<Rule, 'family' | 'better'>;

const privacyRules: Particular[] = [
  {
    metric: 'strongest-attack',
    row: 'auc',
    title: 'Membership inference: no attack separates training patients from others',
    short: 'strongest attack',
    limit: 0.5,
    bound: 0.6,
    limitIs: 'guessing',
    permuted: 'the AUC',
    isNeeded: true,
  },
  {
    metric: 'strongest-attack',
    row: 'tpr-at-1-percent',
    title: 'Membership inference: no attack identifies single training patients with few false positives',
    short: 'members found at a 1% false positive rate',
    limit: 0.01,
    bound: 0.05,
    limitIs: 'guessing at a 1% false positive rate',
    permuted: 'the members found at whichever false positive rate up to 10% is most telling',
    isShare: true,
    leastOthers: 100,
  },
  {
    metric: 'overfitting-gap',
    row: 'gap',
    title: 'The model finds training patients no more probable than other patients',
    short: 'overfitting',
    limit: 0.1,
    bound: 0.1,
    limitIs: 'nats per code, about a tenth of the perplexity',
    isAboutModel: true,
  },
  {
    metric: 'copies',
    row: 'exact-excess',
    title: 'No training patient is copied exactly',
    short: 'exact copies',
    limit: 0,
    bound: 0.01,
    limitIs: "the holdout's own rate",
    isNeeded: true,
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
    metric: 'copied-visits',
    row: 'near-excess',
    title: 'No record is put together from visits of training patients',
    short: 'copied visits',
    limit: 0,
    bound: 0.02,
    limitIs: 'what chance explains',
  },
  {
    metric: 'singling-out',
    row: 'risk',
    title: 'Singling out: what is true of one synthetic patient alone singles out no training patient',
    short: 'singling out',
    limit: 0,
    bound: 0.05,
    limitIs: 'the same attack on real patients outside the training set',
  },
  {
    metric: 'linkability',
    row: 'risk',
    title: 'Linkability: two parts of a training patient’s record are not linked by a synthetic one',
    short: 'linkability',
    limit: 0,
    bound: 0.05,
    limitIs: 'the same attack on real patients outside the training set',
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
    row: 'risk',
    title: 'Attribute inference: further codes of training patients are guessed no better than others’',
    short: 'attribute inference',
    limit: 0,
    bound: 0.05,
    limitIs: 'the same attack on real patients outside the training set',
  },
  {
    metric: 'attribute-imputation',
    row: 'excess',
    title:
      'Attribute inference (imputation): hidden codes of training patients are inferred no better than others’',
    short: 'attribute inference (imputation)',
    limit: 0,
    bound: 0.05,
    limitIs: 'the same attack on real patients outside the training set',
  },
  {
    metric: 'identity-disclosure',
    row: 'risk',
    title: 'Identity risk is acceptable',
    short: 'identity risk',
    limit: 0.09,
    bound: 0.09,
    limitIs: 'the customary threshold',
    needsNoStrangers: true,
  },
];

/** Fewer test cases settle nothing about utility. */
const leastN = 30;
const ofLabels = (arrangement: string) => ({
  leastN,
  casesAre: 'test patients of the label that has most',
  casesIn: `: ${arrangement}-auc`,
});
const classifiersFirst: RealFirst = {
  real: /^real-auc$/,
  trivial: { value: 0.5 },
  trivialIs: 'guessing',
};

const mostFrequent = 'always predicting the most frequent codes';
const commonest = 'commonest-recall-at-20';
const ofVisits = { leastN, casesAre: 'predicted visits' };

const utilityRules: Particular[] = [
  {
    metric: 'next-visit',
    row: 'recall-at-20',
    title: 'Next visits: predictors learn more than which codes are frequent',
    short: 'next visit, beyond frequent codes',
    ...ofVisits,
    limit: 0,
    bound: 0,
    limitIs: 'no difference',
    less: { row: commonest, is: mostFrequent },
  },
  {
    metric: 'next-visit',
    row: 'gap-recall-at-20',
    title: 'Next visits are predicted as well as after learning from real patients',
    short: 'next visit, as from real patients',
    ...ofVisits,
    limit: 0,
    bound: -0.05,
    isMargin: true,
    limitIs: 'trained on real patients',
    realFirst: {
      real: /^(\d+)-real-0-synthetic-recall-at-20$/,
      trivial: { row: commonest },
      trivialIs: mostFrequent,
    },
  },
  {
    metric: 'phenotyping',
    row: 'gap-synthetic-auc',
    title: 'Classifiers of labels learn as much from synthetic patients as from real ones',
    short: 'phenotypes from synthetic patients',
    ...ofLabels('synthetic'),
    limit: 0,
    bound: -0.05,
    isMargin: true,
    limitIs: 'trained on real patients',
    realFirst: classifiersFirst,
  },
  {
    metric: 'phenotyping',
    row: 'gap-augmented-auc',
    title: 'Adding synthetic patients to real ones does no harm',
    short: 'phenotypes with synthetic patients added',
    ...ofLabels('augmented'),
    limit: 0,
    bound: -0.05,
    isMargin: true,
    limitIs: 'trained on real patients alone',
    realFirst: classifiersFirst,
  },
  {
    metric: 'rare-conditions',
    row: 'gain-augmented-auc',
    title: 'Synthetic patients help where few real ones have a label',
    short: 'rare labels',
    ...ofLabels('augmented'),
    limit: 0,
    bound: 0,
    limitIs: 'the few real patients alone',
    isGain: true,
  },
];

/** The baseline is compared with no other; without one there is nothing to compare with. */
const againstBaseline = (baseline: string): Rule => ({
  family: 'similarity',
  ...leading,
  title: 'Codes occur together in a visit as in real patients, more than independence explains',
  short: 'same-visit co-occurrence',
  better: 'higher',
  limit: 0,
  bound: 0,
  limitIs: 'no difference',
  needsNoStrangers: true,
  less: { row: leading.row, generator: baseline, is: 'the baseline' },
});

/** Every rule there is, family by family; rules of metrics that no scorecard holds are left out. */
export const rulesOf = (tables: readonly MetricTable[], baseline: string | undefined): Rule[] => {
  const rules: Rule[] = [
    ...(baseline === undefined ? [] : [againstBaseline(baseline)]),
    ...utilityRules.map((rule): Rule => ({ family: 'utility', better: 'higher', ...rule })),
    ...privacyRules.map((rule): Rule => ({ family: 'privacy', better: 'lower', ...rule })),
  ];
  return rules.filter(({ metric }) => tables.some((table) => table.metric === metric));
};

/** Metrics without which a family is never good, each with the name of its check. */
export const neededFor = (family: MetricRow['family']): { metric: string; short: string }[] =>
  family === 'privacy' ? privacyRules.filter(({ isNeeded }) => isNeeded) : [];

/** How many test cases a rule's number rests on for one generator; 0 where no row of theirs may be shown. */
export const casesOf = (
  { metric, row, casesIn }: Rule,
  tables: readonly MetricTable[],
  generator: string,
): number => {
  if (casesIn === undefined) return cellOfGenerator(tableRow(tables, metric, row), generator)?.n ?? 0;
  const rows = tables.find((table) => table.metric === metric)?.rows ?? [];
  return rows
    .filter((candidate) => candidate.row.endsWith(casesIn))
    .map((candidate) => cellOfGenerator(candidate, generator))
    .reduce((most, cell) => Math.max(most, cell?.value == null ? 0 : cell.n), 0);
};
