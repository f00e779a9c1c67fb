import type { Modality, TokenKind } from '../../../../schemas/ehr.ts';
import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import { type AsyncSteps, asyncPhase } from '../../../kernel/steps.ts';
import { type Example, visitLimit } from '../../../nn/networks/visit-batch.ts';
import { patientCount, type VisitColumns, visitsOf } from '../../../patients/visit-columns.ts';
import { draw } from '../../learners/examples.ts';
import type { Wanted } from './next-visit-network.ts';
import type { UtilityCohorts } from './phenotyping-sets.ts';
import { highest, noRecalls, type Recalls, RecallTally, recallDepths } from './recall.ts';
import {
  type NextVisitSets,
  type NextVisitTraining,
  nextVisitTrainingDefaults,
  trainNextVisit,
} from './train-next-visit.ts';

/** How many real and how many synthetic patients a predictor is trained on. */
interface TrainingMix {
  real: number;
  synthetic: number;
}

export interface NextVisitOptions {
  seed: number;
  replicates: number;
  /** What predictors are trained on; default: PromptEHR's sizes as shares of the training patients. */
  mixes?: readonly TrainingMix[];
  /** Which codes are predicted; PromptEHR predicts diagnoses. Default: diagnoses. All modalities are read. */
  modalities?: readonly Modality[];
  training?: Partial<Omit<NextVisitTraining, 'seed' | 'tokens' | 'wanted'>>;
}

export interface NextVisitRow extends TrainingMix {
  /** Visits the predictor learned to predict. */
  trainingVisits: number;
  recall: Recalls;
  /** What the recalls are means of; absent where there is none. */
  tally?: RecallTally;
}

interface NextVisitResult {
  rows: NextVisitRow[];
  /**
   * Always the codes that are commonest in later visits of the real training patients: a baseline without
   * learning.
   */
  commonest: Recalls;
  /** Test patients, by the numbers that the tallies have them under. */
  tested: Int32Array;
}

/** Training patients of PromptEHR (section 4.1), and the largest synthetic cohort it uses (figure 6). */
const paperReal = 39_581;
const paperSynthetic = 50_000;

/**
 * PromptEHR's experiments (figures 5 to 7) for `real` training and `synthetic` patients: 5k, 10k and all
 * real; 5k to 50k synthetic; and 10k or 30k real with each of these. Sizes are shares of the paper's training
 * patients. Its 50k are 1.26 times those: with a smaller synthetic cohort all sizes but `all real` shrink
 * alike until the largest is the whole cohort, so every point can be trained and real and synthetic patients
 * are mixed as in the paper. Equal mixes are listed once.
 */
export const promptEhrMixes = (real: number, synthetic: number): TrainingMix[] => {
  const unit = Math.min(
    real / paperReal,
    synthetic > 0 ? synthetic / paperSynthetic : Number.POSITIVE_INFINITY,
  );
  const scaled = (size: number) => Math.round(size * unit);
  const made = [5_000, 10_000, 30_000, paperSynthetic].map(scaled);
  const mixes = [
    ...[scaled(5_000), scaled(10_000), real].map((size) => ({ real: size, synthetic: 0 })),
    ...made.map((size) => ({ real: 0, synthetic: size })),
    ...[10_000, 30_000].flatMap((size) => made.map((other) => ({ real: scaled(size), synthetic: other }))),
  ];
  return mixes.filter(
    (mix, i) =>
      mixes.findIndex((other) => other.real === mix.real && other.synthetic === mix.synthetic) === i,
  );
};

const allExamples = (cohort: VisitColumns): Example[] =>
  Array.from({ length: patientCount(cohort) }, (_, patient) => ({ cohort, patient, positive: false }));

/** Codes of each visit that is to be predicted, as far as the network reads back. */
const laterVisits = ({ cohort, patient }: Example, wanted: Wanted): Int32Array[] => {
  const end = cohort.visitOffsets[patient + 1] as number;
  const visits: Int32Array[] = [];
  for (let v = end - Math.min(visitLimit, visitsOf(cohort, patient)) + 1; v < end; v++) {
    const codes = cohort.codes.subarray(cohort.codeOffsets[v], cohort.codeOffsets[v + 1]).filter(wanted);
    if (codes.length > 0) visits.push(codes);
  }
  return visits;
};

const commonestGuesses = (
  train: readonly Example[],
  test: readonly Example[],
  tokens: number,
  wanted: Wanted,
): RecallTally => {
  const counts = new Float64Array(tokens);
  for (const example of train)
    for (const visit of laterVisits(example, wanted))
      for (const token of visit) counts[token] = (counts[token] as number) + 1;
  const guesses = highest(counts, Math.max(...recallDepths)).filter((token) => (counts[token] as number) > 0);
  const tally = new RecallTally();
  for (const [patient, example] of test.entries())
    for (const visit of laterVisits(example, wanted)) tally.add(patient, guesses, visit);
  return tally;
};

/** Uses of the seed that no other measure has. */
const uses = { real: 2 ** 21, synthetic: 2 ** 21 + 1 } as const;

/** Why a mix cannot be trained, or nothing. */
const reason = (mix: TrainingMix, cohorts: UtilityCohorts, sets: NextVisitSets): string | undefined => {
  for (const [name, cohort] of [
    ['real', cohorts.train],
    ['synthetic', cohorts.synthetic],
  ] as const)
    if (patientCount(cohort) < mix[name])
      return `${mix[name]} ${name} patients are asked for, and there are ${patientCount(cohort)}`;
  const empty = (['train', 'validation', 'test'] as const).find((name) => sets[name].length === 0);
  if (!empty) return undefined;
  const part = empty === 'train' ? 'training' : empty;
  return `no ${part} patient has a visit with codes after the first, so there is nothing to predict`;
};

/**
 * PromptEHR's utility (Wang and Sun 2022, section 4.5): a predictor of the next visit's codes, trained on
 * real and synthetic patients in several mixes, chosen on real validation patients and tested on real test
 * patients.
 */
export async function* nextVisit(
  cohorts: UtilityCohorts,
  vocabulary: Vocabulary,
  options: NextVisitOptions,
): AsyncSteps<NextVisitResult> {
  const { seed, replicates } = options;
  const modalities: readonly TokenKind[] = options.modalities ?? ['dx'];
  const tokens = vocabulary.codes.length;
  const wanted = (token: number) => modalities.includes(vocabulary.codes[token]?.modality ?? 'dx');
  const predictable = (examples: readonly Example[]) =>
    examples.filter((example) => laterVisits(example, wanted).length > 0);
  const validation = predictable(allExamples(cohorts.validation));
  const test = predictable(allExamples(cohorts.test));
  const real = draw(allExamples(cohorts.train), patientCount(cohorts.train), seed, uses.real);
  const synthetic = draw(
    allExamples(cohorts.synthetic),
    patientCount(cohorts.synthetic),
    seed,
    uses.synthetic,
  );
  const training = { ...nextVisitTrainingDefaults, ...options.training, seed, tokens, wanted };
  const mixes = options.mixes ?? promptEhrMixes(patientCount(cohorts.train), patientCount(cohorts.synthetic));
  const rows: NextVisitRow[] = [];
  for (const [at, mix] of mixes.entries()) {
    const train = predictable([...real.slice(0, mix.real), ...synthetic.slice(0, mix.synthetic)]);
    const sets = { train, validation, test };
    const note = reason(mix, cohorts, sets);
    const trainingVisits = train.reduce((sum, example) => sum + laterVisits(example, wanted).length, 0);
    const name = `next visit, ${mix.real} real + ${mix.synthetic} synthetic`;
    if (note) {
      rows.push({ ...mix, trainingVisits, recall: noRecalls(note) });
      continue;
    }
    const tally = yield* asyncPhase(name, at, mixes.length, trainNextVisit(sets, training));
    rows.push({ ...mix, trainingVisits, recall: tally.measure(seed, replicates), tally });
  }
  const commonest = commonestGuesses(real, test, tokens, wanted).measure(seed, replicates);
  return { rows, commonest, tested: Int32Array.from(test, ({ patient }) => patient) };
}
