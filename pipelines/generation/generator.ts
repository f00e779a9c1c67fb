import type { z } from 'zod';
import type { TokenKind } from '../../schemas/ehr.ts';
import { StageError } from '../../schemas/errors.ts';
import type { Vocabulary } from '../../schemas/vocabulary.ts';
import type { Checkpointable, NamedArray, Saved } from '../kernel/checkpointable.ts';
import { parseConfig } from '../kernel/parse-config.ts';
import type { AsyncSteps } from '../kernel/steps.ts';
import type { Demographic, VisitColumns } from '../patients/visit-columns.ts';

/** What a generator learns from: the training split, the validation split, and what the tokens mean. */
export interface TrainingData {
  vocabulary: Vocabulary;
  train: VisitColumns;
  validation: VisitColumns;
}

/** One point of the learning curve; `validationLoss` where the model has just been validated. */
export interface StepReport {
  loss: number;
  /** Counted from 1. */
  epoch: number;
  validationLoss?: number;
  /** Of cross-validation, in words. */
  fold?: string;
  /**
   * A step of a training whose length cross-validation has chosen: the learning curve is that of the folds.
   */
  isRepeat?: boolean;
}

/**
 * A generator in training. `step` is one unit of work; between two of them it can be saved and loaded again.
 */
export interface Fitting extends Checkpointable {
  /**
   * Upper bound; early stopping may end before, and it falls where training finds out that it needs fewer.
   */
  readonly steps: number;
  /** Its config with every default decided, as `model.json` holds it. */
  readonly settings: Record<string, unknown>;
  /** Aggregates for people: parameters, what was left out of the data, whether training can stop early. */
  readonly facts: Record<string, number | string>;
  /** True once nothing is left to do (all steps done, or early stopping). */
  readonly finished: boolean;
  step(): Promise<StepReport>;
  /**
   * The fitted model: what a sampler needs and nothing else (best weights, no optimizer). Once training has
   * ended it is calibrated here, which may take minutes. Heartbeats go on meanwhile.
   */
  model(): Promise<Saved>;
  /** Frees tensors. */
  dispose(): void;
}

export interface SampleRequest {
  /** Index of the first patient: patient i comes from random stream i, whatever the batch or worker. */
  first: number;
  count: number;
  seed: number;
  /**
   * `[count, labels]` row-major 0/1 to condition on, `drawnLabel` where the model samples; absent: it samples
   * all.
   */
  labels?: Uint8Array;
  /** Facts to condition on, `count` values each; those left out, and -1 or NaN, are sampled by the model. */
  demographics?: Record<string, Demographic>;
  /**
   * Settings of sampling, checked by the generator's own `sampling` schema; absent: that schema's defaults.
   */
  sampling?: unknown;
  /** Real patients to build around, for a generator that can (`seedMode: warm`): patient i around seed i. */
  seeds?: VisitColumns;
}

/** A label that the model is to sample, among those it is conditioned on. */
export const drawnLabel = 255;

/**
 * A record's probability as the product of yes-or-no decisions, one per cell: does this patient have this
 * label, this visit this code, does the record end here. One entry per patient in each array.
 */
export interface Tally {
  /** Natural logarithm; −∞ for a record that the model cannot sample. */
  logProbability: Float64Array;
  cells: Int32Array;
  /** Cells that are a yes. */
  positives: Int32Array;
  /**
   * Cells whose yes has a probability above one half: of those that are a yes, and of those that are none.
   */
  truePositives: Int32Array;
  falsePositives: Int32Array;
}

/** Nothing counted yet, for so many patients. */
export const emptyTally = (patients: number): Tally => ({
  logProbability: new Float64Array(patients),
  cells: new Int32Array(patients),
  positives: new Int32Array(patients),
  truePositives: new Int32Array(patients),
  falsePositives: new Int32Array(patients),
});

/** The probability that a fitted generator assigns to given patients. */
export interface PatientScores extends Tally {
  /** Patients whose record is longer than the model can read; its beginning is scored. */
  cut: number;
  /** As the authors' code counts, where that is something else. */
  reference?: Tally & {
    /** Per patient, what their perplexity per visit divides by. */
    visits: Int32Array;
    /** Per patient, what their mean loss divides by. */
    paddedCells: number;
  };
}

/**
 * −ln probability of given codes, one entry per visit and token kind (`[visits, tokenKinds]` row-major,
 * summed over the codes of that kind; 0 where there are none). Codes count as draws from the kind's own
 * codes: the probabilities of one kind add up to one.
 */
export interface ConditionalScores {
  /** Given the visits before: what PromptEHR's equation 6 sums. */
  longitudinal: Float64Array;
  /** Given the visits before and the other kinds of the same visit: what its equation 7 sums. */
  crossModal: Float64Array;
  /** Codes that both are summed over. */
  codes: Int32Array;
  /** Patients with a visit that is scored without their oldest visits, as the model cannot read them all. */
  cut: number;
  /**
   * −ln probability code by code as in `columns.codes`, as the authors' code scores: each code also given
   * those before it in its own span. NaN where it scores none: in its longitudinal case the first visit of a
   * record.
   */
  reference?: { longitudinal: Float64Array; crossModal: Float64Array };
}

/** What is asked of a generator that fills in what a record does not have. */
export interface ImputeRequest {
  columns: VisitColumns;
  /**
   * `completion`: further codes of every visit; `next-visit`: the visit after the last; `cross-modal`: the
   * codes of `kind` in every visit from the visits before and the other kinds of the same visit, its own
   * codes ignored.
   */
  task: 'completion' | 'next-visit' | 'cross-modal';
  /** Which kinds to fill in; absent: all (`cross-modal` needs exactly one). */
  kinds?: readonly TokenKind[];
  /** Most codes of one visit and kind, the likeliest; absent: all that are possible. */
  top?: number;
}

/**
 * Probabilities of codes in a visit, likeliest first inside a visit. Equally long columns. Codes that the
 * visit already has are left out (but in `cross-modal`, which ignores those of its kind), and so are
 * impossible ones.
 */
export interface Imputation {
  patient: Int32Array;
  /** Counted inside the patient, from 0; `next-visit` is one past the last. */
  visit: Int32Array;
  code: Int32Array;
  /** That the visit has the code. */
  probability: Float32Array;
}

/**
 * A fitted generator, ready to sample patients. Of the optional methods it has those that its generator
 * declares.
 */
export interface Sampler {
  /**
   * Facts it can be conditioned on, as it was fitted to them: numbers, or levels; absent where there is none.
   */
  readonly features?: Readonly<Record<string, 'numeric' | readonly string[]>>;
  /** Patients are sampled in blocks of this many; requests along these borders waste no work. Default 1. */
  readonly block?: number;
  sample(request: SampleRequest): Promise<VisitColumns>;
  /** The probability of these patients; absent where the model defines no probability of a record. */
  score?(columns: VisitColumns): AsyncSteps<PatientScores>;
  /**
   * The probability of each visit's codes given other parts of the record; absent where it cannot condition.
   */
  conditional?(columns: VisitColumns): AsyncSteps<ConditionalScores>;
  /** Fills in what records do not have; absent where it cannot. */
  impute?(request: ImputeRequest): AsyncSteps<Imputation>;
  dispose(): void;
}

/** Weights that the code of a paper has trained, in its names; any kind of number. */
export interface Checkpoint<V = never> {
  tensors: Record<string, NamedArray>;
  /**
   * Its codes in the order of the weights, labels where they have names; or what
   * `CheckpointImport.vocabulary` reads.
   */
  vocabulary: Vocabulary | V;
  /** Of the random numbers for rows that the checkpoint lacks. */
  seed: number;
}

/** A checkpoint as a fitted model. */
export interface Adopted {
  saved: Saved;
  /** The checkpoint's, with a name for every label. */
  vocabulary: Vocabulary;
  /** As `Fitting.settings`. */
  settings: Record<string, unknown>;
  parameters: number;
  /** What was assumed or made up, one sentence each. */
  notes: string[];
}

/**
 * How weights of a paper's code become a model. What only that code has is here, and nowhere else in the
 * contract.
 */
export interface CheckpointImport<O extends z.ZodObject = z.ZodObject, V extends z.ZodType = z.ZodType> {
  /**
   * Options that `understudy import` takes for this generator beside its own; each optional. Help is made of
   * them.
   */
  options: O;
  /** Options that are given as the path of a JSON file; the schema checks its content. */
  files?: readonly (keyof z.input<O> & string)[];
  /**
   * Another form that the vocabulary file may have in that code; absent: only the forms that all generators
   * take.
   */
  vocabulary?: V;
  /** Throws SourceMalformed where shapes, vocabulary and options do not fit, with numbers. */
  adopt(checkpoint: Checkpoint<z.output<V>>, options: z.output<O>): Adopted;
}

export const defineImport = <O extends z.ZodObject, V extends z.ZodType = z.ZodNever>(
  checkpointImport: CheckpointImport<O, V>,
): CheckpointImport<O, V> => checkpointImport;

/** A fitted model that a training starts from: its weights, and the vocabulary they are for. */
export interface FittedModel {
  saved: Saved;
  vocabulary: Vocabulary;
}

/**
 * What a generator can do beside learning and sampling, each with its meaning for users. A generator declares
 * its capabilities, so that help, docs and plans know them before any weights are read.
 */
export const capabilities = {
  labels: 'samples patients with labels that are asked for (`generate.labels`)',
  demographics: 'samples patients with demographics that are asked for (`generate.demographics`)',
  seeds: 'builds patients around real ones (`generate.seedMode: warm`)',
  score: 'gives the probability of a record, for metrics that ask the model',
  conditional: 'gives the probability of codes given the rest of the record, for metrics that ask the model',
  impute: 'fills in what records do not have (`understudy impute`)',
  'warm-start': 'its training can start from a fitted model (`generators[].from`)',
  import: 'takes over weights of its paper’s code (`understudy import`)',
} as const;
export type Capability = keyof typeof capabilities;

/** A method that can learn and sample. One file in pipelines/generators, found by its name. */
export interface Generator<C extends z.ZodType = z.ZodType> {
  /** Must equal the file name. */
  name: string;
  title: string;
  /** Where it is described: authors, year, title, and an address where there is one. */
  paper: string;
  /** Bump when the same data, config and seed should give other weights or samples. */
  version: number;
  config: C;
  /** Settings of sampling, `SampleRequest.sampling`; absent: there are none. */
  sampling?: z.ZodType;
  /** What its samplers and requests can do. `warm-start` and `import` follow from the methods below. */
  capabilities: readonly Exclude<Capability, 'warm-start' | 'import'>[];
  /** It knows no relation between codes: the models of a run are compared with it. */
  baseline?: true;
  fit(data: TrainingData, config: z.output<C>, seed: number): Promise<Fitting>;
  /**
   * As `fit`, but from a model of the same generator instead of fresh weights; absent where that means
   * nothing. Throws InvalidConfig where the model has another size than the config asks for, or a vocabulary
   * it cannot take over.
   */
  fitFrom?(start: FittedModel, data: TrainingData, config: z.output<C>, seed: number): Promise<Fitting>;
  open(saved: Saved, config: z.output<C>, vocabulary: Vocabulary): Promise<Sampler>;
  /** Takes over weights of the paper's code; absent where there is none. */
  importCheckpoint?: CheckpointImport;
}

export const defineGenerator = <C extends z.ZodType>(generator: Generator<C>): Generator<C> => generator;

/** All that a generator can do, in the order of `capabilities`. */
export const capabilitiesOf = ({
  capabilities: own,
  fitFrom,
  importCheckpoint,
}: Pick<Generator, 'capabilities' | 'fitFrom' | 'importCheckpoint'>): Capability[] => {
  const all = new Set<string>(own);
  if (fitFrom) all.add('warm-start');
  if (importCheckpoint) all.add('import');
  return (Object.keys(capabilities) as Capability[]).filter((name) => all.has(name));
};

/** A generator's config with its own defaults. Throws InvalidConfig naming the key. */
export const generatorConfig = (generator: Generator, config: unknown): unknown =>
  parseConfig(generator.config, config, `${generator.name}: config`);

/** Settings of a generator's sampling with its own defaults. Throws InvalidConfig naming the key. */
export const generatorSampling = (
  { name, sampling }: Generator,
  given: Readonly<Record<string, unknown>>,
): unknown => {
  if (sampling) return parseConfig(sampling, given, `${name}: sampling`);
  const [key] = Object.keys(given);
  if (key === undefined) return {};
  throw new StageError(
    'InvalidConfig',
    `${name}: sampling.${key}: this generator has no settings of sampling; leave them out`,
  );
};
