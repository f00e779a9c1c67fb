import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import { type AsyncSteps, asyncPhase } from '../../../kernel/steps.ts';
import { patientCount } from '../../../patients/visit-columns.ts';
import {
  type ClassifierOptions,
  type ClassifierScores,
  type ClassifierTask,
  classifierDefaults,
  trainClassifiers,
} from '../../learners/train-classifiers.ts';
import { ScoredSet } from './classification.ts';
import type { LabelDefinitions } from './phenotyping-sets.ts';
import {
  type Arrangement,
  arrangements,
  type LabelPlan,
  planLabel,
  type SetOptions,
  syntheticTestPart,
  taskOf,
  type UtilityCohorts,
} from './phenotyping-sets.ts';
import { type Cell, type ClassificationMeasures, noMeasures, type Summary, summarize } from './summarize.ts';

export interface PhenotypingOptions extends SetOptions {
  /**
   * `clean` takes the codes that define a label out of its classifier's input; `paper` leaves them in, as
   * HALO's script does, so that its classifiers need only look for them.
   */
  variant: 'clean' | 'paper';
  /** Tokens that define each label; those of `labelDefinitions`. */
  definitions: LabelDefinitions;
  /** Bootstrap replicates; 0 for no intervals. */
  replicates: number;
  classifier?: Partial<Omit<ClassifierOptions, 'seed' | 'tokens'>>;
}

export const phenotypingDefaults = {
  sizes: { train: 2500, validation: 250, test: 500 },
  leastPositives: 10,
  replicates: 1000,
} as const;

export interface LabelResult {
  name: string;
  /**
   * Real test patients with the label that the classifier was tested on; small groups are suppressed by it.
   */
  positives: number;
  /** Codes taken out of the input; `null` where no definition is known, and for the paper's variant. */
  hiddenCodes: number | null;
  note?: string;
  results: Record<Arrangement, ClassificationMeasures>;
}

type LabelMeans = Pick<Summary<Arrangement>, 'average' | 'gap'>;

export interface PhenotypingResult extends LabelMeans {
  variant: PhenotypingOptions['variant'];
  labels: LabelResult[];
  /**
   * Means over the labels without a known definition, whose codes stay in the input: they are no part of
   * `average` and `gap`. Absent where there are none, and for the paper's variant, which hides nothing.
   */
  undefinedLabels?: LabelMeans;
}

const sources = ['real', 'synthetic', 'augmented'] as const;

/**
 * A classifier's answers as scored sets: about the real test, and where it is the real one, the synthetic.
 */
function* cellsOf(
  plan: LabelPlan,
  source: (typeof sources)[number],
  { scores }: ClassifierScores,
): Generator<Cell<Arrangement>> {
  const { label, test, syntheticTest } = plan;
  const real = new ScoredSet(test, scores.subarray(0, test.length));
  yield { label, arrangement: source, set: real, cohort: 0 };
  if (source !== 'real' || syntheticTest.length === 0) return;
  const synthetic = new ScoredSet(syntheticTest, scores.subarray(test.length));
  yield { label, arrangement: 'real-on-synthetic', set: synthetic, cohort: 1 };
}

const describe = (
  plan: LabelPlan,
  name: string,
  defined: ReadonlySet<number> | undefined,
  variant: PhenotypingOptions['variant'],
  summary: Summary<Arrangement>,
): LabelResult => {
  const found = summary.labels.get(plan.label) ?? {};
  const results = arrangements.map((arrangement) => [
    arrangement,
    found[arrangement] ?? noMeasures(plan.notes[arrangement] ?? 'not measured'),
  ]);
  const clean = variant === 'clean';
  return {
    name,
    positives: plan.test.length / 2,
    hiddenCodes: clean && defined ? defined.size : null,
    note: clean && !defined ? 'no definition of this label is known, so no code was hidden' : undefined,
    results: Object.fromEntries(results),
  };
};

/**
 * HALO's phenotyping (Theodorou et al. 2023, table 4; evaluate_synthetic_training.py): per label a
 * bidirectional LSTM with a linear head on balanced sets, trained on real, on synthetic, and on both, and
 * asked about real test patients; the real one also about synthetic patients. Validation is on real patients,
 * as in the script. Averages leave out labels without enough patients and never fill them in; a label whose
 * definition is not known has averages apart, as its classifier may read it off its own codes. Patients
 * without visits take no part.
 */
export async function* phenotyping(
  cohorts: UtilityCohorts,
  vocabulary: Vocabulary,
  options: PhenotypingOptions,
): AsyncSteps<PhenotypingResult> {
  const { seed, variant, definitions, replicates } = options;
  const asked = syntheticTestPart(cohorts, seed);
  const plans = vocabulary.labels.map((_, label) => planLabel(cohorts, asked, label, options));
  const classifier = {
    ...classifierDefaults,
    ...options.classifier,
    seed,
    tokens: vocabulary.codes.length,
  };
  const cells: Cell<Arrangement>[] = [];
  for (const [at, source] of sources.entries()) {
    const planned = plans.flatMap((plan): { plan: LabelPlan; task: ClassifierTask }[] => {
      const task = taskOf(plan, source, variant === 'clean' ? definitions[plan.label] : undefined);
      return task ? [{ plan, task }] : [];
    });
    const tasks = planned.map(({ task }) => task);
    const training = trainClassifiers(tasks, classifier);
    const trained = yield* asyncPhase(`phenotyping, ${source}`, at, sources.length, training);
    for (const [i, { plan }] of planned.entries())
      cells.push(...cellsOf(plan, source, trained[i] as ClassifierScores));
  }
  const summaryOf = (own: Cell<Arrangement>[]) =>
    summarize({
      arrangements,
      cells: own,
      baseline: 'real',
      cohortSizes: [patientCount(cohorts.test), patientCount(asked)],
      seed,
      replicates,
    });
  const isClean = (label: number) => variant === 'paper' || definitions[label] !== undefined;
  const summary = summaryOf(cells.filter(({ label }) => isClean(label)));
  const others = plans.every(({ label }) => isClean(label))
    ? undefined
    : summaryOf(cells.filter(({ label }) => !isClean(label)));
  const labels = plans.map((plan) =>
    describe(
      plan,
      vocabulary.labels[plan.label] as string,
      definitions[plan.label],
      variant,
      isClean(plan.label) ? summary : (others ?? summary),
    ),
  );
  return {
    variant,
    labels,
    average: summary.average,
    gap: summary.gap,
    ...(others && { undefinedLabels: { average: others.average, gap: others.gap } }),
  };
}
