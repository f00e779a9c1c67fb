import { z } from 'zod';
import type { TokenKind } from '../../schemas/ehr.ts';
import { StageError } from '../../schemas/errors.ts';
import type { Vocabulary } from '../../schemas/vocabulary.ts';
import type { Checkpointable, NamedArray, Saved } from '../kernel/checkpointable.ts';
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
}

/** A generator being fitted. `step` is one unit of work; between two of them it can be saved and taken up again. */
export interface Fitting extends Checkpointable {
  /** Upper bound; early stopping may end before. */
  readonly steps: number;
  /** Its config with every default decided, as `model.json` tells it. */
  readonly settings: Record<string, unknown>;
  /** Aggregates for people: parameters, what was left out of the data, whether training can stop early. */
  readonly facts: Record<string, number | string>;
  /** True once nothing is left to do (all steps done, or early stopping). */
  readonly finished: boolean;
  step(): Promise<StepReport>;
  /** The fitted model: what a sampler needs and nothing else (best weights, no optimizer). Heartbeats go on meanwhile. */
  model(): Promise<Saved>;
  /** Frees tensors. */
  dispose(): void;
}

export interface SampleRequest {
  /** Index of the first patient: patient i draws from random stream i, whatever the batch or worker. */
  first: number;
  count: number;
  seed: number;
  /** `[count, labels]` row-major 0/1 to condition on, `drawnLabel` where the model draws; absent: it draws all. */
  labels?: Uint8Array;
  /** Facts to condition on, `count` values each; those left out, and -1 or NaN, are drawn by the model. */
  demographics?: Record<string, Demographic>;
  /** How to draw, checked by the generator's own `drawing` schema; absent: that schema's defaults. */
  drawing?: unknown;
  /** Real patients to build around, for a generator that can (`seedMode: warm`): patient i around seed i. */
  seeds?: VisitColumns;
}

/** A label that the model is to draw, among those it is conditioned on. */
export const drawnLabel = 255;

/**
 * A record's probability as the product of yes-or-no decisions, one per cell: does this patient have this label, this
 * visit this code, does the record end here. One entry per patient in each array.
 */
export interface Tally {
  /** Natural logarithm; −∞ for a record that the model cannot draw. */
  logProbability: Float64Array;
  cells: Int32Array;
  /** Cells that are a yes. */
  positives: Int32Array;
  /** Cells whose yes the model finds more likely than not: of those that are one, and of those that are none. */
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

/** How likely a fitted generator finds given patients. */
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
 * −ln probability of given codes, one entry per visit and token kind (`[visits, tokenKinds]` row-major, summed over
 * the codes of that kind; 0 where there are none). Codes count as draws from the kind's own codes: the probabilities
 * of one kind add up to one.
 */
export interface ConditionalScores {
  /** Given the visits before: what PromptEHR's equation 6 sums. */
  longitudinal: Float64Array;
  /** Given the visits before and the other kinds of the same visit: what its equation 7 sums. */
  crossModal: Float64Array;
  /** Codes that both are summed over. */
  codes: Int32Array;
  /** Patients of whom some visit is told without the oldest visits, as the model cannot read them all. */
  cut: number;
  /**
   * −ln probability code by code as in `columns.codes`, as the authors' code scores: each code also given those
   * before it in its own span. NaN where it scores none: in its longitudinal case the first visit of a record.
   */
  reference?: { longitudinal: Float64Array; crossModal: Float64Array };
}

/** What is asked of a generator that fills in what a record does not say. */
export interface ImputeRequest {
  columns: VisitColumns;
  /**
   * `completion`: further codes of every visit; `next-visit`: the visit after the last; `cross-modal`: the codes of
   * `kind` in every visit from the visits before and the other kinds of the same visit, its own codes ignored.
   */
  task: 'completion' | 'next-visit' | 'cross-modal';
  /** Which kinds to fill in; absent: all (`cross-modal` needs exactly one). */
  kinds?: readonly TokenKind[];
  /** Most codes of one visit and kind, the likeliest; absent: all that are possible. */
  top?: number;
}

/**
 * How likely codes are in a visit, likeliest first inside a visit. Equally long columns. Codes that the visit already
 * has are left out (but in `cross-modal`, which ignores those of its kind), and so are impossible ones.
 */
export interface Imputation {
  patient: Int32Array;
  /** Counted inside the patient, from 0; `next-visit` is one past the last. */
  visit: Int32Array;
  code: Int32Array;
  /** That the visit has the code. */
  probability: Float32Array;
}

/** A fitted generator, ready to draw patients. */
export interface Sampler {
  /** Facts it can be told, as it was fitted to them: numbers, or levels; absent where there is none. */
  readonly features?: Readonly<Record<string, 'numeric' | readonly string[]>>;
  /** Patients are drawn in blocks of this many; requests along these borders waste no work. Default 1. */
  readonly block?: number;
  sample(request: SampleRequest): Promise<VisitColumns>;
  /** How likely it finds these patients; absent where the model defines no probability of a record. */
  score?(columns: VisitColumns): AsyncSteps<PatientScores>;
  /** How likely it finds each visit's codes given other parts of the record; absent where it cannot condition. */
  conditional?(columns: VisitColumns): AsyncSteps<ConditionalScores>;
  /** Fills in what records do not say; absent where it cannot. */
  impute?(request: ImputeRequest): AsyncSteps<Imputation>;
  dispose(): void;
}

/** Weights that the code of a paper has trained, in its names; any kind of number. */
export interface Checkpoint {
  tensors: Record<string, NamedArray>;
  /** What the weights speak, in their order; labels may be left out where only their number is known. */
  vocabulary: Vocabulary;
  /** Instead of the vocabulary: the rows of its tokenizer by text, and what its codes are called. */
  tokens?: Readonly<Record<string, number>>;
  names?: Readonly<Record<string, string>>;
  /** Beside the vocabulary: the tokenizer of a language model, for rows of codes out of the pieces of their titles. */
  pieces?: {
    rows: Readonly<Record<string, number>>;
    merges: readonly (readonly [string, string])[];
  };
  /** What its prompts are about, to be checked by who takes it over. */
  features?: unknown;
  /** Attention heads and longest record, where shapes do not tell. */
  heads?: number;
  maxVisits?: number;
  /** Of the draws for rows that the checkpoint lacks. */
  seed: number;
}

/** A checkpoint as a fitted model. */
export interface Adopted {
  saved: Saved;
  /** The checkpoint's, labels named. */
  vocabulary: Vocabulary;
  /** As `Fitting.settings`. */
  settings: Record<string, unknown>;
  parameters: number;
  /** What was assumed or made up, one sentence each. */
  notes: string[];
}

/** A fitted model that a training starts from: its weights, and what they speak. */
export interface FittedModel {
  saved: Saved;
  vocabulary: Vocabulary;
}

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
  /** What `SampleRequest.drawing` may say; absent: nothing can be set. */
  drawing?: z.ZodType;
  /** What of a `SampleRequest` it heeds beyond labels; whoever asks it for more is refused. */
  heeds?: readonly ('demographics' | 'seeds')[];
  fit(data: TrainingData, config: z.output<C>, seed: number): Promise<Fitting>;
  /**
   * As `fit`, but from a model of the same generator instead of fresh weights; absent where that means nothing. Throws
   * InvalidConfig where the model is of another size than the config asks for, or speaks what it cannot take over.
   */
  fitFrom?(start: FittedModel, data: TrainingData, config: z.output<C>, seed: number): Promise<Fitting>;
  open(saved: Saved, config: z.output<C>, vocabulary: Vocabulary): Promise<Sampler>;
  /** Takes over weights of the paper's code; absent where there is none. Throws SourceMalformed, with numbers. */
  adopt?(checkpoint: Checkpoint): Adopted;
}

export const defineGenerator = <C extends z.ZodType>(generator: Generator<C>): Generator<C> => generator;

/** A generator's config with its own defaults. Throws InvalidConfig naming the key. */
export const generatorConfig = (generator: Generator, config: unknown): unknown => {
  const { success, data, error } = generator.config.safeParse(config);
  if (success) return data;
  throw new StageError('InvalidConfig', `config of ${generator.name}: ${z.prettifyError(error)}`);
};

/** How a generator is to draw, with its own defaults. Throws InvalidConfig naming the key. */
export const generatorDrawing = (generator: Generator, drawing: Record<string, unknown>): unknown => {
  const { drawing: schema, name } = generator;
  if (!schema && Object.keys(drawing).length === 0) return {};
  if (!schema)
    throw new StageError(
      'InvalidConfig',
      `drawing of ${name}: it draws in one way only, expected no settings, found ${Object.keys(drawing).join(', ')}`,
    );
  const { success, data, error } = schema.safeParse(drawing);
  if (success) return data;
  throw new StageError('InvalidConfig', `drawing of ${name}: ${z.prettifyError(error)}`);
};
