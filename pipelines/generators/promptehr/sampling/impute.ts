import type { Imputation, ImputeRequest } from '../../../generation/generator.ts';
import { type Candidates, chosenCodes, ImputedCodes } from '../../../generation/imputed-codes.ts';
import type { AsyncSteps } from '../../../kernel/steps.ts';
import { type Spans, type StreamLayout, spansOf } from '../records/streams.ts';
import type { SpanEstimate } from './code-probabilities.ts';
import { type QueryRun, queryVisits, type VisitQuery } from './query-visits.ts';

/** Spans sampled for each probability. */
const imputingSamples = 64;

/** A kind that the visit has no code of may be missing or unknown: the context leaves it open. */
const givenSpans = (spans: readonly number[][], hidden?: number): Spans | undefined => {
  const given: Spans = spans.map((codes, kind) => (codes.length > 0 && kind !== hidden ? codes : undefined));
  return given.some((codes) => codes) ? given : undefined;
};

/** The codes of a head with their probabilities. */
const candidatesOf = (
  { heads, codeBase }: StreamLayout,
  kind: number,
  { probabilities }: SpanEstimate,
): Candidates => ({
  codes: (heads[kind]?.tokens ?? []).slice(1).map((token) => token - codeBase),
  probabilities: probabilities.subarray(1),
});

/** The visits of a patient that a task fills in, and what is given of each. */
const queriesFor = (
  { columns, model }: QueryRun,
  { task, kinds }: ImputeRequest,
): ((patient: number) => VisitQuery[]) => {
  const { streams } = model;
  const wanted = [...streams.kinds.keys()].filter(
    (kind) => kinds?.includes(streams.kinds[kind] ?? 'dx') ?? true,
  );
  return (patient) => {
    const [first, end] = [
      columns.visitOffsets[patient] as number,
      columns.visitOffsets[patient + 1] as number,
    ];
    const about = (visit: number, given: Spans | undefined): VisitQuery => {
      // No days lie before a first visit.
      const possible = wanted.filter((kind) => visit > first || streams.kinds[kind] !== 'gap');
      return { patient, visit, given, spans: possible.map((kind) => ({ kind })), topic: 2 };
    };
    if (task === 'next-visit') return [about(end, undefined)];
    return Array.from({ length: end - first }, (_, i) => {
      const spans = spansOf(streams, columns, first + i);
      return about(first + i, givenSpans(spans, task === 'cross-modal' ? wanted[0] : undefined));
    });
  };
};

/**
 * Fills in what records do not contain: the probability of each code from sampled spans
 * (code-probabilities.ts). Completion gives the visit's own codes to the encoder and predicts each span anew,
 * as training does.
 */
export async function* imputeByNetwork(run: QueryRun, request: ImputeRequest): AsyncSteps<Imputation> {
  const { columns, model } = run;
  const { visitOffsets, codeOffsets, codes } = columns;
  const found = new Map<number, Candidates>();
  // A visit after the last is counted as the next patient's first, but a task has visits of one sort only.
  const keyOf = (patient: number, visit: number) => (request.task === 'next-visit' ? patient : visit);
  yield* queryVisits(run, queriesFor(run, request), ({ patient, visit, spans }, estimates) => {
    const lists = spans.map(({ kind }, i) => candidatesOf(model.streams, kind, estimates[i] as SpanEstimate));
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

/** The run of queries that imputation makes of the request's patients. */
export const imputingRun = (
  rest: Omit<QueryRun, 'samples' | 'columns'>,
  { columns }: ImputeRequest,
): QueryRun => ({ ...rest, columns, samples: imputingSamples });
