import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import { type Phenotypes, readPhenotypes } from '../../../cohort/phenotypes.ts';
import type { Example } from '../../../nn/networks/visit-batch.ts';
import { patientCount, type VisitColumns } from '../../../patients/visit-columns.ts';
import { icd9Category } from '../../../tokens/roll-up.ts';
import { balancedSet, type Role } from '../../learners/examples.ts';
import type { ClassifierTask } from '../../learners/train-classifiers.ts';
import { sample } from '../../statistics/samples.ts';

/** The real parts and the cohort under test, all in one vocabulary. */
export interface UtilityCohorts {
  train: VisitColumns;
  validation: VisitColumns;
  test: VisitColumns;
  synthetic: VisitColumns;
}

/** How classifiers are trained and asked; the last is the real one asked about synthetic patients. */
export const arrangements = ['real', 'synthetic', 'augmented', 'real-on-synthetic'] as const;
export type Arrangement = (typeof arrangements)[number];

/** Patients of a balanced set, at most; HALO takes 2,500, 250 and 500. */
interface SetSizes {
  train: number;
  validation: number;
  test: number;
}

export interface SetOptions {
  seed: number;
  sizes: SetSizes;
  /** A label with fewer positives (or negatives) than this in a set is left out, with a sentence. */
  leastPositives: number;
}

/** What is trained for one label, or why nothing is. */
export interface LabelPlan {
  label: number;
  /** Examples that the real test, and the synthetic test, consist of. */
  test: Example[];
  syntheticTest: Example[];
  validation: Example[];
  train: Partial<Record<'real' | 'synthetic' | 'augmented', Example[]>>;
  /** Why an arrangement has no number. */
  notes: Partial<Record<Arrangement, string>>;
}

/** Synthetic patients that stand as a test set: as many as the real test has. */
export const syntheticTestPart = ({ synthetic, test }: UtilityCohorts, seed: number): VisitColumns =>
  sample(synthetic, patientCount(test), seed, 'synthetic');

const tooFew = (set: readonly Example[], name: string, least: number): string | undefined =>
  set.length / 2 < least
    ? `fewer than ${least} patients with, or without, the label can be drawn from the ${name} patients`
    : undefined;

/** Balanced sets for one label, from every source that has enough patients. */
export const planLabel = (
  cohorts: UtilityCohorts,
  syntheticTest: VisitColumns,
  label: number,
  { seed, sizes, leastPositives }: SetOptions,
): LabelPlan => {
  const set = (cohort: VisitColumns, size: number, role: Role) =>
    balancedSet({ cohort, label, size, seed, role });
  const real = set(cohorts.train, sizes.train, 'train');
  const validation = set(cohorts.validation, sizes.validation, 'validation');
  const test = set(cohorts.test, sizes.test, 'test');
  const synthetic = set(cohorts.synthetic, sizes.train, 'synthetic');
  const asked = set(syntheticTest, sizes.test, 'syntheticTest');
  const few = (examples: Example[], name: string) => tooFew(examples, name, leastPositives);
  const noReal = few(validation, 'validation') ?? few(test, 'test');
  const [noTrain, noSynthetic] = [few(real, 'training'), few(synthetic, 'synthetic')];
  const notes: Partial<Record<Arrangement, string | undefined>> = {
    real: noReal ?? noTrain,
    synthetic: noReal ?? noSynthetic,
    augmented: noReal ?? noTrain ?? noSynthetic,
    'real-on-synthetic': noReal ?? noTrain ?? few(asked, 'synthetic test'),
  };
  const train: LabelPlan['train'] = {};
  if (!notes.real) train.real = real;
  if (!notes.synthetic) train.synthetic = synthetic;
  if (!notes.augmented) train.augmented = [...real, ...synthetic];
  const given = Object.entries(notes).filter(([, note]) => note);
  const asks = notes['real-on-synthetic'] ? [] : asked;
  return { label, test, syntheticTest: asks, validation, train, notes: Object.fromEntries(given) };
};

/** One training of a plan. The real classifier is asked about synthetic patients as well. */
export const taskOf = (
  plan: LabelPlan,
  source: 'real' | 'synthetic' | 'augmented',
  hidden: ReadonlySet<number> | undefined,
): ClassifierTask | undefined => {
  const train = plan.train[source];
  if (!train) return undefined;
  return {
    // Equal over the sources: all start from the same weights, so they differ by their data alone.
    id: plan.label,
    train,
    validation: plan.validation,
    score: source === 'real' ? [...plan.test, ...plan.syntheticTest] : plan.test,
    hidden,
  };
};

/**
 * Tokens of the codes that define each label, by label; `undefined` where no definition of that name is
 * known.
 */
export type LabelDefinitions = readonly (ReadonlySet<number> | undefined)[];

/**
 * Definitions of a vocabulary's labels: diagnoses of the phenotype that has the label's name, and where codes
 * are rolled up the categories that hold one of them.
 */
export const definingTokens = ({ codes, labels }: Vocabulary, phenotypes: Phenotypes): LabelDefinitions =>
  labels.map((name) => {
    const label = phenotypes.names.indexOf(name);
    if (label < 0) return undefined;
    const defining = new Set(
      [...phenotypes.labelOf].flatMap(([code, of]) =>
        of === label ? [code, icd9Category('dx', code) ?? code] : [],
      ),
    );
    const tokens = [...codes.keys()].filter((token) => {
      const { modality, code } = codes[token] as Vocabulary['codes'][number];
      return modality === 'dx' && defining.has(code);
    });
    return new Set(tokens);
  });

/** The same, by the definitions that the cohort's labels are made with. */
export const labelDefinitions = async (vocabulary: Vocabulary): Promise<LabelDefinitions> =>
  definingTokens(vocabulary, await readPhenotypes());
