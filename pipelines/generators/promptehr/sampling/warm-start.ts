import { RandomSource } from '../../../kernel/random.ts';
import { patientCount, selectFact, type VisitColumns } from '../../../patients/visit-columns.ts';
import { promptsOf } from '../records/features.ts';
import type { PromptModel } from '../records/prompt-model.ts';
import { spanRules } from '../records/span-grammar.ts';
import { spansOf } from '../records/streams.ts';
import type { DrawnFacts } from './sample-facts.ts';
import { type RecordPlan, type SpanPlan, spanStream } from './write-records.ts';

/** Coins that decide which real codes stay are addressed where no span is. */
const keptStreams = 2 ** 31;

const factsOf = (model: PromptModel, seeds: VisitColumns): DrawnFacts => {
  const { visitOffsets, labels, demographics = {} } = seeds;
  const patients = Array.from({ length: patientCount(seeds) }, (_, i) => i);
  const known = [...model.features.numeric, ...model.features.categorical].map(({ name }) => name);
  const facts = Object.entries(demographics).filter(([name]) => known.includes(name));
  return {
    visits: Int32Array.from(patients, (p) => (visitOffsets[p + 1] as number) - (visitOffsets[p] as number)),
    labels,
    demographics: Object.fromEntries(facts.map(([name, fact]) => [name, selectFact(fact, patients)])),
  };
};

/** Those outputs, and all that exclude them. */
const excluded = (groups: Int32Array, outputs: ReadonlySet<number>): Set<number> => {
  const taken = new Set([...outputs].map((output) => groups[output]).filter((group) => group !== -1));
  return new Set([...groups.keys()].filter((output) => outputs.has(output) || taken.has(groups[output])));
};

/**
 * Patients built around real ones, for comparison with what was published: each code of each real visit stays with
 * probability one half, and the network adds as many others as were dropped; facts, number of visits and of codes are
 * the real patient's (the authors' promptehr.py:615-738; METRICS.md, defect 17). Not for release: half is copied.
 * Defects 18 and 19 are not repeated, nor the cut at 20 codes.
 */
export const warmStart = (
  model: PromptModel,
  seeds: VisitColumns,
  { seed, first }: { seed: number; first: number },
): { facts: DrawnFacts; plan: RecordPlan } => {
  const { streams, features, settings } = model;
  const random = new RandomSource(seed, 'patients');
  const span = (patient: number, visit: number, kind: number): SpanPlan => {
    const codes = spansOf(streams, seeds, (seeds.visitOffsets[patient] as number) + visit)[kind] ?? [];
    const coins = new Float64Array(codes.length);
    random.fill(coins, 0, codes.length, first + patient, keptStreams + spanStream(streams, visit, kind));
    const kept = codes.filter((_, i) => (coins[i] as number) < 0.5);
    const dropped = Math.min(codes.length - kept.length, settings.contextTokens);
    const groups = streams.groups[kind] ?? new Int32Array(1);
    const rules = spanRules({
      outputs: groups.length,
      order: settings.order,
      least: dropped,
      most: dropped,
      without: excluded(groups, new Set(kept.map((code) => streams.logitOf[code] as number))),
      groups,
    });
    return { rules, kept };
  };
  const facts = factsOf(model, seeds);
  const prompts = promptsOf(features, seeds, [...facts.visits.keys()]);
  return { facts, plan: { visits: facts.visits, prompts, span } };
};
