import { RandomSource } from '../../../kernel/random.ts';
import type { AsyncSteps } from '../../../kernel/steps.ts';
import { dropoutMasks } from '../../../nn/networks/encoder-dropout.ts';
import type { Example } from '../../../nn/networks/visit-batch.ts';
import { type CodeBook, codeBook, packExamples } from '../../../nn/networks/visit-batch.ts';
import { openOps } from '../../../nn/ops/open-ops.ts';
import type { Ops } from '../../../nn/ops/ops.ts';
import { type EpochLearner, epochsFor, trainEpochs } from '../../../nn/training/epoch-cursor.ts';
import { adamUpdate } from '../../learners/classifier-network.ts';
import {
  type NextVisitNetwork,
  nextVisitLoss,
  nextVisits,
  openNextVisit,
  predictNext,
  predictNextBackward,
  targetsOf,
  type Wanted,
} from './next-visit-network.ts';
import { highest, RecallTally, recallDepths } from './recall.ts';

export interface NextVisitTraining {
  seed: number;
  tokens: number;
  wanted: Wanted;
  embedding: number;
  hidden: number;
  /** Width of the layer between LSTM and codes. */
  middle: number;
  layers: number;
  dropout: number;
  learningRate: number;
  batchSize: number;
  epochs: number;
  leastUpdates: number;
  patience: number;
}

/**
 * Widths as in PromptEHR, section 4.2 (128 hidden units, 256 between). One forward layer where the paper has
 * three in both directions: a backward one would read the visit that is to be predicted. Ten times the
 * paper's rate of 1e-4, so that some hundred updates are enough.
 */
export const nextVisitTrainingDefaults = {
  embedding: 128,
  hidden: 128,
  middle: 256,
  layers: 1,
  dropout: 0,
  learningRate: 0.001,
  batchSize: 128,
  epochs: 20,
  leastUpdates: 300,
  patience: 4,
} as const satisfies Omit<NextVisitTraining, 'seed' | 'tokens' | 'wanted'>;

/** Patients of one set; those with a single visit have nothing to predict and cost nothing. */
export interface NextVisitSets {
  train: readonly Example[];
  validation: readonly Example[];
  test: readonly Example[];
}

/** Tokens that some visit after the first has, in the order of the network's outputs. */
const outputsOf = (examples: readonly Example[], tokens: number, wanted: Wanted): Int32Array => {
  const seen = new Uint8Array(tokens);
  for (const { cohort, patient } of examples) {
    const from = cohort.codeOffsets[(cohort.visitOffsets[patient] as number) + 1] as number;
    const to = cohort.codeOffsets[cohort.visitOffsets[patient + 1] as number] as number;
    for (let at = from; at < to; at++) seen[cohort.codes[at] as number] = 1;
  }
  return Int32Array.from([...seen.keys()].filter((token) => seen[token] === 1 && wanted(token)));
};

/** One network in training. */
class NextVisitFit implements EpochLearner<Example[]> {
  readonly batches: number;
  readonly epochs: number;
  /** Of the test visits, at the epoch with the least validation loss. */
  best = new RecallTally();
  readonly #ops: Ops;
  readonly #options: NextVisitTraining;
  readonly #sets: NextVisitSets;
  readonly #book: CodeBook;
  readonly #outputs: Int32Array;
  readonly #outputOf: Int32Array;
  readonly #network: NextVisitNetwork;
  readonly #order: RandomSource;
  #updates = 0;

  constructor(ops: Ops, sets: NextVisitSets, options: NextVisitTraining) {
    this.#ops = ops;
    this.#options = options;
    this.#sets = sets;
    this.batches = Math.ceil(sets.train.length / options.batchSize);
    this.epochs = epochsFor(this.batches, options.epochs, options.leastUpdates);
    this.#book = codeBook(sets.train, options.tokens);
    this.#outputs = outputsOf(sets.train, options.tokens, options.wanted);
    this.#outputOf = new Int32Array(options.tokens).fill(-1);
    this.#outputs.forEach((token, output) => {
      this.#outputOf[token] = output;
    });
    const shape = { ...options, directions: 1, outputs: this.#outputs.length } as const;
    const draws = { source: new RandomSource(options.seed, 'weights'), ids: [2 ** 32] };
    this.#network = openNextVisit(ops, shape, this.#book, draws);
    this.#order = new RandomSource(options.seed, 'order');
  }

  /** Number that addresses an epoch's draws. */
  #major = (epoch: number): number => 2 ** 49 + epoch;

  *batchesOf(epoch: number): Generator<Example[]> {
    const { train } = this.#sets;
    const order = this.#order.permutation(train.length, this.#major(epoch));
    for (let from = 0; from < order.length; from += this.#options.batchSize)
      yield Array.from(order.subarray(from, from + this.#options.batchSize), (i) => train[i] as Example);
  }

  #prepare(examples: readonly Example[]) {
    const batch = packExamples([examples], [this.#book]);
    const visits = nextVisits(batch, examples, this.#options.wanted);
    return { batch, visits, targets: targetsOf(visits, this.#outputOf, this.#outputs.length) };
  }

  learn(examples: Example[], epoch: number, index: number): void {
    const [ops, network, options] = [this.#ops, this.#network, this.#options];
    const { batch, visits, targets } = this.#prepare(examples);
    const draws = { source: this.#order, majors: [this.#major(epoch)], batch: index };
    const shape = { ...options, directions: 1 } as const;
    ops.scope(() => {
      const masks = dropoutMasks(ops, draws, batch.rows, shape, options.dropout);
      const trace = predictNext(ops, network, batch, visits, masks);
      const update = adamUpdate(ops, network.encoder, ++this.#updates, options.learningRate);
      predictNextBackward({ ops, update }, network, trace, targets);
    });
  }

  /** Per validation visit. */
  validate(): [number] {
    let [sum, count] = [0, 0];
    for (const { batch, visits, targets } of this.#chunks(this.#sets.validation)) {
      const ops = this.#ops;
      sum += ops.scope(() =>
        nextVisitLoss(ops, predictNext(ops, this.#network, batch, visits).logits, targets),
      );
      count += visits.rows.length;
    }
    return [sum / count];
  }

  improved(): void {
    this.best = this.#test();
  }

  *#chunks(examples: readonly Example[]) {
    const size = 256;
    for (let from = 0; from < examples.length; from += size)
      yield { from, ...this.#prepare(examples.slice(from, from + size)) };
  }

  #test(): RecallTally {
    const tally = new RecallTally();
    const width = this.#outputs.length;
    for (const { from, batch, visits } of this.#chunks(this.#sets.test)) {
      const ops = this.#ops;
      const scores = ops.scope(() => ops.download(predictNext(ops, this.#network, batch, visits).logits));
      for (const [row, actual] of visits.actual.entries()) {
        const best = highest(scores.subarray(row * width, (row + 1) * width), Math.max(...recallDepths));
        const guesses = best.map((output) => this.#outputs[output] as number);
        tally.add(from + (visits.examples[row] as number), guesses, actual);
      }
    }
    return tally;
  }
}

/**
 * Trains a next-visit predictor and reports how it recalls the codes of test visits at the epoch with the
 * least validation loss. Each set must have something to predict. Codes that no training visit has are never
 * guessed.
 */
export async function* trainNextVisit(
  sets: NextVisitSets,
  options: NextVisitTraining,
): AsyncSteps<RecallTally> {
  const ops = await openOps();
  try {
    const fit = new NextVisitFit(ops, sets, options);
    const { batches, epochs } = fit;
    yield* trainEpochs('the next-visit predictor', { batches, epochs, patience: options.patience }, fit);
    return fit.best;
  } finally {
    ops.dispose();
  }
}
