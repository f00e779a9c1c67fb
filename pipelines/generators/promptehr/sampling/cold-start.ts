import type { SampleRequest } from '../../../generation/generator.ts';
import { promptsOf } from '../records/features.ts';
import type { PromptModel } from '../records/prompt-model.ts';
import { type SpanRules, spanRules } from '../records/span-grammar.ts';
import type { StreamLayout } from '../records/streams.ts';
import type { PromptDrawing } from './decoding.ts';
import { type DrawnFacts, drawFacts } from './sample-facts.ts';
import type { RecordPlan } from './write-records.ts';

/** Rules of a span that nothing but the model decides, `written` codes being in the visit before it. */
const freeSpan = (
  { streams, settings }: PromptModel,
  { spanCodes }: PromptDrawing,
  visit: number,
  kind: number,
  written: number,
): SpanRules => {
  // The decoder reads the begin bracket and all codes but the last.
  const room = Math.min(spanCodes ?? settings.contextTokens, settings.contextTokens);
  const bounds = isGap(streams, kind)
    ? { least: 0, most: visit === 0 ? 0 : 1 }
    : { least: written === 0 && kind === lastCodes(streams) ? 1 : 0, most: room };
  const groups = streams.groups[kind] ?? new Int32Array(1);
  return spanRules({ outputs: groups.length, order: settings.order, groups, ...bounds });
};

const isGap = ({ kinds }: StreamLayout, kind: number): boolean => kinds[kind] === 'gap';

/** The last kind that is not the days since the visit before. */
const lastCodes = ({ kinds }: StreamLayout): number => kinds.findLastIndex((kind) => kind !== 'gap');

/**
 * Patients drawn from the model alone: facts and numbers of visits from the fitted marginals, as far as the request
 * leaves them open, and every code from the network. Every visit gets a code; none but later ones have a gap, and one.
 */
export const coldStart = (
  model: PromptModel,
  drawing: PromptDrawing,
  request: SampleRequest,
): { facts: DrawnFacts; plan: RecordPlan } => {
  const facts = drawFacts(model, request);
  const patients = [...facts.visits.keys()];
  const visitOffsets = new Int32Array(patients.length + 1);
  const plan: RecordPlan = {
    visits: facts.visits,
    prompts: promptsOf(model.features, { ...facts, visitOffsets }, patients),
    span: (_patient, visit, kind, written) => ({
      rules: freeSpan(model, drawing, visit, kind, written),
      kept: [],
    }),
  };
  return { facts, plan };
};
