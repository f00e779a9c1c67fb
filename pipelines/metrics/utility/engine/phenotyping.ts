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

type Means = Pick<Summary<Arrangement>, 'average' | 'gap'>;

export interface PhenotypingResult extends Means {
  variant: PhenotypingOptions['variant'];
  labels: LabelResult[];
  /**
   * Of the clean variant, means over labels whose definition is not known, where there are any: their
   * classifiers see the codes that make the label, so they are easier, and the other means leave them out.
   */
  withoutDefinition?: Means;
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
 * as in the script. Averages leave out labels without enough patients and never fill them in. Patients
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
  const summaryOf = (isPart: (label: number) => boolean) =>
    summarize({
      arrangements,
      cells: cells.filter(({ label }) => isPart(label)),
      baseline: 'real',
      cohortSizes: [patientCount(cohorts.test), patientCount(asked)],
      seed,
      replicates,
    });
  const isOpen = (label: number) => variant === 'clean' && definitions[label] === undefined;
  const summary = summaryOf((label) => !isOpen(label));
  const open = plans.some(({ label }) => isOpen(label)) ? summaryOf(isOpen) : undefined;
  const labels = plans.map((plan) => {
    const { label } = plan;
    const own = isOpen(label) && open ? open : summary;
    return describe(plan, vocabulary.labels[label] as string, definitions[label], variant, own);
  });
  return { variant, labels, average: summary.average, gap: summary.gap, withoutDefinition: open };
}
