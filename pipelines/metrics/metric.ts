import type { z } from 'zod';
import type { Modality } from '../../schemas/ehr.ts';
import type { MetricRow } from '../../schemas/scorecard.ts';
import type { Vocabulary } from '../../schemas/vocabulary.ts';
import type { Sampler } from '../generation/generator.ts';
import type { AsyncSteps, Steps } from '../kernel/steps.ts';
import type { VisitColumns } from '../patients/visit-columns.ts';

/**
 * What a metric cannot do without. A cohort counts as absent when it has no patients. `model` is the fitted
 * generator; `rows` are what the other metrics of the family found, so such a metric is computed last.
 */
export const metricNeeds = ['train', 'validation', 'holdout', 'synthetic', 'model', 'rows'] as const;
export type MetricNeed = (typeof metricNeeds)[number];

/** What a metric is given, whatever its family. All cohorts have the same vocabulary. */
export interface MetricInput<Options = unknown> {
  vocabulary: Vocabulary;
  /** Real patients the generator was fitted to. */
  train: VisitColumns;
  /** Real patients that steered the fitting. */
  validation: VisitColumns;
  /** Real patients no generator has seen. */
  holdout: VisitColumns;
  synthetic: VisitColumns;
  /** Opens the fitted generator, where there is one. The metric that opens it disposes of it. */
  model?: () => Promise<Sampler>;
  /** The generator that the model is of, and its config as it was given: what would fit another one alike. */
  learner?: { generator: string; config: unknown };
  /** Rows of the other metrics of the family; empty unless `needs` names them. */
  rows: readonly ScoredRow[];
  /** What the other metrics of the family permuted, by metric. */
  permuted?: Readonly<Record<string, Permuted>>;
  /** Settings by the metric's own schema, every default filled in. */
  options: Options;
  seed: number;
  /** Bootstrap resamples behind each interval; 0: no intervals. */
  replicates: number;
}

/** A row as a metric gives it. Where `better` or `range` are absent, the metric's own hold. */
export type PartialRow = Pick<MetricRow, 'row' | 'title' | 'value' | 'n'> &
  Partial<
    Pick<
      MetricRow,
      | 'real'
      | 'holdout'
      | 'holdoutInterval'
      | 'interval'
      | 'pValue'
      | 'better'
      | 'range'
      | 'note'
      | 'about'
      | 'patients'
      | 'unresolved'
    >
  > & {
    /**
     * Where `n` counts codes, pairs, labels or tests and not patients, so that few of them are no small
     * group.
     */
    nIs?: 'keys';
    /**
     * Patients of the group that `real`, `value` and `holdout` are shares of: those who have what the row is
     * about. `judged` ones are real where real patients stand in for the synthetic ones. Small groups are
     * suppressed; these counts are never written.
     */
    behind?: { real: number; judged: number; holdout?: number };
    /** Where the row is a mean over parts that are reported one by one: see `Parts`. */
    parts?: Parts;
  };

/**
 * The parts that a row is a mean (or a sum) over, where each is also a row or a point of a plot. If only few
 * of them are suppressed, the mean gives them back by subtraction, so it must be suppressed with them
 * (small-groups.ts).
 */
export interface Parts {
  groups: readonly Pick<PartialRow, 'patients' | 'behind'>[];
  /** Rows over the same parts: from a mean and a standard deviation two suppressed parts can be solved. */
  rows: 1 | 2;
}

/** A row without the name of the generator it is about. */
export type ScoredRow = Omit<MetricRow, 'generator'>;

/**
 * How strong an attack looks, first with the members as they are and then with members and non-members
 * permuted, the scores left as they are: `[1 + permutations]` each. Permutation i of so many members and
 * non-members is the same for every attack, so that their maximum can be formed permutation by permutation.
 * No number is about a single patient. See privacy/engine/permuted-attacks.ts.
 */
export interface PermutedAttack {
  /** The AUC's distance from one half, in standard deviations of guessing. */
  auc: number[];
  /**
   * −log₁₀ of the probability that guessing finds as many members at as few false positives, at the rate up
   * to 10 % where it is smallest.
   */
  fewFalsePositives: number[];
}

/** Attacks by the prefix of their rows. */
export type Permuted = Record<string, PermutedAttack>;

/** A plot's data: equally long columns. Tokens index the vocabulary. */
export type Series = Record<string, number[] | string[]>;

export interface MetricResult {
  rows: PartialRow[];
  series?: Record<string, Series>;
  /** Attacks under permutations of who is a member, for metrics that sum up the others; in no scorecard. */
  permuted?: Permuted;
}

/** At once, or by steps with safe points between them; whatever may take seconds gives steps. */
export type Computation = MetricResult | Steps<MetricResult> | AsyncSteps<MetricResult>;

/** A function from cohorts to numbers. One file in pipelines/metrics/<family>, found by its name. */
export interface Metric<Options extends z.ZodType = z.ZodType, Result extends Computation = Computation> {
  /** Must equal the file name. */
  name: string;
  family: MetricRow['family'];
  title: string;
  /** What the number means, in one plain sentence, and where it is defined. */
  about: string;
  better: MetricRow['better'];
  range: [number, number];
  needs: readonly MetricNeed[];
  /**
   * Where the rows' `holdout` comes from: a second computation in which real patients no generator has seen
   * take the place of the synthetic ones. `holdout`: all of them; `halves`: one random half, while the other
   * half stays the holdout; `none`: no second computation, as the metric has its own reference or none makes
   * sense.
   */
  reference: 'holdout' | 'halves' | 'none';
  /** Settings and their defaults; a run config gives them under `<family>.options.<metric>`. */
  options?: Options;
  /** The few rows that lead the leaderboard: row name → column heading. */
  headline?: Record<string, string>;
  modality?: Modality;
  /** It trains networks of its own, which takes minutes where the others take seconds. */
  trains?: true;
  /**
   * Called only when all that it needs is there. What cannot be had of the patients there are is a row of
   * `null` with a sentence; an error thrown is a fault of the code and fails the stage.
   */
  compute(input: MetricInput<z.output<Options>>): Result;
}

export const defineMetric = <Options extends z.ZodType, Result extends Computation>(
  metric: Metric<Options, Result>,
): Metric<Options, Result> => metric;
