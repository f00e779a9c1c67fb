import { StageError } from '../../../schemas/errors.ts';
import { RandomSource } from '../../kernel/random.ts';
import type { AsyncSteps } from '../../kernel/steps.ts';
import {
  openRecordNetwork,
  type RecordNetwork,
  readRecords,
  readRecordsBackward,
} from '../../nn/networks/lstm-mlp.ts';
import { type CodeBook, codeBook, packExamples, type VisitBatch } from '../../nn/networks/visit-batch.ts';
import type { EncoderShape } from '../../nn/networks/visit-encoder.ts';
import { openOps } from '../../nn/ops/open-ops.ts';
import type { Ops } from '../../nn/ops/ops.ts';
import { type EpochLearner, epochsFor, trainEpochs } from '../../nn/training/epoch-cursor.ts';
import type { VisitColumns } from '../../patients/visit-columns.ts';
import { adamUpdate } from './classifier-network.ts';
import { excerpts, type RecordCase } from './record-cases.ts';

export interface RecordTraining extends EncoderShape {
  seed: number;
  /** Tokens of the vocabulary. */
  tokens: number;
  /** Width of the layer between LSTM and codes. */
  middle: number;
  learningRate: number;
  batchSize: number;
  epochs: number;
  /** Small sets get more passes, until this many updates are reached. */
  leastUpdates: number;
}

/** What a model learns to say of a case. */
export interface Question {
  /** Numbers it says. */
  outputs: number;
  /** Weights of a case: one for all its outputs, or one for each. */
  weights: number;
  /** Fills in what is right (0 or 1) and how much each counts; both arrays come as zeros. */
  answer(task: RecordTask, asked: RecordCase, targets: Float32Array, weights: Float32Array): void;
}

/** One model to be, and the patients it learns from. */
export interface RecordTask {
  cohort: VisitColumns;
  cases: readonly RecordCase[];
}

/**
 * Records that every model is asked about. `tell` gets the log odds of one case, which are overwritten later.
 */
export interface RecordQuery extends RecordTask {
  tell(task: number, index: number, logits: Float32Array): void;
}

/** A part of the weight draws that no other network has; all models start from equal weights. */
const weightId = 2 ** 33;

const everyone = (cohort: VisitColumns) =>
  Array.from({ length: cohort.visitOffsets.length - 1 }, (_, patient) => ({
    cohort,
    patient,
    positive: false,
  }));

/** Models of one group, in training and when asked. */
class RecordModels implements EpochLearner<RecordTask[]> {
  readonly batches: number;
  readonly epochs: number;
  readonly #ops: Ops;
  readonly #tasks: readonly RecordTask[];
  readonly #question: Question;
  readonly #options: RecordTraining;
  readonly #books: CodeBook[] = [];
  readonly #network: RecordNetwork;
  readonly #order: RandomSource;
  #updates = 0;

  constructor(ops: Ops, tasks: readonly RecordTask[], question: Question, options: RecordTraining) {
    const { seed, tokens, batchSize } = options;
    this.#ops = ops;
    this.#tasks = tasks;
    this.#question = question;
    this.#options = options;
    this.batches = Math.max(...tasks.map(({ cases }) => Math.ceil(cases.length / batchSize)));
    this.epochs = epochsFor(this.batches, options.epochs, options.leastUpdates);
    for (const { cohort } of tasks) {
      const first = this.#books.reduce((sum, book) => sum + book.tokens.length, 0);
      this.#books.push(codeBook(everyone(cohort), tokens, first));
    }
    const shape = { ...options, outputs: question.outputs };
    const draws = { source: new RandomSource(seed, 'weights'), ids: tasks.map(() => weightId) };
    this.#network = openRecordNetwork(ops, shape, this.#books, draws);
    this.#order = new RandomSource(seed, 'order');
  }

  #pack(groups: readonly RecordTask[]): VisitBatch {
    return packExamples(
      groups.map(({ cohort, cases }) => excerpts(cohort, cases)),
      this.#books,
    );
  }

  /** Each model's cases in a new order, cut into equally many batches whatever their number. */
  *batchesOf(epoch: number): Generator<RecordTask[]> {
    const orders = this.#tasks.map(({ cases }) => this.#order.permutation(cases.length, weightId + epoch));
    for (let b = 0; b < this.batches; b++)
      yield this.#tasks.map(({ cohort, cases }, i) => {
        const [from, to] = [b, b + 1].map((edge) => Math.floor((edge * cases.length) / this.batches));
        const own = (orders[i] as Int32Array).subarray(from, to);
        return { cohort, cases: Array.from(own, (at) => cases[at] as RecordCase) };
      });
  }

  /** What is right for a batch; each model's loss is a mean over its cases. */
  #answers(groups: readonly RecordTask[], { exampleOf, rows: { slots } }: VisitBatch) {
    const { outputs, weights: width } = this.#question;
    const targets = new Float32Array(exampleOf.length * outputs);
    const weights = new Float32Array(exampleOf.length * width);
    for (const [slot, index] of exampleOf.entries()) {
      const group = groups[Math.floor(slot / slots)] as RecordTask;
      const asked = group.cases[index];
      if (!asked) continue;
      const own = weights.subarray(slot * width, (slot + 1) * width);
      this.#question.answer(group, asked, targets.subarray(slot * outputs, (slot + 1) * outputs), own);
      for (let i = 0; i < width; i++) own[i] = (own[i] as number) / group.cases.length;
    }
    return { targets, weights };
  }

  learn(groups: readonly RecordTask[]): void {
    const [ops, network] = [this.#ops, this.#network];
    const batch = this.#pack(groups);
    const answers = this.#answers(groups, batch);
    ops.scope(() => {
      const trace = readRecords(ops, network, batch);
      const update = adamUpdate(ops, network.encoder, ++this.#updates, this.#options.learningRate);
      readRecordsBackward({ ops, update }, network, trace, answers);
    });
  }

  /** Asks every model about `cases`; `names` are the models' numbers. */
  ask({ cohort, cases, tell }: RecordQuery, from: number, names: readonly number[]): void {
    const [ops, { outputs }] = [this.#ops, this.#question];
    const batch = this.#pack(names.map(() => ({ cohort, cases })));
    const logits = ops.scope(() => ops.download(readRecords(ops, this.#network, batch).logits));
    if (!logits.every(Number.isFinite))
      throw new StageError('Diverged', 'a model that attacks privacy has weights that are not finite');
    for (const [slot, index] of batch.exampleOf.entries()) {
      if (index < 0) continue;
      const name = names[Math.floor(slot / batch.rows.slots)] as number;
      tell(name, from + index, logits.subarray(slot * outputs, (slot + 1) * outputs));
    }
  }
}

/** Models of alike size, so that none waits for another: indices of `tasks`, largest first. */
const groupsOf = (tasks: readonly RecordTask[]): number[][] => {
  const size = (index: number) => (tasks[index] as RecordTask).cases.length;
  const groups: number[][] = [];
  for (const index of [...tasks.keys()].sort((a, b) => size(b) - size(a) || a - b)) {
    const group = groups.at(-1);
    if (group && size(index) * 2 >= size(group[0] as number)) group.push(index);
    else groups.push([index]);
  }
  return groups;
};

/** Cases asked about together; of this many outputs at most. */
const chunkOf = (outputs: number): number => Math.max(1, Math.min(512, Math.floor(2 ** 21 / outputs)));

/**
 * Trains a model for each task, those of alike size as one batched network, and asks all of them the queries.
 * Every task needs cases. Safe points at every batch; throws Diverged on numbers that are not finite.
 */
export async function* askRecordModels(
  tasks: readonly RecordTask[],
  queries: readonly RecordQuery[],
  question: Question,
  options: RecordTraining,
): AsyncSteps<void> {
  const chunk = chunkOf(question.outputs);
  let done = 0;
  for (const names of groupsOf(tasks)) {
    const ops = await openOps();
    try {
      const own = names.map((index) => tasks[index] as RecordTask);
      const models = new RecordModels(ops, own, question, options);
      const { batches, epochs } = models;
      const plan = { batches, epochs, patience: Number.POSITIVE_INFINITY };
      for await (const { step, of } of trainEpochs('models that attack privacy', plan, models)) {
        const share = (0.9 * step) / of;
        yield { step: Math.round(1000 * (done + share * names.length)), of: 1000 * tasks.length };
      }
      for (const query of queries)
        for (let from = 0; from < query.cases.length; from += chunk) {
          models.ask({ ...query, cases: query.cases.slice(from, from + chunk) }, from, names);
          yield { step: Math.round(1000 * (done + 0.95 * names.length)), of: 1000 * tasks.length };
        }
    } finally {
      ops.dispose();
    }
    done += names.length;
  }
}
