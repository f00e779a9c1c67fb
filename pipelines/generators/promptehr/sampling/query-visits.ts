/** Estimates spans of given records with a fitted network, a window of patients at a time. */

import { RandomSource, UniformStream } from '../../../kernel/random.ts';
import type { AsyncSteps } from '../../../kernel/steps.ts';
import { patientCount, type VisitColumns } from '../../../patients/visit-columns.ts';
import type { PromptArchitecture } from '../network/architecture.ts';
import { packSequences } from '../network/sequences.ts';
import { history } from '../records/examples.ts';
import { promptsOf } from '../records/features.ts';
import type { PromptModel } from '../records/prompt-model.ts';
import { kindRules, type SpanRules } from '../records/span-grammar.ts';
import { contextStream, type Spans, spansOf, visitStream } from '../records/streams.ts';
import { codeProbabilities, type SpanEstimate, type SpanQuery } from './code-probabilities.ts';
import { groupByLength, type RecordNetwork } from './write-records.ts';

/** Spans of one visit that are estimated from one context. */
export interface VisitQuery {
  patient: number;
  /**
   * Counted over all patients as codeOffsets counts; a visit after a patient's last has no codes of its own.
   */
  visit: number;
  /** What the context contains of that visit; undefined: nothing, it ends with the visit before. */
  given: Spans | undefined;
  /** Which kinds; with `truth`, codes of the span whose losses are wanted too. */
  spans: { kind: number; truth?: ArrayLike<number> }[];
  /** Separates queries of the same visit and kind: they have random streams of their own. */
  topic: number;
}

/** Estimates are in the order of the query's spans; `cut`: the context lacks the oldest visits. */
export type TakeEstimates = (query: VisitQuery, estimates: readonly SpanEstimate[], cut: boolean) => void;

/** What queries run on. */
export interface QueryRun {
  network: RecordNetwork;
  model: PromptModel;
  columns: VisitColumns;
  /** Spans sampled for each estimate. */
  samples: number;
  /** Waits for the device; other requests may have it in between. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
}

/** Patients whose queries are put together; what is held grows with them and not with the cohort. */
const window = 256;
/** Bytes that the decoder may keep of spans being sampled, and steps that are reckoned with. */
const decoderBytes = 2 ** 30;
const usualSteps = 64;
const topics = 4;

/** Spans that are estimated together, so that their samples fit. */
const mostSpans = ({ width, decoderLayers }: PromptArchitecture, samples: number): number =>
  Math.max(
    1,
    Math.floor(Math.min(4096, decoderBytes / (usualSteps * width * decoderLayers * 8)) / (samples + 1)),
  );

/** A query with what the encoder reads for it. */
interface Prepared {
  query: VisitQuery;
  stream: number[];
  cut: boolean;
}

const prepared = ({ streams, settings }: PromptModel, columns: VisitColumns, query: VisitQuery): Prepared => {
  const { patient, visit, given } = query;
  const streamOf = (past: number) => visitStream(streams, spansOf(streams, columns, past));
  const visits = history({ columns, patient, visit }, streamOf);
  if (given) visits.push(visitStream(streams, given));
  const { tokens, cut } = contextStream(visits, settings.contextTokens);
  return { query, stream: tokens, cut: cut > 0 };
};

/** What a span of this kind may be: anything, but one span of days before a visit at most. */
const rulesOf = (model: PromptModel, kind: number): SpanRules =>
  kindRules(model, kind, { most: model.streams.kinds[kind] === 'gap' ? 1 : model.settings.contextTokens });

const spanQueries = (
  { model, columns }: QueryRun,
  { visit, patient, spans, topic }: VisitQuery,
  context: number,
  random: RandomSource,
): SpanQuery[] =>
  spans.map(({ kind, truth }) => {
    const { kinds, logitOf } = model.streams;
    const position = visit - (columns.visitOffsets[patient] as number);
    const stream = new UniformStream(random, patient, (position * kinds.length + kind) * topics + topic);
    return {
      context,
      kind,
      rules: rulesOf(model, kind),
      uniform: () => stream.next(),
      truth: truth && Array.from(truth, (code) => logitOf[code] as number),
    };
  });

const estimateGroup = async (run: QueryRun, group: readonly Prepared[]): Promise<SpanEstimate[]> => {
  const { network, model, columns, samples } = run;
  const random = new RandomSource(0, 'imputation');
  const patients = group.map(({ query }) => query.patient);
  const encoded = await network.encode(
    packSequences(group.map(({ stream }) => stream)),
    promptsOf(model.features, columns, patients),
  );
  try {
    const queries = group.flatMap(({ query }, context) => spanQueries(run, query, context, random));
    return await codeProbabilities(network, encoded, model.streams, queries, samples);
  } finally {
    encoded.dispose();
  }
};

/**
 * Runs the queries that `queriesOf` has for each patient and hands out the estimates, patient after patient
 * in windows, inside a window in no order. Random numbers are addressed by patient, visit and kind: the same
 * patients in the same columns get the same estimates.
 */
export async function* queryVisits(
  run: QueryRun,
  queriesOf: (patient: number) => VisitQuery[],
  take: TakeEstimates,
): AsyncSteps<void> {
  const { model, columns, samples } = run;
  const patients = patientCount(columns);
  const spans = mostSpans(model.architecture, samples);
  for (let first = 0; first < patients; first += window) {
    const last = Math.min(patients, first + window);
    const chosen = Array.from({ length: last - first }, (_, i) => first + i);
    const all = chosen.flatMap(queriesOf).map((query) => prepared(model, columns, query));
    let done = 0;
    for (const group of groupByLength(all, ({ query }) => query.spans.length, spans)) {
      const estimates = await run.inTurn(() => estimateGroup(run, group));
      let at = 0;
      for (const { query, cut } of group) {
        take(query, estimates.slice(at, at + query.spans.length), cut);
        at += query.spans.length;
      }
      done += group.length;
      const step = first + Math.floor(((last - first) * done) / all.length);
      yield { step, of: patients, phase: 'querying the model' };
    }
  }
}
