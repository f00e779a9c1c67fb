import { tokenKinds } from '../../../../schemas/ehr.ts';
import type { ConditionalScores } from '../../../generation/generator.ts';
import type { AsyncSteps } from '../../../kernel/steps.ts';
import { visitCount } from '../../../patients/visit-columns.ts';
import type { PromptModel } from '../records/prompt-model.ts';
import { spansOf, without } from '../records/streams.ts';
import type { SpanEstimate } from './code-probabilities.ts';
import { type QueryRun, queryVisits, type TakeEstimates, type VisitQuery } from './query-visits.ts';

/** Spans sampled for each loss; docs/perplexity.md has what more of them change. */
const scoringSamples = 16;

const topics = { longitudinal: 0, crossModal: 1 } as const;

/** −ln of a code's share of the codes that the span is expected to have, summed over the codes it has. */
const lossOf = ({ probabilities }: SpanEstimate, outputs: Iterable<number>): number => {
  const total = Math.log(probabilities.reduce((sum, probability) => sum + probability, 0));
  let loss = 0;
  for (const output of outputs) loss += total - Math.log(probabilities[output] as number);
  return loss;
};

/** Both queries of one visit: its spans from the past, and each span from the past and the others. */
const visitQueries = ({ model, columns }: QueryRun, patient: number, visit: number): VisitQuery[] => {
  const spans = spansOf(model.streams, columns, visit);
  const there = [...spans.keys()].filter((kind) => (spans[kind]?.length ?? 0) > 0);
  const spanOf = (kind: number) => ({ kind, truth: spans[kind] ?? [] });
  if (there.length === 0) return [];
  return [
    { patient, visit, given: undefined, spans: there.map(spanOf), topic: topics.longitudinal },
    ...there.map((kind) => ({
      patient,
      visit,
      given: spans.length > 1 ? without(spans, [kind]) : undefined,
      spans: [spanOf(kind)],
      topic: topics.crossModal,
    })),
  ];
};

/** Where each code of a visit's kind lies in `codes`. */
const placesOf = ({ streams }: PromptModel, { columns }: QueryRun, visit: number, kind: number): number[] => {
  const places: number[] = [];
  for (let i = columns.codeOffsets[visit] as number; i < (columns.codeOffsets[visit + 1] as number); i++)
    if (streams.kindOf[columns.codes[i] as number] === kind) places.push(i);
  return places;
};

/**
 * The probability that the network assigns to the codes of each visit. Equation 6 takes the codes of a visit
 * as independent given the past, so a code's probability is its share of what the span is expected to have,
 * from sampled spans (code-probabilities.ts); no code of the span itself is given. `reference` has the chain
 * that the authors' code scores instead: each code after those before it, which are given in ascending order.
 */
export async function* conditionalByNetwork(run: QueryRun): AsyncSteps<ConditionalScores> {
  const { model, columns } = run;
  const { streams } = model;
  const kinds = tokenKinds.length;
  const column = streams.kinds.map((kind) => tokenKinds.indexOf(kind));
  const losses = {
    longitudinal: new Float64Array(visitCount(columns) * kinds),
    crossModal: new Float64Array(visitCount(columns) * kinds),
  };
  const codes = new Int32Array(visitCount(columns) * kinds);
  const reference = {
    longitudinal: new Float64Array(columns.codes.length).fill(Number.NaN),
    crossModal: new Float64Array(columns.codes.length).fill(Number.NaN),
  };
  const cutPatients = new Set<number>();
  const take: TakeEstimates = ({ patient, visit, spans, topic }, estimates, cut) => {
    const side = topic === topics.longitudinal ? 'longitudinal' : 'crossModal';
    const isFirst = visit === columns.visitOffsets[patient];
    if (cut) cutPatients.add(patient);
    spans.forEach(({ kind, truth = [] }, i) => {
      const estimate = estimates[i] as SpanEstimate;
      const at = visit * kinds + (column[kind] as number);
      losses[side][at] = lossOf(
        estimate,
        Array.from(truth, (code) => streams.logitOf[code] as number),
      );
      codes[at] = truth.length;
      // The authors' code predicts the next visit, so no first visit is scored.
      if (side === 'crossModal' || !isFirst)
        placesOf(model, run, visit, kind).forEach((place, j) => {
          reference[side][place] = estimate.forced[j] as number;
        });
    });
  };
  const queriesOf = (patient: number): VisitQuery[] => {
    const [first, end] = [
      columns.visitOffsets[patient] as number,
      columns.visitOffsets[patient + 1] as number,
    ];
    return Array.from({ length: end - first }, (_, i) => visitQueries(run, patient, first + i)).flat();
  };
  yield* queryVisits(run, queriesOf, take);
  return { ...losses, codes, cut: cutPatients.size, reference };
}

/** The run of queries that scoring makes. */
export const scoringRun = (rest: Omit<QueryRun, 'samples'>): QueryRun => ({
  ...rest,
  samples: scoringSamples,
});
