import type { Imputation, ImputeRequest } from '../../../generation/generator.ts';
import { type Candidates, chosenCodes, ImputedCodes } from '../../../generation/imputed-codes.ts';
import type { AsyncSteps } from '../../../kernel/steps.ts';
import { type Spans, type StreamLayout, spansOf } from '../records/streams.ts';
import { askVisits, type Inquiry, type VisitQuestion } from './ask-visits.ts';
import type { SpanAnswer } from './code-probabilities.ts';

/** Spans drawn behind each probability. */
const imputingDraws = 64;

/** A kind that the visit has no code of may be missing or not be known: the context does not say. */
const toldSpans = (spans: readonly number[][], without?: number): Spans | undefined => {
  const told: Spans = spans.map((codes, kind) => (codes.length > 0 && kind !== without ? codes : undefined));
  return told.some((codes) => codes) ? told : undefined;
};

/** Codes with their chances, out of what a head says. */
const candidatesOf = (
  { heads, codeBase }: StreamLayout,
  kind: number,
  { chances }: SpanAnswer,
): Candidates => ({
  codes: (heads[kind]?.tokens ?? []).slice(1).map((token) => token - codeBase),
  probabilities: chances.subarray(1),
});

/** The visits of a patient that a task fills in, and what it tells of each. */
const questionsFor = (
  { columns, model }: Inquiry,
  { task, kinds }: ImputeRequest,
): ((patient: number) => VisitQuestion[]) => {
  const { streams } = model;
  const asked = [...streams.kinds.keys()].filter(
    (kind) => kinds?.includes(streams.kinds[kind] ?? 'dx') ?? true,
  );
  return (patient) => {
    const [first, end] = [
      columns.visitOffsets[patient] as number,
      columns.visitOffsets[patient + 1] as number,
    ];
    const about = (visit: number, told: Spans | undefined): VisitQuestion => {
      // No days lie before a first visit.
      const possible = asked.filter((kind) => visit > first || streams.kinds[kind] !== 'gap');
      return { patient, visit, told, spans: possible.map((kind) => ({ kind })), topic: 2 };
    };
    if (task === 'next-visit') return [about(end, undefined)];
    return Array.from({ length: end - first }, (_, i) => {
      const spans = spansOf(streams, columns, first + i);
      return about(first + i, toldSpans(spans, task === 'cross-modal' ? asked[0] : undefined));
    });
  };
};

/**
 * Fills in what records do not say: the chance of each code from drawn spans (code-chances.ts). Completion tells the
 * visit's own codes to the encoder and asks for each span anew, as training does.
 */
export async function* imputeByNetwork(inquiry: Inquiry, request: ImputeRequest): AsyncSteps<Imputation> {
  const { columns, model } = inquiry;
  const { visitOffsets, codeOffsets, codes } = columns;
  const found = new Map<number, Candidates>();
  // A visit after the last is counted as the next patient's first, but a task asks for one sort only.
  const keyOf = (patient: number, visit: number) => (request.task === 'next-visit' ? patient : visit);
  yield* askVisits(inquiry, questionsFor(inquiry, request), ({ patient, visit, spans }, answers) => {
    const lists = spans.map(({ kind }, i) => candidatesOf(model.streams, kind, answers[i] as SpanAnswer));
    const known =
      request.task === 'completion' ? codes.subarray(codeOffsets[visit], codeOffsets[visit + 1]) : [];
    found.set(keyOf(patient, visit), chosenCodes(lists, request.top, known));
  });
  const imputed = new ImputedCodes();
  for (let patient = 0; patient + 1 < visitOffsets.length; patient++) {
    const [first, end] = [visitOffsets[patient] as number, visitOffsets[patient + 1] as number];
    const visits =
      request.task === 'next-visit' ? [end] : Array.from({ length: end - first }, (_, i) => first + i);
    for (const visit of visits) {
      const chosen = found.get(keyOf(patient, visit));
      if (chosen) imputed.add(patient, visit - first, chosen);
    }
  }
  return imputed.build();
}

/** The inquiry that imputation makes of the request's patients. */
export const imputingInquiry = (
  rest: Omit<Inquiry, 'draws' | 'columns'>,
  { columns }: ImputeRequest,
): Inquiry => ({ ...rest, columns, draws: imputingDraws });
