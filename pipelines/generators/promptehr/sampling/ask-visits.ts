/** Asks a fitted network about spans of given records, a window of patients at a time. */

import { RandomSource, UniformStream } from '../../../kernel/random.ts';
import type { AsyncSteps } from '../../../kernel/steps.ts';
import { patientCount, type VisitColumns } from '../../../patients/visit-columns.ts';
import type { PromptArchitecture } from '../network/architecture.ts';
import { packSequences } from '../network/sequences.ts';
import { promptsOf } from '../records/features.ts';
import type { PromptModel } from '../records/prompt-model.ts';
import { type SpanRules, spanRules } from '../records/span-grammar.ts';
import { contextStream, type Spans, spansOf, visitStream } from '../records/streams.ts';
import { codeChances, type SpanAnswer, type SpanQuestion } from './code-probabilities.ts';
import type { RecordNetwork } from './write-records.ts';

/** Spans of one visit that are asked about from one context. */
export interface VisitQuestion {
  patient: number;
  /** Counted over all patients as codeOffsets counts; a visit after a patient's last has no codes of its own. */
  visit: number;
  /** What the context says of that visit; undefined: nothing, it ends with the visit before. */
  told: Spans | undefined;
  /** Which kinds; with `truth`, codes of the span whose losses are to be told too. */
  spans: { kind: number; truth?: ArrayLike<number> }[];
  /** Tells apart questions about the same visit and kind: they draw from streams of their own. */
  topic: number;
}

/** Answers are in the order of the question's spans; `cut`: the context lacks the oldest visits. */
export type Answered = (question: VisitQuestion, answers: readonly SpanAnswer[], cut: boolean) => void;

/** What is asked, and by whom. */
export interface Inquiry {
  network: RecordNetwork;
  model: PromptModel;
  columns: VisitColumns;
  /** Spans drawn for each answer. */
  draws: number;
  /** Waits for the device; other requests may have it in between. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
}

/** Patients whose questions are put together; what is held grows with them and not with the cohort. */
const window = 256;
/** Tokens of contexts, as long as the longest, that are encoded together. */
const groupTokens = 16_384;
/** Bytes that the decoder may keep of spans being drawn, and steps that are reckoned with. */
const decoderBytes = 2 ** 30;
const usualSteps = 64;
const topics = 4;

/** Spans that are asked about together, so that their draws fit. */
const mostSpans = ({ width, decoderLayers }: PromptArchitecture, draws: number): number =>
  Math.max(
    1,
    Math.floor(Math.min(4096, decoderBytes / (usualSteps * width * decoderLayers * 8)) / (draws + 1)),
  );

/** A question with what the encoder reads for it. */
interface Prepared {
  question: VisitQuestion;
  stream: number[];
  cut: boolean;
}

const prepared = (
  { streams, settings }: PromptModel,
  columns: VisitColumns,
  question: VisitQuestion,
): Prepared => {
  const first = columns.visitOffsets[question.patient] as number;
  const visits = Array.from({ length: question.visit - first }, (_, i) =>
    visitStream(streams, spansOf(streams, columns, first + i)),
  );
  if (question.told) visits.push(visitStream(streams, question.told));
  const { tokens, cut } = contextStream(visits, settings.contextTokens);
  return { question, stream: tokens, cut: cut > 0 };
};

/** Shortest contexts first, so that little is padded. */
const grouped = (all: readonly Prepared[], spans: number): Prepared[][] => {
  const groups: Prepared[][] = [];
  let asked = 0;
  for (const next of all.toSorted((a, b) => a.stream.length - b.stream.length)) {
    const group = groups.at(-1);
    asked += next.question.spans.length;
    if (group && asked <= spans && (group.length + 1) * next.stream.length <= groupTokens) group.push(next);
    else {
      groups.push([next]);
      asked = next.question.spans.length;
    }
  }
  return groups;
};

/** What a span of this kind may be: anything, but one span of days before a visit at most. */
const rulesOf = ({ streams, settings }: PromptModel, kind: number): SpanRules => {
  const groups = streams.groups[kind] ?? new Int32Array(1);
  const most = streams.kinds[kind] === 'gap' ? 1 : settings.contextTokens;
  return spanRules({ outputs: groups.length, order: settings.order, groups, most });
};

const spanQuestions = (
  { model, columns }: Inquiry,
  { visit, patient, spans, topic }: VisitQuestion,
  context: number,
  random: RandomSource,
): SpanQuestion[] =>
  spans.map(({ kind, truth }) => {
    const { kinds, logitOf } = model.streams;
    const position = visit - (columns.visitOffsets[patient] as number);
    const stream = new UniformStream(random, patient, (position * kinds.length + kind) * topics + topic);
    return {
      context,
      kind,
      rules: rulesOf(model, kind),
      uniform: () => stream.next(),
      ...(truth && { truth: Array.from(truth, (code) => logitOf[code] as number) }),
    };
  });

const answerGroup = async (inquiry: Inquiry, group: readonly Prepared[]): Promise<SpanAnswer[]> => {
  const { network, model, columns, draws } = inquiry;
  const random = new RandomSource(0, 'imputation');
  const patients = group.map(({ question }) => question.patient);
  const encoded = await network.encode(
    packSequences(group.map(({ stream }) => stream)),
    promptsOf(model.features, columns, patients),
  );
  try {
    const questions = group.flatMap(({ question }, context) =>
      spanQuestions(inquiry, question, context, random),
    );
    return await codeChances(network, encoded, model.streams, questions, draws);
  } finally {
    encoded.dispose();
  }
};

/**
 * Asks the questions that `questionsOf` has about each patient and hands out the answers, patient after patient in
 * windows, inside a window in no order. Draws are addressed by patient, visit and kind: the same patients in the same
 * columns get the same answers.
 */
export async function* askVisits(
  inquiry: Inquiry,
  questionsOf: (patient: number) => VisitQuestion[],
  answered: Answered,
): AsyncSteps<void> {
  const { model, columns, draws } = inquiry;
  const patients = patientCount(columns);
  const spans = mostSpans(model.architecture, draws);
  for (let first = 0; first < patients; first += window) {
    const last = Math.min(patients, first + window);
    const chosen = Array.from({ length: last - first }, (_, i) => first + i);
    const all = chosen.flatMap(questionsOf).map((question) => prepared(model, columns, question));
    let done = 0;
    for (const group of grouped(all, spans)) {
      const answers = await inquiry.inTurn(() => answerGroup(inquiry, group));
      let at = 0;
      for (const { question, cut } of group) {
        answered(question, answers.slice(at, at + question.spans.length), cut);
        at += question.spans.length;
      }
      done += group.length;
      const step = first + Math.floor(((last - first) * done) / all.length);
      yield { step, of: patients, phase: 'asking the model' };
    }
  }
}
