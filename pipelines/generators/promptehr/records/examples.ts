/**
 * What PromptEHR is trained on (section 3.1 to 3.3): a context, and spans of one visit that it is to tell. The tasks
 * differ by what the context says of that visit beside the visits before it.
 */

import { type RandomSource, UniformStream } from '../../../kernel/random.ts';
import { type VisitColumns, withVisits } from '../../../patients/visit-columns.ts';
import { packSequences, type SpanBatch } from '../network/sequences.ts';
import { type Corruption, corruptedVisit } from './corruption.ts';
import { type PromptFeatures, promptsOf } from './features.ts';
import { contextStream, type Spans, type StreamLayout, spanSteps, spansOf, visitStream } from './streams.ts';

/** A visit that an example is made of, with its patient. */
export interface Subject {
  columns: VisitColumns;
  patient: number;
  /** Counted over all patients, as codeOffsets counts. */
  visit: number;
}

/** Every visit of a cohort, with its patient. */
export const subjectsOf = (columns: VisitColumns): Subject[] =>
  [...withVisits(columns)].flatMap((patient) => {
    const first = columns.visitOffsets[patient] as number;
    const visits = (columns.visitOffsets[patient + 1] as number) - first;
    return Array.from({ length: visits }, (_, i) => ({ columns, patient, visit: first + i }));
  });

/** Codes of a visit and of those before it: as the lengths of their contexts go. */
export const lengthOf = ({ columns: { visitOffsets, codeOffsets }, patient, visit }: Subject): number =>
  (codeOffsets[visit + 1] as number) - (codeOffsets[visitOffsets[patient] as number] as number);

/**
 * longitudinal: nothing, all spans are asked for. crossModal: all spans but the one asked for. generation: the first
 * 0, 1, … spans, those after them are asked for. completion: all spans, corrupted, and all are asked for whole.
 */
export const tasks = ['longitudinal', 'crossModal', 'generation', 'completion'] as const;
export type Task = (typeof tasks)[number];

/** How examples are made; a fitted model reads records by the same rules. */
export interface ExampleRules {
  contextTokens: number;
  order: 'canonical' | 'shuffled';
  /** How often each task is drawn, in parts of their sum. */
  tasks: Record<Task, number>;
  /** Share of examples whose context is corrupted; completion always is. */
  corrupted: number;
  corruption: Corruption;
}

/** One context and the spans that are asked of it. */
export interface Example {
  patient: number;
  context: number[];
  spans: { kind: number; inputs: number[]; targets: number[] }[];
}

/** What the context says of the visit, and which kinds are asked for. */
interface Question {
  told: Spans | undefined;
  asked: number[];
}

const drawTask = (weights: Record<Task, number>, uniform: number): Task => {
  const total = tasks.reduce((sum, task) => sum + weights[task], 0);
  let left = uniform * total;
  const drawn = tasks.find((task) => {
    left -= weights[task];
    return left < 0;
  });
  return drawn ?? 'generation';
};

const without = (spans: Spans, kinds: readonly number[]): Spans =>
  spans.map((codes, kind) => (kinds.includes(kind) ? undefined : codes));

/** Nothing told is no visit at all: the context ends with the one before. */
const questionOf = (task: Task, spans: Spans, stream: UniformStream): Question => {
  const all = [...spans.keys()];
  const from = (first: number): Question => {
    const asked = all.slice(first);
    return { told: first > 0 ? without(spans, asked) : undefined, asked };
  };
  if (task === 'longitudinal') return from(0);
  if (task === 'completion') return { told: spans, asked: all };
  if (task === 'generation') return from(stream.below(spans.length));
  const kind = stream.below(spans.length);
  return { told: spans.length > 1 ? without(spans, [kind]) : undefined, asked: [kind] };
};

/** The spans asked for, cut to `most` tokens of decoder input. A span that is cut has no end. */
const answers = (
  layout: StreamLayout,
  spans: Spans,
  asked: readonly number[],
  most: number,
  arrange: (codes: readonly number[]) => number[],
): Example['spans'] =>
  asked.map((kind) => {
    const { inputs, targets } = spanSteps(layout, kind, arrange(Array.from(spans[kind] ?? [])));
    return { kind, inputs: inputs.slice(0, most), targets: targets.slice(0, most) };
  });

/** Stream of the visits of the subject's patient before the subject's visit. */
const history = ({ columns, patient, visit }: Subject, streamOf: (visit: number) => number[]): number[][] => {
  const first = columns.visitOffsets[patient] as number;
  return Array.from({ length: visit - first }, (_, i) => streamOf(first + i));
};

/** The example that a visit is in one epoch: decided by (seed, epoch, visit) and nothing else. */
export const trainingExample = (
  layout: StreamLayout,
  rules: ExampleRules,
  subject: Subject,
  random: RandomSource,
  epoch: number,
): Example => {
  const stream = new UniformStream(random, subject.visit, epoch);
  const task = drawTask(rules.tasks, stream.next());
  const isCorrupted = stream.next() < rules.corrupted;
  const spans = spansOf(layout, subject.columns, subject.visit);
  const { told, asked } = questionOf(task, spans, stream);
  const arrange = rules.order === 'shuffled' ? stream.shuffled.bind(stream) : Array.from<number>;
  const answered = answers(layout, spans, asked, rules.contextTokens, arrange);
  const streamOf = (of: Spans, corrupt: boolean) =>
    corrupt ? corruptedVisit(layout, of, rules.corruption, stream) : visitStream(layout, of);
  const visits = history(subject, (visit) => streamOf(spansOf(layout, subject.columns, visit), isCorrupted));
  if (told) visits.push(streamOf(told, isCorrupted || task === 'completion'));
  const { tokens } = contextStream(visits, rules.contextTokens);
  return { patient: subject.patient, context: tokens, spans: answered };
};

/**
 * The examples whose answers together are the probability of a visit, as generation factorizes it: each span given
 * the visits before and the spans before it, uncorrupted, codes ascending.
 */
export const generationExamples = (
  layout: StreamLayout,
  contextTokens: number,
  subject: Subject,
): Example[] => {
  const spans = spansOf(layout, subject.columns, subject.visit);
  const before = history(subject, (visit) => visitStream(layout, spansOf(layout, subject.columns, visit)));
  return spans.map((_, kind) => {
    const later = [...spans.keys()].filter((other) => other >= kind);
    const visits = kind > 0 ? [...before, visitStream(layout, without(spans, later))] : before;
    const { tokens } = contextStream(visits, contextTokens);
    const answered = answers(layout, spans, [kind], contextTokens, Array.from<number>);
    return { patient: subject.patient, context: tokens, spans: answered };
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
    ...(order === 'canonical' && {
      floors: Int32Array.from(spans.flatMap(({ targets }) => [1, ...targets.slice(0, -1).map((t) => t + 1)])),
    }),
    ...promptsOf(features, columns, patients),
  };
};
