import type { PartialRow } from '../../../pipelines/metrics/metric.ts';
import type { MergedCard } from '../../../pipelines/verdicts/merged-cards.ts';
import type { Scorecard } from '../../../schemas/scorecard.ts';

// Training classifiers takes minutes; these are invented numbers in the rows of the utility metrics.

type Interval = [number, number];
const around = (value: number): Interval => [value - 0.02, value + 0.02];

const row = (name: string, value: number, more: Partial<PartialRow> = {}): PartialRow => ({
  row: name,
  title: name.replace(/-/g, ' '),
  about: `what ${name.replace(/^.*[:-]/, '').trim()} means`,
  value,
  n: 500,
  interval: around(value),
  ...more,
});

const labels = ['Septicemia', 'Pneumonia', 'Shock'];
const small = { label: 'Rarest of all', patients: 4 };
const unmeasured = { label: 'Gout', note: 'Only 3 patients have the label, and at least 10 are asked for.' };

const phenotyping = (skill: number): PartialRow[] => [
  row('synthetic-auc', 0.5 + skill, { real: 0.85 }),
  row('real-auc', 0.85),
  row('augmented-auc', 0.86, { real: 0.85 }),
  row('real-on-synthetic-auc', 0.6 + skill / 2, { real: 0.85 }),
  row('gap-synthetic-auc', skill - 0.35, { range: [-1, 1] }),
  row('gap-augmented-auc', 0.01, { range: [-1, 1] }),
  ...labels.map((label) => row(`${label}: synthetic-auc`, 0.5 + skill, { real: 0.85, patients: 60 })),
  ...labels.map((label) => row(`${label}: augmented-auc`, 0.86, { real: 0.85, patients: 60 })),
  row(`${small.label}: synthetic-auc`, 0.5, { patients: small.patients }),
  { ...row(`${unmeasured.label}: synthetic-auc`, 0), value: null, patients: 30, note: unmeasured.note },
];

const labelAuc = (skill: number) => ({
  label: [...labels, small.label],
  patients: [60, 50, 40, small.patients],
  real: [0.9, 0.85, 0.8, 0.7],
  synthetic: [0.4, 0.5, 0.6, 0.5].map((value) => value + skill),
  augmented: [0.91, 0.86, 0.82, 0.7],
});

const recalls = (prefix: string, value: number, more: Partial<PartialRow> = {}): PartialRow[] =>
  [10, 20, 30].map((depth) => row(`${prefix}recall-at-${depth}`, (value * depth) / 20, more));

const nextVisit = (skill: number): PartialRow[] => [
  ...recalls('', 0.2 + skill, { real: 0.5 }),
  ...[10, 20, 30].map((depth) => row(`gap-recall-at-${depth}`, skill - 0.3, { range: [-1, 1] })),
  ...recalls('commonest-', 0.3),
  ...recalls('300-real-0-synthetic-', 0.5),
  ...recalls('0-real-100-synthetic-', 0.1 + skill),
  ...recalls('0-real-300-synthetic-', 0.2 + skill),
  ...recalls('100-real-100-synthetic-', 0.3 + skill),
  ...recalls('100-real-300-synthetic-', 0.31 + skill),
];

const parts = [
  {
    metric: 'phenotyping',
    title: 'Phenotyping',
    headline: { 'synthetic-auc': 'Phenotypes, AUC' },
    rows: phenotyping,
  },
  {
    metric: 'phenotyping-as-published',
    title: "Phenotyping, the paper's way",
    headline: {},
    rows: phenotyping,
  },
  {
    metric: 'next-visit',
    title: 'Next visit',
    headline: { 'recall-at-20': 'Next visit, recall@20' },
    rows: nextVisit,
  },
];

/**
 * A card of the utility family: `skill` from 0, nothing learned, to about 0.35, as much as from real
 * patients.
 */
export const utilityCard = ({ generator, cohorts }: Scorecard, skill: number): MergedCard => ({
  card: {
    generator,
    cohorts,
    metrics: parts.map(({ metric, title, headline }) => ({
      metric,
      family: 'utility',
      title,
      about: `What ${metric} asks.`,
      range: [0, 1],
      headline: Object.fromEntries(Object.entries(headline)),
    })),
    rows: parts.flatMap(({ metric, rows }) =>
      rows(skill).map((part) => ({ metric, family: 'utility', better: 'higher', generator, ...part })),
    ),
  },
  series: {
    phenotyping: { 'label-auc': labelAuc(skill) },
    'phenotyping-as-published': { 'label-auc': labelAuc(skill) },
  },
});
