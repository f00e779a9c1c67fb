/**
 * What is decided about patients before their records are written: unconditional sampling, or around real
 * patients.
 */
import type { SampleRequest } from '../../../generation/generator.ts';
import { RandomSource } from '../../../kernel/random.ts';
import { patientCount, selectFacts, type VisitColumns } from '../../../patients/visit-columns.ts';
import { promptsOf } from '../records/features.ts';
import type { PromptModel } from '../records/prompt-model.ts';
import { kindRules, type SpanRules } from '../records/span-grammar.ts';
import { type StreamLayout, spansOf } from '../records/streams.ts';
import type { PromptSampling } from './decoding.ts';
import { type SampledFacts, sampleFacts } from './sample-facts.ts';
import { type RecordPlan, type SpanPlan, spanStream } from './write-records.ts';

/** Rules of a span that nothing but the model decides, `written` codes being in the visit before it. */
const freeSpan = (
  model: PromptModel,
  { spanCodes }: PromptSampling,
  visit: number,
  kind: number,
  written: number,
): SpanRules => {
  const { streams, settings } = model;
  // The decoder reads the begin bracket and all codes but the last.
  const room = Math.min(spanCodes ?? settings.contextTokens, settings.contextTokens);
  const bounds = isGap(streams, kind)
    ? { least: 0, most: visit === 0 ? 0 : 1 }
    : { least: written === 0 && kind === lastCodes(streams) ? 1 : 0, most: room };
  return kindRules(model, kind, bounds);
};

const isGap = ({ kinds }: StreamLayout, kind: number): boolean => kinds[kind] === 'gap';

/** The last kind that is not the days since the visit before. */
const lastCodes = ({ kinds }: StreamLayout): number => kinds.findLastIndex((kind) => kind !== 'gap');

/**
 * Unconditional sampling (cold start): facts and numbers of visits from the fitted marginals, as far as the
 * request leaves them open, and every code from the network. Every visit gets a code; none but later ones
 * have a gap, and one.
 */
export const coldStart = (
  model: PromptModel,
  sampling: PromptSampling,
  request: SampleRequest,
): { facts: SampledFacts; plan: RecordPlan } => {
  const facts = sampleFacts(model, request);
  const patients = [...facts.visits.keys()];
  const visitOffsets = new Int32Array(patients.length + 1);
  const plan: RecordPlan = {
    visits: facts.visits,
    prompts: promptsOf(model.features, { ...facts, visitOffsets }, patients),
    span: (_patient, visit, kind, written) => ({
      rules: freeSpan(model, sampling, visit, kind, written),
      kept: [],
    }),
  };
  return { facts, plan };
};

/** Random numbers that decide which real codes stay are addressed where no span is. */
const keptStreams = 2 ** 31;

const factsOf = (model: PromptModel, seeds: VisitColumns): SampledFacts => {
  const { visitOffsets, labels, demographics = {} } = seeds;
  const patients = Array.from({ length: patientCount(seeds) }, (_, i) => i);
  const known = [...model.features.numeric, ...model.features.categorical].map(({ name }) => name);
  const facts = Object.entries(demographics).filter(([name]) => known.includes(name));
  return {
    visits: Int32Array.from(patients, (p) => (visitOffsets[p + 1] as number) - (visitOffsets[p] as number)),
    labels,
    demographics: selectFacts(Object.fromEntries(facts), patients),
  };
};

/** Those outputs, and all that exclude them. */
const excluded = (groups: Int32Array, outputs: ReadonlySet<number>): Set<number> => {
  const taken = new Set([...outputs].map((output) => groups[output]).filter((group) => group !== -1));
  return new Set([...groups.keys()].filter((output) => outputs.has(output) || taken.has(groups[output])));
};

/**
 * Patients built around real ones, for comparison with what was published: each code of each real visit stays
 * with probability one half, and the network adds as many others as were dropped; facts, number of visits and
 * of codes are the real patient's (the authors' promptehr.py:615-738; docs/reference-code.md, defect 17). Not
 * for release: half is copied. Defects 18 and 19 are not repeated, nor the cut at 20 codes.
 */
export const warmStart = (
  model: PromptModel,
  seeds: VisitColumns,
  { seed, first }: { seed: number; first: number },
): { facts: SampledFacts; plan: RecordPlan } => {
  const { streams, features, settings } = model;
  const random = new RandomSource(seed, 'patients');
  const span = (patient: number, visit: number, kind: number): SpanPlan => {
    const codes = spansOf(streams, seeds, (seeds.visitOffsets[patient] as number) + visit)[kind] ?? [];
    const coins = new Float64Array(codes.length);
    random.fill(coins, 0, codes.length, first + patient, keptStreams + spanStream(streams, visit, kind));
    const kept = codes.filter((_, i) => (coins[i] as number) < 0.5);
    const dropped = Math.min(codes.length - kept.length, settings.contextTokens);
    const groups = streams.groups[kind] ?? new Int32Array(1);
    const taken = new Set(kept.map((code) => streams.logitOf[code] as number));
    const bounds = { least: dropped, most: dropped, without: excluded(groups, taken) };
    return { rules: kindRules(model, kind, bounds), kept };
  };
  const facts = factsOf(model, seeds);
  const prompts = promptsOf(features, seeds, [...facts.visits.keys()]);
  return { facts, plan: { visits: facts.visits, prompts, span } };
};
