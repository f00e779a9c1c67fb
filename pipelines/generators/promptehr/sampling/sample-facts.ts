import { StageError } from '../../../../schemas/errors.ts';
import { drawnLabel, type SampleRequest } from '../../../generation/generator.ts';
import { RandomSource } from '../../../kernel/random.ts';
import type { Demographic } from '../../../patients/visit-columns.ts';
import { levelMap, type PromptFeatures } from '../records/features.ts';
import { type About, binOf, type PromptMarginals } from '../records/marginals.ts';

/** Patients about to be sampled: what their records are conditioned on. */
export interface SampledFacts {
  /** Visits each is to have, at least one. */
  visits: Int32Array;
  /** `[patients, labels]` row-major, every label of the vocabulary. */
  labels: Uint8Array;
  /** Every demographic prompt, in the levels that the model knows. */
  demographics: Record<string, Demographic>;
}

/** What is requested of one fact, per patient: its level, or -1; and its number where it is one. */
interface Evidence {
  level: (i: number) => number;
  value?: (i: number) => number;
}

type Requested = Pick<SampleRequest, 'labels' | 'demographics'>;

const wrongKind = (name: string, kind: string, found: string) =>
  new StageError('InvalidConfig', `promptehr: ${name} is ${kind}, ${found} was requested`);

const levelEvidence = (fact: Demographic, name: string, levels: readonly string[]): Evidence => {
  if (fact.kind !== 'categorical') throw wrongKind(name, `one of ${levels.join(', ')}`, 'a number');
  const own = levelMap(fact.levels, levels);
  return {
    level: (i) => {
      const requested = fact.values[i] as number;
      if (requested < 0) return -1;
      const level = own[requested] as number;
      if (level >= 0) return level;
      throw new StageError(
        'InvalidConfig',
        `promptehr: no ${name} "${fact.levels[requested]}" to condition on; the model has ${levels.join(', ')}`,
      );
    },
  };
};

const numberEvidence = (fact: Demographic, name: string, edges: readonly number[]): Evidence => {
  if (fact.kind !== 'numeric') throw wrongKind(name, 'a number', 'a level');
  const value = (i: number) => fact.values[i] as number;
  return { value, level: (i) => (Number.isNaN(value(i)) ? -1 : binOf(edges, value(i))) };
};

const nothing: Evidence = { level: () => -1 };

const evidenceOf = (
  about: About,
  { labels, demographics }: Requested,
  features: PromptFeatures,
  labelCount: number,
): Evidence => {
  if (about.kind === 'visits') return nothing;
  if (about.kind === 'label') {
    if (!labels) return nothing;
    const requested = (i: number) => labels[i * labelCount + about.label] as number;
    return { level: (i) => (requested(i) === drawnLabel ? -1 : requested(i)) };
  }
  const fact = demographics?.[about.name];
  if (!fact) return nothing;
  if (about.kind === 'numeric') return numberEvidence(fact, about.name, about.edges);
  const levels = features.categorical.find(({ name }) => name === about.name)?.levels ?? [];
  return levelEvidence(fact, about.name, levels);
};

type Fact = PromptMarginals['facts'][number];

/** Weight of each level of a fact: what is requested of it, and of the facts that depend on it. */
const beliefsOf = (facts: readonly Fact[], requested: readonly number[]): Float64Array[] => {
  const beliefs = facts.map(({ levels }, fact) => {
    const level = requested[fact] as number;
    return new Float64Array(levels).map((_, l) => (level < 0 || level === l ? 1 : 0));
  });
  for (let fact = facts.length - 1; fact >= 0; fact--) {
    const { parent, levels, shares } = facts[fact] as Fact;
    const above = beliefs[parent];
    const own = beliefs[fact] as Float64Array;
    if (!above) continue;
    const message = above.map((_, row) =>
      own.reduce((sum, belief, level) => sum + belief * (shares[row * levels + level] as number), 0),
    );
    // A request for what no training patient had together: then this fact does not count for its parent.
    if (above.some((belief, row) => belief * (message[row] as number) > 0))
      above.forEach((belief, row) => {
        above[row] = belief * (message[row] as number);
      });
  }
  return beliefs;
};

const pick = (weights: Float64Array, uniform: number): number => {
  let left = uniform * weights.reduce((sum, weight) => sum + weight, 0);
  const chosen = weights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  return chosen >= 0 ? chosen : weights.findLastIndex((weight) => weight > 0);
};

/** One level per fact, given those requested of some: exact, as the facts form a forest. */
const sampleLevels = (
  facts: readonly Fact[],
  requested: readonly number[],
  uniforms: Float64Array,
): number[] => {
  const beliefs = beliefsOf(facts, requested);
  const sampled: number[] = [];
  facts.forEach(({ parent, levels, shares }, fact) => {
    const given = requested[fact] as number;
    const row = parent < 0 ? 0 : (sampled[parent] as number);
    const own = beliefs[fact] as Float64Array;
    const weights = own.map((belief, level) => belief * (shares[row * levels + level] as number));
    const possible = weights.some((weight) => weight > 0);
    const fallback = new Float64Array(shares.slice(row * levels, (row + 1) * levels));
    sampled.push(given >= 0 ? given : pick(possible ? weights : fallback, uniforms[2 * fact] as number));
  });
  return sampled;
};

/** A number of visits: the level's own, or geometric beyond the last. */
const visitsAt = ({ from, tail }: Extract<About, { kind: 'visits' }>, level: number, u: number): number => {
  const visits = from[level] as number;
  if (level < from.length - 1 || tail === 0) return visits;
  return visits + Math.min(Math.ceil(10 * tail), Math.floor(Math.log(1 - u) / Math.log(tail / (1 + tail))));
};

/** Uniform about the bin's mean, with its standard deviation. */
const numberAt = (
  { centers, spreads, whole }: Extract<About, { kind: 'numeric' }>,
  level: number,
  u: number,
): number => {
  if (level >= centers.length) return Number.NaN;
  const value = (centers[level] as number) + Math.sqrt(3) * (2 * u - 1) * (spreads[level] as number);
  return whole ? Math.round(value) : value;
};

/** Room for the facts of `count` patients. */
const blankFacts = (features: PromptFeatures, count: number, labels: number): SampledFacts => ({
  visits: new Int32Array(count),
  labels: new Uint8Array(count * labels),
  demographics: Object.fromEntries<Demographic>([
    ...features.numeric.map(({ name }): [string, Demographic] => [
      name,
      { kind: 'numeric', values: new Float32Array(count) },
    ]),
    ...features.categorical.map(({ name, levels }): [string, Demographic] => [
      name,
      { kind: 'categorical', levels, values: new Int32Array(count) },
    ]),
  ]),
});

/** Writes one fact of patient `i`; `given` is the number requested, if any. */
const setFact = (
  sampled: SampledFacts,
  { about, levels }: Fact,
  i: number,
  { level, uniform, given }: { level: number; uniform: number; given: number | undefined },
): void => {
  if (about.kind === 'visits') sampled.visits[i] = visitsAt(about, level, uniform);
  else if (about.kind === 'label')
    sampled.labels[(i * sampled.labels.length) / sampled.visits.length + about.label] = level;
  else {
    const { values } = sampled.demographics[about.name] as Demographic;
    if (about.kind === 'categorical') values[i] = level === levels - 1 ? -1 : level;
    else values[i] = given === undefined || Number.isNaN(given) ? numberAt(about, level, uniform) : given;
  }
};

/**
 * Samples the facts of patients `first` … `first + count - 1`, exactly as requested where something is. Each
 * patient's random numbers are those of purpose `patients`, minor counter 0. Throws InvalidConfig for a fact
 * or level that the model does not have.
 */
export const sampleFacts = (
  { features, marginals }: { features: PromptFeatures; marginals: PromptMarginals },
  { first, count, seed, ...requested }: SampleRequest,
): SampledFacts => {
  const { facts, labels } = marginals;
  const known = [...features.numeric, ...features.categorical].map(({ name }) => name);
  const foreign = Object.keys(requested.demographics ?? {}).filter((name) => !known.includes(name));
  if (foreign.length > 0)
    throw new StageError(
      'InvalidConfig',
      `promptehr: ${foreign.join(', ')} is no prompt of this model; it has ${known.join(', ') || 'none'}`,
    );
  const evidence = facts.map(({ about }) => evidenceOf(about, requested, features, labels));
  const random = new RandomSource(seed, 'patients');
  const uniforms = new Float64Array(2 * facts.length);
  const sampled = blankFacts(features, count, labels);
  for (let i = 0; i < count; i++) {
    random.fill(uniforms, 0, uniforms.length, first + i);
    const levels = sampleLevels(
      facts,
      evidence.map(({ level }) => level(i)),
      uniforms,
    );
    facts.forEach((fact, f) => {
      const [level, uniform] = [levels[f] as number, uniforms[2 * f + 1] as number];
      setFact(sampled, fact, i, { level, uniform, given: evidence[f]?.value?.(i) });
    });
  }
  return sampled;
};
