import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import { type AsyncSteps, asyncPhase } from '../../../kernel/steps.ts';
import type { Example } from '../../../nn/networks/visit-batch.ts';
import { patientCount } from '../../../patients/visit-columns.ts';
import { balancedSet, byLabel, draw } from '../../learners/examples.ts';
import {
  type ClassifierScores,
  type ClassifierTask,
  classifierDefaults,
  trainClassifiers,
} from '../../learners/train-classifiers.ts';
import { ScoredSet } from './classification.ts';
import type { PhenotypingOptions } from './phenotyping.ts';
import type { UtilityCohorts } from './phenotyping-sets.ts';
import { type Cell, type ClassificationMeasures, noMeasures, type Summary, summarize } from './summarize.ts';

/**
 * `imbalanced`: few real positives; `augmented`: synthetic ones added; `balanced`: real ones added, the
 * reference.
 */
export const mixtures = ['imbalanced', 'augmented', 'balanced'] as const;
export type Mixture = (typeof mixtures)[number];

interface RareConditionOptions extends Omit<PhenotypingOptions, 'sizes'> {
  sizes: { validation: number; test: number };
  /** Names of the labels made rare; all of the vocabulary where absent. */
  labels?: readonly string[];
  /** Most real patients without the label; HALO takes 50,000. */
  negatives: number;
  /** Real positives kept, per real negative; HALO keeps 1,000 for 50,000. */
  share: number;
}

export const rareConditionDefaults = {
  sizes: { validation: 250, test: 500 },
  negatives: 10_000,
  share: 0.02,
  leastPositives: 10,
  replicates: 1000,
} as const;

interface RareConditionLabel {
  name: string;
  /** Patients that training consists of. */
  negatives: number;
  realPositives: number;
  syntheticPositives: number;
  /** Real positives of the balanced reference. */
  allPositives: number;
  results: Record<Mixture, ClassificationMeasures>;
}

interface RareConditionResult extends Pick<Summary<Mixture>, 'average' | 'gap'> {
  variant: PhenotypingOptions['variant'];
  labels: RareConditionLabel[];
}

interface Plan {
  label: number;
  name: string;
  negatives: Example[];
  few: Example[];
  many: Example[];
  synthetic: Example[];
  validation: Example[];
  test: Example[];
  notes: Partial<Record<Mixture, string>>;
}

/** Draws of this measure must not be those of phenotyping. */
const firstUse = 2 ** 20;

const planRare = (
  cohorts: UtilityCohorts,
  label: number,
  name: string,
  options: RareConditionOptions,
): Plan => {
  const { seed, sizes, leastPositives, share } = options;
  const real = byLabel(cohorts.train, label);
  const made = byLabel(cohorts.synthetic, label).positives;
  const use = firstUse + label * 4;
  const negatives = draw(real.negatives, options.negatives, seed, use);
  const many = draw(real.positives, negatives.length, seed, use + 1);
  const few = many.slice(0, Math.max(leastPositives, Math.round(negatives.length * share)));
  const synthetic = draw(made, Math.max(0, negatives.length - few.length), seed, use + 2);
  const set = (role: 'validation' | 'test') =>
    balancedSet({ cohort: cohorts[role], label, size: sizes[role], seed, role });
  const [validation, test] = [set('validation'), set('test')];
  const least = Math.min(validation.length, test.length) / 2;
  const notes: Plan['notes'] = {};
  if (least < leastPositives || many.length < leastPositives || negatives.length < leastPositives)
    for (const mixture of mixtures)
      notes[mixture] =
        `fewer than ${leastPositives} real patients with (or without) the label are left to train, validate ` +
        'or test on';
  else {
    if (synthetic.length < leastPositives)
      notes.augmented = `fewer than ${leastPositives} synthetic patients have the label`;
    if (many.length < 2 * few.length)
      notes.balanced = 'real patients with the label are hardly more than the few kept';
  }
  return { label, name, negatives, few, many, synthetic, validation, test, notes };
};

const trainingSet = ({ negatives, few, many, synthetic }: Plan, mixture: Mixture): Example[] => {
  if (mixture === 'balanced') return [...negatives, ...many];
  return mixture === 'imbalanced' ? [...negatives, ...few] : [...negatives, ...few, ...synthetic];
};

/**
 * HALO's phenotyping of rare conditions (Theodorou et al. 2023, table 5): a label is made rare among real
 * patients, synthetic patients with it are added until it is balanced, and both are compared with a balance
 * of real patients as far as there are any. The paper does not describe its test set; here it is balanced and
 * real, as in phenotyping.
 */
export async function* rareConditions(
  cohorts: UtilityCohorts,
  vocabulary: Vocabulary,
  options: RareConditionOptions,
): AsyncSteps<RareConditionResult> {
  const { seed, variant, definitions } = options;
  const plans = vocabulary.labels.flatMap((name, label) =>
    !options.labels || options.labels.includes(name) ? [planRare(cohorts, label, name, options)] : [],
  );
  const classifier = { ...classifierDefaults, ...options.classifier, seed, tokens: vocabulary.codes.length };
  const cells: Cell<Mixture>[] = [];
  for (const [at, mixture] of mixtures.entries()) {
    const able = plans.filter(({ notes }) => !notes[mixture]);
    const tasks = able.map((plan): ClassifierTask => {
      const hidden = variant === 'clean' ? definitions[plan.label] : undefined;
      const { label, validation, test } = plan;
      const train = trainingSet(plan, mixture);
      return { id: label, train, validation, score: test, hidden };
    });
    const training = trainClassifiers(tasks, classifier);
    const trained = yield* asyncPhase(`rare conditions, ${mixture}`, at, mixtures.length, training);
    for (const [i, { label, test }] of able.entries()) {
      const { scores } = trained[i] as ClassifierScores;
      cells.push({ label, arrangement: mixture, set: new ScoredSet(test, scores), cohort: 0 });
    }
  }
  const summary = summarize({
    arrangements: mixtures,
    cells,
    baseline: 'imbalanced',
    cohortSizes: [patientCount(cohorts.test)],
    seed,
    replicates: options.replicates,
  });
  const { average, gap } = summary;
  return { variant, labels: plans.map((plan) => describe(plan, summary)), average, gap };
}

const describe = (plan: Plan, summary: Summary<Mixture>): RareConditionLabel => {
  const found = summary.labels.get(plan.label) ?? {};
  const of = (mixture: Mixture) => found[mixture] ?? noMeasures(plan.notes[mixture] ?? 'not measured');
  return {
    name: plan.name,
    negatives: plan.negatives.length,
    realPositives: plan.few.length,
    syntheticPositives: plan.synthetic.length,
    allPositives: plan.many.length,
    results: { imbalanced: of('imbalanced'), augmented: of('augmented'), balanced: of('balanced') },
  };
};
