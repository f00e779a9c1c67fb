import { tokenKinds } from '../../../../schemas/ehr.ts';
import type { ConditionalScores } from '../../../generation/generator.ts';
import type { AsyncSteps } from '../../../kernel/steps.ts';
import { visitCount } from '../../../patients/visit-columns.ts';
import type { PromptModel } from '../records/prompt-model.ts';
import { spansOf } from '../records/streams.ts';
import { type Answered, askVisits, type Inquiry, type VisitQuestion } from './ask-visits.ts';
import type { SpanAnswer } from './code-probabilities.ts';

/** Spans drawn behind each loss; docs/perplexity.md tells what more of them change. */
const scoringDraws = 16;

const topics = { longitudinal: 0, crossModal: 1 } as const;

/** −ln of a code's share of the codes that the span is expected to have, summed over the codes it has. */
const lossOf = ({ chances }: SpanAnswer, outputs: Iterable<number>): number => {
  const total = Math.log(chances.reduce((sum, chance) => sum + chance, 0));
  let loss = 0;
  for (const output of outputs) loss += total - Math.log(chances[output] as number);
  return loss;
};

/** Both questions about one visit: its spans from the past, and each span from the past and the others. */
const visitQuestions = ({ model, columns }: Inquiry, patient: number, visit: number): VisitQuestion[] => {
  const spans = spansOf(model.streams, columns, visit);
  const there = [...spans.keys()].filter((kind) => (spans[kind]?.length ?? 0) > 0);
  const asked = (kind: number) => ({ kind, truth: spans[kind] ?? [] });
  if (there.length === 0) return [];
  return [
    { patient, visit, told: undefined, spans: there.map(asked), topic: topics.longitudinal },
    ...there.map((kind) => ({
      patient,
      visit,
      told: spans.length > 1 ? spans.map((codes, other) => (other === kind ? undefined : codes)) : undefined,
      spans: [asked(kind)],
      topic: topics.crossModal,
    })),
  ];
};

/** Where each code of a visit's kind lies in `codes`. */
const placesOf = ({ streams }: PromptModel, { columns }: Inquiry, visit: number, kind: number): number[] => {
  const places: number[] = [];
  for (let i = columns.codeOffsets[visit] as number; i < (columns.codeOffsets[visit + 1] as number); i++)
    if (streams.kindOf[columns.codes[i] as number] === kind) places.push(i);
  return places;
};

/**
 * How likely the network finds the codes of each visit. Equation 6 takes the codes of a visit as independent draws
 * given the past, so a code's probability is its share of what the span is expected to have, from drawn spans
 * (code-chances.ts); no code of the span itself is told. `reference` has the chain that the authors' code scores
 * instead: each code after those before it, which are told in ascending order.
 */
export async function* conditionalByNetwork(inquiry: Inquiry): AsyncSteps<ConditionalScores> {
  const { model, columns } = inquiry;
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
  const answered: Answered = ({ patient, visit, spans, topic }, answers, cut) => {
    const side = topic === topics.longitudinal ? 'longitudinal' : 'crossModal';
    const isFirst = visit === columns.visitOffsets[patient];
    if (cut) cutPatients.add(patient);
    spans.forEach(({ kind, truth = [] }, i) => {
      const answer = answers[i] as SpanAnswer;
      const at = visit * kinds + (column[kind] as number);
      losses[side][at] = lossOf(
        answer,
        Array.from(truth, (code) => streams.logitOf[code] as number),
      );
      codes[at] = truth.length;
      // The authors' code asks for the next visit, so nobody's first is scored.
      if (side === 'crossModal' || !isFirst)
        placesOf(model, inquiry, visit, kind).forEach((place, j) => {
          reference[side][place] = answer.forced[j] as number;
        });
    });
  };
  const questionsOf = (patient: number): VisitQuestion[] => {
    const [first, end] = [
      columns.visitOffsets[patient] as number,
      columns.visitOffsets[patient + 1] as number,
    ];
    return Array.from({ length: end - first }, (_, i) => visitQuestions(inquiry, patient, first + i)).flat();
  };
  yield* askVisits(inquiry, questionsOf, answered);
  return { ...losses, codes, cut: cutPatients.size, reference };
}

/** The inquiry that scoring makes. */
export const scoringInquiry = (rest: Omit<Inquiry, 'draws'>): Inquiry => ({ ...rest, draws: scoringDraws });
