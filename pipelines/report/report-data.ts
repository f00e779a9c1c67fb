import type { Scorecard, ScorecardSeries } from '../../schemas/scorecard.ts';
import type { Vocabulary } from '../../schemas/vocabulary.ts';
import type { LearningCurve } from '../generation/learning-curve.ts';
import { notStrangers } from '../metrics/shared-patients.ts';
import type { SyntheticOrigin } from '../tokens/token-cohort-file.ts';
import { type Check, checksOf } from '../verdicts/checks.ts';
import { mergedByGenerator } from '../verdicts/merged-cards.ts';
import { type MetricTable, metricTables } from '../verdicts/metric-tables.ts';
import { originChecks } from '../verdicts/origin-check.ts';
import { type Headline, headlines, ranked } from '../verdicts/ranking.ts';
import { type VerdictCard, verdictCard } from '../verdicts/verdict-card.ts';
import { type BeliefPanel, beliefPanels, type RocPanel, rocPanels } from './attack-plots.ts';
import {
  type BrokenPairs,
  brokenPairs,
  type FrequencyPlot,
  frequencyPlots,
  type LengthPlot,
  lengthPlots,
} from './plot-data.ts';
import { type FittedModel, type SizePanel, sizePanels } from './training-sizes.ts';
import { type LabelScorePlot, labelScorePlots, type MixPlot, mixPlot } from './utility-plots.ts';
import { type GapPanel, gapPanels, type LabPanel, labPanels } from './value-plots.ts';

/** How one artifact was made. */
export interface LineageStep {
  /** Name for people: `train halo`. */
  title: string;
  stage: string;
  version: number;
  kind: string;
  digest: string;
  params: unknown;
  inputs: string[];
  /** Whose it is, from the model on. */
  generator?: string;
  fingerprint?: string;
  code: string;
  engine: string;
}

export interface GeneratorCurve {
  generator: string;
  curve: LearningCurve;
  /** As the training reports it: `off: …`, or its rule. */
  earlyStopping?: string;
}

/** Everything the report is made of, already opened. Order of cards and models is the order of the run. */
export interface ReportInput {
  title: string;
  suppressBelow: number;
  vocabulary: Vocabulary;
  cards: { card: Scorecard; series: ScorecardSeries }[];
  /** Learning curves by generator, one point per epoch. */
  curves: GeneratorCurve[];
  lineage: LineageStep[];
  /** Models in the order of the run; absent: each cohort has one that learned of all training patients. */
  models?: FittedModel[];
  /** How the cohorts were sampled, as far as their artifacts state it. */
  origins?: { generator: string; origin: SyntheticOrigin }[];
}

export interface ReportGenerator {
  name: string;
  /** The baseline (independent marginals): what every model must beat. */
  isBaseline: boolean;
  /** A CSS variable, the same on all plots. */
  color: string;
  patients: number;
  visits: number;
  origin?: SyntheticOrigin;
}

/** `report.json`: all the numbers on the page. */
export interface ReportData {
  title: string;
  suppressBelow: number;
  real: { patients: number; visits: number };
  holdout: { patients: number; visits: number };
  /** Why patients outside the training set are no strangers, where that is so: most checks are then inconclusive. */
  withoutStrangers?: string;
  vocabulary: { codes: number; labels: number; modalities: Record<string, number> };
  /** In the order of the leaderboard. */
  generators: ReportGenerator[];
  headlines: Headline[];
  metrics: MetricTable[];
  /** Verdicts of the rows against stated thresholds, generator by generator. */
  checks: Check[];
  /** Of `checks`, those made at once of each generator, for whose number a failure is corrected. */
  checksAtOnce: number;
  /** Each generator in each family, and one sentence. */
  verdict: VerdictCard;
  attacks: RocPanel[];
  /** Attribute inference by imputation. */
  beliefs: BeliefPanel[];
  labelScores: LabelScorePlot[];
  mixes?: MixPlot;
  /** Empty unless some generator was trained on several numbers of patients. */
  sizes: SizePanel[];
  frequencies: FrequencyPlot[];
  /** Pairs of codes that contradict real visits; empty where no generator has any. */
  brokenPairs: BrokenPairs[];
  lengths: LengthPlot[];
  /** Empty where the vocabulary has no lab values, or no gaps. */
  labs: LabPanel[];
  gaps: GapPanel[];
  curves: GeneratorCurve[];
  lineage: LineageStep[];
}

const paletteSize = 10;

const generatorsOf = (
  cards: readonly Scorecard[],
  baseline: string | undefined,
  origins: NonNullable<ReportInput['origins']>,
): ReportGenerator[] => {
  let models = 0;
  return cards.map(({ generator, cohorts }) => {
    const isBaseline = generator === baseline;
    const color = isBaseline ? 'var(--baseline)' : `var(--g${models++ % paletteSize})`;
    const origin = origins.find((candidate) => candidate.generator === generator)?.origin;
    return { name: generator, isBaseline, color, ...cohorts.synthetic, ...(origin && { origin }) };
  });
};

const modalitiesOf = ({ codes }: Vocabulary): Record<string, number> => {
  const found: Record<string, number> = {};
  for (const { modality } of codes) found[modality] = (found[modality] ?? 0) + 1;
  return found;
};

/** From what the run made to what the page shows: ranked, suppressed, binned. Pure. */
export const assembleReport = (input: ReportInput): ReportData => {
  const { title, suppressBelow, vocabulary, curves, lineage } = input;
  const entries = ranked(mergedByGenerator(input.cards));
  // Where a run has several, the first is what the others are compared with.
  const baseline = input.cards.find(({ card }) => card.baseline)?.card.generator;
  const cards = entries.map(({ card }) => card);
  const nothing = { patients: 0, visits: 0 };
  const generators = generatorsOf(cards, baseline, input.origins ?? []);
  const metrics = metricTables(cards, suppressBelow);
  const mixes = mixPlot(entries);
  const leading = headlines(cards);
  const real = cards[0]?.cohorts.real ?? nothing;
  const { checks: ofMetrics, atOnce } = checksOf(
    metrics,
    generators.map(({ name, isBaseline }, i) => ({
      name,
      isBaseline,
      withoutStrangers: notStrangers(cards[i]?.cohorts.shared),
    })),
  );
  const checks = [...ofMetrics, ...originChecks(generators)];
  return {
    title,
    suppressBelow,
    real,
    holdout: cards[0]?.cohorts.holdout ?? nothing,
    withoutStrangers: cards.map(({ cohorts }) => notStrangers(cohorts.shared)).find(Boolean),
    vocabulary: {
      codes: vocabulary.codes.length,
      labels: vocabulary.labels.length,
      modalities: modalitiesOf(vocabulary),
    },
    generators,
    headlines: leading,
    metrics,
    checks,
    checksAtOnce: atOnce,
    verdict: verdictCard({ generators, checks, metrics }),
    attacks: rocPanels(entries),
    beliefs: beliefPanels(entries),
    labelScores: labelScorePlots(entries, suppressBelow),
    ...(mixes && { mixes }),
    sizes: sizePanels(metrics, leading, input.models ?? [], real.patients),
    frequencies: frequencyPlots(entries, vocabulary, suppressBelow),
    brokenPairs: brokenPairs(entries, vocabulary, suppressBelow),
    lengths: lengthPlots(entries),
    labs: labPanels(entries, suppressBelow),
    gaps: gapPanels(entries, suppressBelow),
    curves,
    lineage,
  };
};
