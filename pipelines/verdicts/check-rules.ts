import type { MetricRow } from '../../schemas/scorecard.ts';
import { cellOfGenerator, type MetricTable, tableRow } from './metric-tables.ts';
import { leading } from './ranking.ts';

/** A number, the threshold it is held against, and where that comes from. */
export interface Rule {
  family: MetricRow['family'];
  metric: string;
  row: string;
  title: string;
  short: string;
  better: 'higher' | 'lower';
  /** A whole interval on the wrong side of it fails. */
  limit: number;
  /** An interval that keeps to the right side of it passes, unless it failed. */
  bound: number;
  /** Where the limit comes from: `guessing`. */
  limitIs: string;
}

type Particular = Omit<Rule, 'family' | 'better'>;

/** Where the limit is the floor's own value, the floor is not judged. */
export const theFloor = 'the floor';

const privacyRules: Particular[] = [
  {
    metric: 'strongest-attack',
    row: 'auc',
    title: 'No attack tells training patients from others',
    short: 'strongest attack',
    limit: 0.5,
    bound: 0.6,
    limitIs: 'guessing',
  },
  {
    metric: 'strongest-attack',
    row: 'tpr-at-1-percent',
    title: 'No attack is sure of single training patients',
    short: 'members found at 1% false alarms',
    limit: 0.01,
    bound: 0.05,
    limitIs: 'guessing at 1% false alarms',
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
    title: 'No training patient is nearly copied',
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
    title: 'Hidden codes are guessed no better than from other real patients',
    short: 'attributes',
    limit: 0,
    bound: 0.05,
    limitIs: 'what real patients give away',
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
    limitIs: 'trained on real patients',
  },
  {
    metric: 'phenotyping',
    row: 'gap-augmented-auc',
    title: 'Synthetic patients added to real ones do no harm',
    short: 'phenotypes with synthetic patients added',
    limit: 0,
    bound: -0.05,
    limitIs: 'trained on real patients alone',
  },
  {
    metric: 'next-visit',
    row: 'gap-recall-at-20',
    title: 'Next visits are predicted as well as after learning from real patients',
    short: 'next visit, as from real patients',
    limit: 0,
    bound: -0.05,
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

const commonest = 'commonest-recall-at-20';

/** Rules whose limit is a number of this very run. */
const movingRules = (tables: readonly MetricTable[], floor: string | undefined): Rule[] => {
  const rules: Rule[] = [];
  const ofFloor = floor && cellOfGenerator(tableRow(tables, leading.metric, leading.row), floor)?.value;
  if (typeof ofFloor === 'number') {
    const title = 'Codes go together as they do in real patients, better than by chance';
    const limits = { limit: ofFloor, bound: ofFloor, limitIs: theFloor };
    rules.push({
      family: 'similarity',
      ...leading,
      title,
      short: 'pairs of codes',
      better: 'higher',
      ...limits,
    });
  }
  const next = { family: 'utility', metric: 'next-visit', row: 'recall-at-20', better: 'higher' } as const;
  const guess =
    tableRow(tables, next.metric, commonest)?.values.find(({ value }) => value !== null)?.value ?? null;
  if (guess !== null)
    rules.push({
      ...next,
      title: 'Synthetic patients teach more of the next visit than which codes are common',
      short: 'next visit, beyond common codes',
      limit: guess,
      bound: guess,
      limitIs: 'always guessing the commonest codes',
    });
  return rules;
};

/** Every rule there is, family by family; those whose limit this run does not have are left out. */
export const rulesOf = (tables: readonly MetricTable[], floor: string | undefined): Rule[] => [
  ...movingRules(tables, floor),
  ...utilityRules.map((rule): Rule => ({ family: 'utility', better: 'higher', ...rule })),
  ...privacyRules.map((rule): Rule => ({ family: 'privacy', better: 'lower', ...rule })),
];
