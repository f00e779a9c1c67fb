import { RandomSource } from '../../kernel/random.ts';
import type { AsyncSteps } from '../../kernel/steps.ts';
import { dropoutMasks } from '../../nn/networks/encoder-dropout.ts';
import type { Example } from '../../nn/networks/visit-batch.ts';
import { type CodeBook, codeBook, packExamples } from '../../nn/networks/visit-batch.ts';
import type { EncoderShape } from '../../nn/networks/visit-encoder.ts';
import { openOps } from '../../nn/ops/open-ops.ts';
import type { Ops } from '../../nn/ops/ops.ts';
import { type EpochLearner, epochsFor, trainEpochs } from '../../nn/training/epoch-cursor.ts';
import {
  adamUpdate,
  type ClassifierNetwork,
  classify,
  classifyBackward,
  openClassifiers,
} from './classifier-network.ts';

/**
 * Settings of a classifier and its training; the defaults are those of HALO's published script where it has
 * one.
 */
export interface ClassifierOptions extends EncoderShape {
  seed: number;
  /** Tokens of the vocabulary. */
  tokens: number;
  dropout: number;
  learningRate: number;
  batchSize: number;
  /** Most passes over the training set. */
  epochs: number;
  /** Small sets get more passes, until this many updates are reached. */
  leastUpdates: number;
  /** Training of a group ends when none of its classifiers got better on validation for so many epochs. */
  patience: number;
  /** Classifiers trained side by side. */
  groupSize: number;
}

/**
 * HALO's sizes, rates and dropout, but smaller batches: with the 512 of the script, 250 cases would make one
 * update an epoch. `groupSize` as measured by bench/utility.ts.
 */
export const classifierDefaults = {
  embedding: 64,
  hidden: 32,
  layers: 2,
  directions: 2,
  dropout: 0.5,
  learningRate: 0.001,
  batchSize: 128,
  epochs: 25,
  leastUpdates: 400,
  patience: 8,
  groupSize: 10,
} as const satisfies Omit<ClassifierOptions, 'seed' | 'tokens'>;

/** One classifier to be: what it learns from, what picks its best epoch, and whom it is asked about. */
export interface ClassifierTask {
  /** Addresses its random numbers: equal ids start from equal weights. */
  id: number;
  train: readonly Example[];
  validation: readonly Example[];
  score: readonly Example[];
  /** Tokens it must not see. */
  hidden?: ReadonlySet<number>;
}

/** Probability of the label for each example of `score`, at the epoch with the least validation loss. */
export interface ClassifierScores {
  scores: Float64Array;
  epoch: number;
  validationLoss: number;
}

/** Log odds for the examples of each group, in their order. */
const logitsOf = (
  ops: Ops,
  network: ClassifierNetwork,
  groups: readonly (readonly Example[])[],
  books: readonly CodeBook[],
): Float64Array[] => {
  const results = groups.map((examples) => new Float64Array(examples.length));
  const chunk = 512;
  const longest = Math.max(...groups.map((examples) => examples.length));
  for (let from = 0; from < longest; from += chunk) {
    const batch = packExamples(
      groups.map((examples) => examples.slice(from, from + chunk)),
      books,
    );
    const logits = ops.scope(() => ops.download(classify(ops, network, batch).logits));
    for (const [i, example] of batch.exampleOf.entries())
      if (example >= 0)
        (results[Math.floor(i / batch.rows.slots)] as Float64Array)[from + example] = logits[i] as number;
  }
  return results;
};

/** Mean binary cross-entropy of log odds. */
const meanLoss = (logits: Float64Array, examples: readonly Example[]): number =>
  examples.reduce((sum, { positive }, i) => {
    const z = (positive ? -1 : 1) * (logits[i] as number);
    return sum + Math.max(0, z) + Math.log1p(Math.exp(-Math.abs(z)));
  }, 0) / examples.length;

/** A group of classifiers in training. */
class ClassifierGroup implements EpochLearner<Example[][]> {
  readonly batches: number;
  readonly epochs: number;
  readonly best: ClassifierScores[];
  readonly #ops: Ops;
  readonly #tasks: readonly ClassifierTask[];
  readonly #options: ClassifierOptions;
  readonly #books: CodeBook[] = [];
  readonly #network: ClassifierNetwork;
  readonly #order: RandomSource;
  #updates = 0;
  #losses: number[] = [];

  constructor(ops: Ops, tasks: readonly ClassifierTask[], options: ClassifierOptions) {
    const { seed, tokens, batchSize, leastUpdates } = options;
    this.#ops = ops;
    this.#tasks = tasks;
    this.#options = options;
    this.batches = Math.max(...tasks.map(({ train }) => Math.ceil(train.length / batchSize)));
    this.epochs = epochsFor(this.batches, options.epochs, leastUpdates);
    this.best = tasks.map(() => ({ scores: new Float64Array(), epoch: 0, validationLoss: Infinity }));
    for (const { train, hidden } of tasks) {
      const first = this.#books.reduce((sum, book) => sum + book.tokens.length, 0);
      this.#books.push(codeBook(train, tokens, first, hidden));
    }
    this.#network = openClassifiers(ops, options, this.#books, {
      source: new RandomSource(seed, 'weights'),
      ids: tasks.map(({ id }) => id),
    });
    this.#order = new RandomSource(seed, 'order');
  }

  /** Number that addresses the draws of one task in one epoch. */
  #major = (task: ClassifierTask, epoch: number): number => task.id * 65536 + epoch;

  /** Each task's cases in a new order, cut into equally many batches whatever its size. */
  *batchesOf(epoch: number): Generator<Example[][]> {
    const orders = this.#tasks.map((task) =>
      this.#order.permutation(task.train.length, this.#major(task, epoch)),
    );
    for (let b = 0; b < this.batches; b++)
      yield this.#tasks.map(({ train }, i) => {
        const [from, to] = [b, b + 1].map((edge) => Math.floor((edge * train.length) / this.batches));
        return Array.from((orders[i] as Int32Array).subarray(from, to), (at) => train[at] as Example);
      });
  }

  learn(examples: Example[][], epoch: number, index: number): void {
    const [ops, network] = [this.#ops, this.#network];
    const batch = packExamples(examples, this.#books);
    const { slots } = batch.rows;
    const targets = Float32Array.from(batch.exampleOf, (example, i) =>
      examples[Math.floor(i / slots)]?.[example]?.positive ? 1 : 0,
    );
    const draws = {
      source: this.#order,
      majors: this.#tasks.map((task) => this.#major(task, epoch)),
      batch: index,
    };
    ops.scope(() => {
      const masks = dropoutMasks(ops, draws, batch.rows, this.#options, this.#options.dropout);
      const trace = classify(ops, network, batch, masks);
      const update = adamUpdate(ops, network.encoder, ++this.#updates, this.#options.learningRate);
      classifyBackward({ ops, update }, network, trace, targets);
    });
  }

  validate(): number[] {
    const validations = this.#tasks.map(({ validation }) => validation);
    const logits = logitsOf(this.#ops, this.#network, validations, this.#books);
    this.#losses = validations.map((validation, i) => meanLoss(logits[i] as Float64Array, validation));
    return this.#losses;
  }

  /** Those that got better score their cases. */
  improved(epoch: number, better: readonly boolean[]): void {
    const scored = this.#tasks.map(({ score }, i) => (better[i] ? score : []));
    for (const [i, answer] of logitsOf(this.#ops, this.#network, scored, this.#books).entries())
      if (better[i])
        this.best[i] = {
          scores: answer.map((logit) => 1 / (1 + Math.exp(-logit))),
          epoch,
          validationLoss: this.#losses[i] as number,
        };
  }
}

/**
 * Trains a classifier per task, `groupSize` of them as one batched network, and asks each about its patients.
 * Every task needs examples to train and to validate on. Safe points at every batch; early stopping makes
 * progress jump. Numbers depend on seed, tasks and options; throws Diverged on a loss that is not finite.
 */
export async function* trainClassifiers(
  tasks: readonly ClassifierTask[],
  options: ClassifierOptions,
): AsyncSteps<ClassifierScores[]> {
  const results: ClassifierScores[] = [];
  for (let from = 0; from < tasks.length; from += options.groupSize) {
    const ops = await openOps();
    try {
      const group = new ClassifierGroup(ops, tasks.slice(from, from + options.groupSize), options);
      const { batches, epochs, best } = group;
      const training = trainEpochs('classifiers', { batches, epochs, patience: options.patience }, group);
      for await (const { step, of } of training)
        yield { step: Math.round(1000 * (from + (step / of) * best.length)), of: 1000 * tasks.length };
      results.push(...group.best);
    } finally {
      ops.dispose();
    }
  }
  return results;
}
