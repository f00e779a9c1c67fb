import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import { RandomSource } from '../../../kernel/random.ts';
import { type AsyncSteps, asyncPhase } from '../../../kernel/steps.ts';
import { patientCount, type VisitColumns } from '../../../patients/visit-columns.ts';
import { beginnings } from '../../learners/record-cases.ts';
import { askRecordModels, type RecordTraining } from '../../learners/record-models.ts';
import { type PrivacyCohorts, sample, tooFewPatients } from '../../statistics/samples.ts';
import { type AttackResult, attackMissing, type ScoreOptions, scoreAttack } from './attack-scores.ts';
import { type AttackerTraining, attackerScores } from './shadow-attacker.ts';
import { type FeatureTable, nextVisitQuestion, selectRows, shadowFeatures } from './shadow-features.ts';

export type ShadowTraining = Omit<RecordTraining, 'seed' | 'tokens'>;

/** Synthetic patients from which on the shadow has the paper's size. */
const manyPatients = 10_000;

/**
 * The shadow for so many synthetic patients: from 10,000 on three layers of 128 in both directions and 256
 * units after them (PromptEHR, section 4.2), below one layer and half of that. Higher rates than the paper's
 * 1e-4, with which some hundred updates teach nothing: a shadow must memorize its patients to recognize a
 * copy.
 */
export const shadowTrainingFor = (patients: number): ShadowTraining => {
  const isLarge = patients >= manyPatients;
  return {
    embedding: isLarge ? 128 : 64,
    hidden: isLarge ? 128 : 64,
    middle: isLarge ? 256 : 128,
    layers: isLarge ? 3 : 1,
    directions: 2,
    learningRate: isLarge ? 0.001 : 0.005,
    batchSize: 64,
    epochs: 20,
    leastUpdates: 300,
  };
};

export const attackerTrainingDefaults = {
  width: 32,
  learningRate: 0.003,
  updates: 100,
} as const satisfies Omit<AttackerTraining, 'seed'>;

export interface ShadowOptions extends ScoreOptions {
  /** Most members attacked, and as many non-members. */
  size?: number;
  /** What differs from `shadowTrainingFor` the synthetic cohort. */
  shadow?: Partial<ShadowTraining>;
  attacker?: Partial<Omit<AttackerTraining, 'seed'>>;
}

export interface ShadowResult {
  /** Half of the test patients teach the attacker what strangers look like, the other half are attacked. */
  apart: AttackResult;
  /** As PromptEHR has it: the attacker has learned from the very test patients it is then asked about. */
  published: AttackResult;
}

/** Uses of the seed; see samples.ts for those below. */
const draws = { reference: 16, synthetic: 17, members: 18 } as const;

/** `size` of `count` rows without replacement, and those left over. */
const deal = (count: number, size: number, seed: number, use: keyof typeof draws) => {
  const order = new RandomSource(seed, 'attack').permutation(count, draws[use]);
  return [order.subarray(0, size), order.subarray(size)] as const;
};

const rowsOf = ({ width, values }: FeatureTable): number => values.length / width;

interface Parties {
  synthetic: FeatureTable;
  test: FeatureTable;
  train: FeatureTable;
}

/** Trains the attacker and asks it about as many members as non-members. */
async function* attack(
  {
    synthetic,
    reference,
    nonMembers,
    train,
  }: Record<'reference' | 'nonMembers', FeatureTable> & Omit<Parties, 'test'>,
  options: ShadowOptions,
): AsyncSteps<AttackResult> {
  const { seed } = options;
  const [made] = deal(rowsOf(synthetic), rowsOf(reference), seed, 'synthetic');
  const attacked = Math.min(rowsOf(nonMembers), rowsOf(train));
  const [members] = deal(rowsOf(train), attacked, seed, 'members');
  const lesson = { synthetic: selectRows(synthetic, made), reference };
  const strangers = selectRows(
    nonMembers,
    Int32Array.from({ length: attacked }, (_, i) => i),
  );
  const training = { ...attackerTrainingDefaults, ...options.attacker, seed };
  const scores = yield* attackerScores(lesson, [selectRows(train, members), strangers], training);
  const [first, second] = scores as [Float64Array, Float64Array];
  return scoreAttack({ members: first, nonMembers: second }, options);
}

/** What the shadow of the synthetic cohort makes of all three sides. */
async function* askShadow(
  cohorts: PrivacyCohorts,
  shown: PrivacyCohorts,
  vocabulary: Vocabulary,
  options: ShadowOptions,
): AsyncSteps<Parties> {
  const tokens = vocabulary.codes.length;
  const [synthetic, test, train] = [shown.synthetic, shown.test, shown.train].map((cohort) =>
    shadowFeatures(cohort, vocabulary),
  ) as [
    ReturnType<typeof shadowFeatures>,
    ReturnType<typeof shadowFeatures>,
    ReturnType<typeof shadowFeatures>,
  ];
  const task = { cohort: cohorts.synthetic, cases: beginnings(cohorts.synthetic) };
  const queries = [synthetic.query, test.query, train.query];
  const defaults = shadowTrainingFor(patientCount(cohorts.synthetic));
  const training = { ...defaults, ...options.shadow, seed: options.seed, tokens };
  yield* askRecordModels([task], queries, nextVisitQuestion(tokens), training);
  return { synthetic: synthetic.table, test: test.table, train: train.table };
}

const hasVisits = ({ codeOffsets }: VisitColumns): boolean => codeOffsets.length > 1;

/**
 * PromptEHR's membership inference (Wang and Sun 2022, section 3.6): a shadow model learns from the synthetic
 * patients to predict visit after visit, and so stands for the generator; an attack model learns to
 * distinguish synthetic patients from real ones by the shadow's perplexities of them, and is asked about
 * training and test patients. The shadow reads only what comes before the visit it predicts, in both
 * directions where it has two.
 */
export async function* shadowAttack(
  cohorts: PrivacyCohorts,
  vocabulary: Vocabulary,
  options: ShadowOptions,
): AsyncSteps<ShadowResult> {
  const note =
    tooFewPatients({ train: cohorts.train }) ??
    tooFewPatients({ synthetic: cohorts.synthetic }, 2) ??
    // Two to learn from, and two to be attacked.
    tooFewPatients({ test: cohorts.test }, 4) ??
    (hasVisits(cohorts.synthetic)
      ? undefined
      : 'no synthetic patient has a visit, so a shadow has nothing to learn');
  if (note) return { apart: attackMissing(note), published: attackMissing(note) };
  const { seed, size = Infinity } = options;
  const test = sample(cohorts.test, 2 * size, seed, 'test');
  const most = patientCount(test);
  const shown = {
    test,
    synthetic: sample(cohorts.synthetic, most, seed, 'synthetic'),
    train: sample(cohorts.train, most, seed, 'train'),
  };
  const seen = yield* asyncPhase('shadow', 0, 3, askShadow(cohorts, shown, vocabulary, options));
  const [half, others] = deal(most, Math.ceil(most / 2), seed, 'reference');
  const [reference, nonMembers] = [selectRows(seen.test, half), selectRows(seen.test, others)];
  const apart = yield* asyncPhase('attack', 1, 3, attack({ ...seen, reference, nonMembers }, options));
  const both = { ...seen, reference: seen.test, nonMembers: seen.test };
  const published = yield* asyncPhase('published', 2, 3, attack(both, options));
  return { apart, published };
}
