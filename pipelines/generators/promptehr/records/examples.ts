/**
 * What PromptEHR is trained on (section 3.1 to 3.3): a context, and spans of one visit that are predicted
 * from it. The tasks differ by what the context contains of that visit beside the visits before it.
 */

import { type RandomSource, UniformStream } from '../../../kernel/random.ts';
import { type VisitColumns, withVisits } from '../../../patients/visit-columns.ts';
import { packSequences, type SpanBatch } from '../network/sequences.ts';
import { type Corruption, corruptedVisit } from './corruption.ts';
import { type PromptFeatures, promptsOf } from './features.ts';
import {
  contextStream,
  type Spans,
  type StreamLayout,
  spanSteps,
  spansOf,
  visitStream,
  without,
} from './streams.ts';

/** A visit that an example is made of, with its patient. */
export interface ExampleVisit {
  columns: VisitColumns;
  patient: number;
  /** Counted over all patients, as codeOffsets counts. */
  visit: number;
}

/** Every visit of a cohort, with its patient. */
export const exampleVisits = (columns: VisitColumns): ExampleVisit[] =>
  [...withVisits(columns)].flatMap((patient) => {
    const first = columns.visitOffsets[patient] as number;
    const visits = (columns.visitOffsets[patient + 1] as number) - first;
    return Array.from({ length: visits }, (_, i) => ({ columns, patient, visit: first + i }));
  });

/** Codes of a visit and of those before it: contexts are about as long. */
export const lengthOf = ({ columns: { visitOffsets, codeOffsets }, patient, visit }: ExampleVisit): number =>
  (codeOffsets[visit + 1] as number) - (codeOffsets[visitOffsets[patient] as number] as number);

/**
 * longitudinal: nothing, all spans are predicted. crossModal: all spans but the one that is predicted.
 * generation: the first 0, 1, … spans, those after them are predicted. completion: all spans, corrupted, and
 * all are predicted whole.
 */
export const tasks = ['longitudinal', 'crossModal', 'generation', 'completion'] as const;
export type Task = (typeof tasks)[number];

/** How examples are made; a fitted model reads records by the same rules. */
export interface ExampleRules {
  contextTokens: number;
  order: 'canonical' | 'shuffled';
  /** How often each task is chosen, in parts of their sum. */
  tasks: Record<Task, number>;
  /** Share of examples whose context is corrupted; completion always is. */
  corrupted: number;
  corruption: Corruption;
}

/** One context and the spans that are predicted from it. */
export interface Example {
  patient: number;
  context: number[];
  spans: { kind: number; inputs: number[]; targets: number[] }[];
}

/** What the context contains of the visit, and which kinds are predicted. */
interface TaskSpans {
  given: Spans | undefined;
  predicted: number[];
}

const sampleTask = (weights: Record<Task, number>, uniform: number): Task => {
  const total = tasks.reduce((sum, task) => sum + weights[task], 0);
  let left = uniform * total;
  const chosen = tasks.find((task) => {
    left -= weights[task];
    return left < 0;
  });
  return chosen ?? 'generation';
};

/** Where nothing is given there is no visit at all: the context ends with the one before. */
const spansOfTask = (task: Task, spans: Spans, stream: UniformStream): TaskSpans => {
  const all = [...spans.keys()];
  const from = (first: number): TaskSpans => {
    const predicted = all.slice(first);
    return { given: first > 0 ? without(spans, predicted) : undefined, predicted };
  };
  if (task === 'longitudinal') return from(0);
  if (task === 'completion') return { given: spans, predicted: all };
  if (task === 'generation') return from(stream.below(spans.length));
  const kind = stream.below(spans.length);
  return { given: spans.length > 1 ? without(spans, [kind]) : undefined, predicted: [kind] };
};

/** The spans that are predicted, cut to `most` tokens of decoder input. A span that is cut has no end. */
const predictedSpans = (
  layout: StreamLayout,
  spans: Spans,
  kinds: readonly number[],
  most: number,
  arrange: (codes: readonly number[]) => number[],
): Example['spans'] =>
  kinds.map((kind) => {
    const { inputs, targets } = spanSteps(layout, kind, arrange(Array.from(spans[kind] ?? [])));
    return { kind, inputs: inputs.slice(0, most), targets: targets.slice(0, most) };
  });

/** Streams of the patient's visits before this one. */
export const history = (
  { columns, patient, visit }: ExampleVisit,
  streamOf: (visit: number) => number[],
): number[][] => {
  const first = columns.visitOffsets[patient] as number;
  return Array.from({ length: visit - first }, (_, i) => streamOf(first + i));
};

/** The example that a visit is in one epoch: decided by (seed, epoch, visit) and nothing else. */
export const trainingExample = (
  layout: StreamLayout,
  rules: ExampleRules,
  at: ExampleVisit,
  random: RandomSource,
  epoch: number,
): Example => {
  const stream = new UniformStream(random, at.visit, epoch);
  const task = sampleTask(rules.tasks, stream.next());
  const isCorrupted = stream.next() < rules.corrupted;
  const spans = spansOf(layout, at.columns, at.visit);
  const { given, predicted } = spansOfTask(task, spans, stream);
  const arrange = rules.order === 'shuffled' ? stream.shuffled.bind(stream) : Array.from<number>;
  const outputs = predictedSpans(layout, spans, predicted, rules.contextTokens, arrange);
  const streamOf = (of: Spans, corrupt: boolean) =>
    corrupt ? corruptedVisit(layout, of, rules.corruption, stream) : visitStream(layout, of);
  const visits = history(at, (visit) => streamOf(spansOf(layout, at.columns, visit), isCorrupted));
  if (given) visits.push(streamOf(given, isCorrupted || task === 'completion'));
  const { tokens } = contextStream(visits, rules.contextTokens);
  return { patient: at.patient, context: tokens, spans: outputs };
};

/**
 * The examples whose spans together have the probability of a visit, as generation factorizes it: each span
 * given the visits before and the spans before it, uncorrupted, codes ascending.
 */
export const generationExamples = (
  layout: StreamLayout,
  contextTokens: number,
  at: ExampleVisit,
): Example[] => {
  const spans = spansOf(layout, at.columns, at.visit);
  const before = history(at, (visit) => visitStream(layout, spansOf(layout, at.columns, visit)));
  return spans.map((_, kind) => {
    const later = [...spans.keys()].filter((other) => other >= kind);
    const visits = kind > 0 ? [...before, visitStream(layout, without(spans, later))] : before;
    const { tokens } = contextStream(visits, contextTokens);
    const outputs = predictedSpans(layout, spans, [kind], contextTokens, Array.from<number>);
    return { patient: at.patient, context: tokens, spans: outputs };
  });
};

/** Examples as one batch for the network; in canonical order, no code can come below the one before. */
export const packExamples = (
  examples: readonly Example[],
  features: PromptFeatures,
  columns: VisitColumns,
  order: ExampleRules['order'],
): SpanBatch => {
  const spans = examples.flatMap(({ spans }, source) => spans.map((span) => ({ ...span, source })));
  const patients = examples.map(({ patient }) => patient);
  return {
    contexts: packSequences(examples.map(({ context }) => context)),
    spans: packSequences(spans.map(({ inputs }) => inputs)),
    sources: Int32Array.from(spans, ({ source }) => source),
    heads: Int32Array.from(spans, ({ kind }) => kind),
    targets: Int32Array.from(spans.flatMap(({ targets }) => targets)),
    floors:
      order === 'canonical'
        ? Int32Array.from(spans.flatMap(({ targets }) => [1, ...targets.slice(0, -1).map((t) => t + 1)]))
        : undefined,
    ...promptsOf(features, columns, patients),
  };
};
