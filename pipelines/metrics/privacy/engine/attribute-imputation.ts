import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import type { AsyncSteps } from '../../../kernel/steps.ts';
import { patientCount, type VisitColumns } from '../../../patients/visit-columns.ts';
import { askRecordModels } from '../../learners/record-models.ts';
import { type Measure, missing } from '../../statistics/measure.ts';
import { divide, type PrivacyCohorts, sample, tooFewPatients } from '../../statistics/samples.ts';
import {
  type BeliefOptions,
  type BeliefResult,
  type BelievedCodes,
  beliefResults,
  noBelief,
} from './belief-scores.ts';
import {
  askHidden,
  attributeQuestion,
  type HiddenCodes,
  hideOneByOne,
  spreadCodes,
} from './candidate-codes.ts';
import { type ShadowTraining, shadowTrainingFor } from './shadow-attack.ts';

export interface ImputationOptions {
  seed: number;
  replicates: number;
  /** Tokens asked about; default: up to `codeCount`, common and rare. */
  codes?: readonly number[];
  codeCount?: number;
  /** A code is asked about where at least so many attacked patients have it, and as many have not. */
  leastPatients?: number;
  /** Most training patients attacked. */
  size?: number;
  /** Thresholds δ at which success is reported. */
  thresholds?: readonly number[];
  /** What differs from the defaults for so many synthetic patients. */
  training?: Partial<ShadowTraining>;
}

export interface ImputationResult {
  /** Codes asked about. */
  codes: number;
  /** Model of the synthetic patients over a prior of real strangers, asked about training patients. */
  attack: BeliefResult;
  /** The same asked about real patients that no generator was trained on. */
  strangers: BeliefResult;
  /**
   * A model of real strangers in the place of that of the synthetic patients, asked about training patients.
   */
  control: BeliefResult;
  /** AUC of the attack less that on strangers: what the cohort discloses about its training patients. */
  excess: Measure;
  /** AUC of the attack less that of the control. */
  beyondControl: Measure;
  /** As PromptEHR has it: the prior has learned from the very patients that are attacked. */
  published: { attack: BeliefResult; control: BeliefResult };
}

export const imputationDefaults = {
  codeCount: 50,
  leastPatients: 10,
  size: 5000,
  thresholds: [0, 1],
} as const;

/**
 * Fewer passes than a shadow's, as every code that is there makes a case of its own, and as a prior that has
 * memorized its patients does not generalize.
 */
export const imputationTraining = { batchSize: 128, epochs: 10, leastUpdates: 150 } as const;

const nothing = (note: string): ImputationResult => {
  const none = noBelief(note);
  return {
    codes: 0,
    attack: none,
    strangers: none,
    control: none,
    excess: missing(note),
    beyondControl: missing(note),
    published: { attack: none, control: none },
  };
};

/** Places of the models in the order they are trained. */
const models = { synthetic: 0, prior: 1, control: 2, publishedPrior: 3, publishedControl: 4 } as const;

/** What a model believes beyond what a prior does: ln P̂ − ln P0 of each code of each patient. */
const believed = (
  { present, codes }: HiddenCodes,
  logs: readonly Float64Array[],
  model: keyof typeof models,
  prior: keyof typeof models,
): BelievedCodes => {
  const [high, low] = [logs[models[model]] as Float64Array, logs[models[prior]] as Float64Array];
  return { scores: high.map((log, i) => log - (low[i] as number)), present, codes: codes.length };
};

type Five<T> = [T, T, T, T, T];

interface Sides {
  attacked: VisitColumns;
  /**
   * Two halves of the test patients: one is what the attacker knows of people, the other is compared with.
   */
  known: VisitColumns;
  strangers: VisitColumns;
}

const sidesOf = ({ train, test }: PrivacyCohorts, seed: number, size: number): Sides => {
  const [known, strangers] = divide(test, Math.ceil(patientCount(test) / 2), seed, 'test');
  return { attacked: sample(train, size, seed, 'train'), known, strangers };
};

/** Puts the models' answers together. */
const resultsOf = (
  { own, others }: { own: HiddenCodes; others: HiddenCodes },
  members: readonly Float64Array[],
  outside: readonly Float64Array[],
  options: BeliefOptions,
): ImputationResult => {
  const asked = (model: keyof typeof models, prior: keyof typeof models) => ({
    believed: believed(own, members, model, prior),
    group: 0,
  });
  const arms = [
    asked('synthetic', 'prior'),
    asked('control', 'prior'),
    { believed: believed(others, outside, 'synthetic', 'prior'), group: 1 },
    asked('synthetic', 'publishedPrior'),
    asked('publishedControl', 'publishedPrior'),
  ];
  const compared = [
    [0, 2],
    [0, 1],
  ] as const;
  const { results, differences } = beliefResults(arms, compared, options);
  const [attack, control, strangers, published, publishedControl] = results as Five<BeliefResult>;
  const [excess, beyondControl] = differences as [Measure, Measure];
  return {
    codes: own.codes.length,
    attack,
    strangers,
    control,
    excess,
    beyondControl,
    published: { attack: published, control: publishedControl },
  };
};

/**
 * PromptEHR's attribute inference (Wang and Sun 2022, section 3.6, after Zhang et al. 2021): the attacker
 * knows a record but for one code, and infers that the patient has it where a model of the synthetic
 * patients assigns it a probability higher by a factor e^δ than a prior does.
 */
export async function* attributeImputation(
  cohorts: PrivacyCohorts,
  vocabulary: Vocabulary,
  options: ImputationOptions,
): AsyncSteps<ImputationResult> {
  const given = { ...imputationDefaults, ...options };
  const { train, synthetic, test } = cohorts;
  const note = tooFewPatients({ train, synthetic }) ?? tooFewPatients({ test }, 2);
  if (note) return nothing(note);
  const { attacked, known, strangers } = sidesOf(cohorts, given.seed, given.size);
  const codes = given.codes ?? spreadCodes(attacked, vocabulary, given.codeCount, given.leastPatients);
  if (codes.length === 0)
    return nothing(
      given.codes
        ? 'the vocabulary has none of the codes that were to be hidden'
        : `no code is had by ${given.leastPatients} of the ${patientCount(attacked)} attacked patients and lacked by as many`,
    );
  const hide = (cohort: VisitColumns) => hideOneByOne(cohort, codes);
  const tasks = [synthetic, known, strangers, train, test].map(hide);
  const [own, others] = [hide(attacked), tasks[models.control] as HiddenCodes];
  const [members, outside] = [askHidden(own, tasks.length), askHidden(others, tasks.length)];
  const defaults = shadowTrainingFor(patientCount(synthetic));
  const training = {
    ...defaults,
    ...imputationTraining,
    ...given.training,
    seed: given.seed,
    tokens: vocabulary.codes.length,
  };
  const question = attributeQuestion(tasks, codes);
  yield* askRecordModels(tasks, [members.query, outside.query], question, training);
  return resultsOf({ own, others }, members.logs, outside.logs, given);
}
