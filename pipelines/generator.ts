import type { z } from 'zod';
import type { Vocabulary } from '../schemas/vocabulary.ts';
import type { Checkpointable, Saved } from './checkpointable.ts';
import type { VisitColumns } from './cohort/visit-columns.ts';
import type { AsyncSteps } from './measure.ts';

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
  /** The fitted model: what a sampler needs and nothing else (best weights, no optimizer). */
  model(): Saved;
  /** Frees tensors. */
  dispose(): void;
}

export interface SampleRequest {
  /** Index of the first patient: patient i draws from random stream i, whatever the batch or worker. */
  first: number;
  count: number;
  seed: number;
  /** `[count, labels]` row-major 0/1 to condition on; absent: the model draws the labels too. */
  labels?: Uint8Array;
}

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

/** A fitted generator, ready to draw patients. */
export interface Sampler {
  /** Patients are drawn in blocks of this many; requests along these borders waste no work. Default 1. */
  readonly block?: number;
  sample(request: SampleRequest): Promise<VisitColumns>;
  /** How likely it finds these patients; absent where the model defines no probability of a record. */
  score?(columns: VisitColumns): AsyncSteps<PatientScores>;
  dispose(): void;
}

/** A method that can learn and sample. One file in pipelines/models, found by its name. */
export interface Generator<C extends z.ZodType = z.ZodType> {
  /** Must equal the file name. */
  name: string;
  title: string;
  /** Where it is described: authors, year, title, and an address where there is one. */
  paper: string;
  /** Bump when the same data, config and seed should give other weights or samples. */
  version: number;
  config: C;
  fit(data: TrainingData, config: z.output<C>, seed: number): Promise<Fitting>;
  open(saved: Saved, config: z.output<C>, vocabulary: Vocabulary): Promise<Sampler>;
}

export const defineGenerator = <C extends z.ZodType>(generator: Generator<C>): Generator<C> => generator;
