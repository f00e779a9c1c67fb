/**
 * Labels of patients of whom some labels are requested. The model samples labels in their order, so the first
 * ones do not depend on what is requested of later ones; sampled like that, records would have the requested
 * labels but the wrong other ones. Here the others follow their distribution given the requested ones. Up to
 * 24 free labels before the last requested one, as many as 25 labels can leave, it is exact: all their
 * combinations are walked once for a set of requested labels, in two halves of which only the sums of the
 * first are kept. Beyond, a start that is roughly right (sampling-importance resampling; Rubin, 1987) goes
 * through a fixed number of exact resamplings of eight labels given all others (blocked Gibbs sampling).
 * Labels of one demographic fact, of which at most one is present, are decided together: a fact of n labels
 * has n + 1 values and counts as log₂(n + 1) labels.
 */
import { drawnLabel } from '../../../generation/generator.ts';
import type { Pace } from '../../../kernel/pace.ts';
import { RandomSource, UniformStream } from '../../../kernel/random.ts';
import {
  type LabelNetwork,
  type LabelState,
  labelNetworkOf,
  labelState,
  setLabel,
} from '../network/label-network.ts';
import type { HaloNetwork } from '../network/network.ts';

/**
 * Free labels before the last requested one up to which all combinations are walked: 2²⁴ take two seconds,
 * once.
 */
const mostWalked = 24;

/** Beyond that: candidates for the start, labels resampled together, and resamplings of each label. */
const candidates = 256;
const together = 8;
const sweeps = 8;

/** Draws are addressed where no position of a record is; those of candidates follow. */
const stream = 2 ** 31;

/** ln σ(x) */
const logSigmoid = (x: number): number => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));

/**
 * What is decided together: a free label, or the free labels of a fact. The values of one of n labels are 0,
 * none, to n, its first label, in the order of a walk that tries absent before present.
 */
type Choice = readonly number[];

/**
 * Labels after the present one of a fact are absent without a choice: per label, the end of its fact; 0
 * without one.
 */
const factEnds = ({ facts, logits }: LabelNetwork): Int32Array => {
  const ends = new Int32Array(logits.length);
  for (const [from, end] of facts) ends.fill(end, from, end);
  return ends;
};

/** Choices among the free labels before `end`; a fact with a requested label leaves none. */
const choicesOf = ({ facts }: LabelNetwork, row: Uint8Array, end: number): Choice[] => {
  const choices: number[][] = [];
  let open: number | undefined;
  for (let label = 0; label < end; label++) {
    if (row[label] !== drawnLabel) continue;
    const fact = facts.findIndex(([from, to]) => label >= from && label < to);
    if (fact >= 0 && fact === open) choices.at(-1)?.push(label);
    else choices.push([label]);
    open = fact < 0 ? undefined : fact;
  }
  return choices;
};

/** The labels of facts that have a requested one: all others are absent. */
const settled = ({ facts }: LabelNetwork, given: Uint8Array): Uint8Array => {
  const row = given.slice();
  for (const [from, end] of facts) {
    const own = row.subarray(from, end);
    if (own.includes(1)) own.set(own.map((requested) => (requested === 1 ? 1 : 0)));
  }
  return row;
};

/** ln probability of all combinations of free labels before a label, the requested ones included. */
class LabelWalk {
  readonly #network: LabelNetwork;
  /** Where a walk stands before each label. */
  readonly #states: LabelState[];
  readonly #row: Uint8Array;
  readonly #end: number;
  readonly #factEnds: Int32Array;
  #weights = new Float64Array(0);
  #walked = 0;

  /** Of the labels before `end`; each walk reads afresh which of `row` are free. */
  constructor(network: LabelNetwork, row: Uint8Array, end: number) {
    this.#network = network;
    this.#row = row;
    this.#end = end;
    this.#factEnds = factEnds(network);
    this.#states = Array.from({ length: end + 1 }, () => labelState(network));
  }

  /** One per combination, by the number that its labels make (first label highest). */
  weights(): Float64Array {
    this.#weights = new Float64Array(valuesOf(choicesOf(this.#network, this.#row, this.#end)));
    this.#walked = 0;
    this.#visit(0, this.#states[0] as LabelState, 0, 0);
    return this.#weights;
  }

  /** Labels before `forced` are absent: one of their fact is present. */
  #visit(label: number, state: LabelState, weight: number, forced: number): void {
    if (label === this.#end) {
      this.#weights[this.#walked++] = weight;
      return;
    }
    if (label < forced) {
      this.#visit(label + 1, state, weight, forced);
      return;
    }
    const logit = state.logits[label] as number;
    const requested = this.#row[label] as number;
    const present = logSigmoid(logit);
    if (requested !== 1) this.#visit(label + 1, state, weight + present - logit, forced);
    if (requested === 0) return;
    const after = this.#states[label + 1] as LabelState;
    setLabel(this.#network, state, after, label, this.#end);
    this.#visit(label + 1, after, weight + present, this.#factEnds[label] as number);
  }
}

const most = (values: Float64Array): number => values.reduce((a, b) => Math.max(a, b));

/** ln Σ eᵛ */
const logSum = (values: Float64Array): number => {
  const top = most(values);
  return top + Math.log(values.reduce((sum, value) => sum + Math.exp(value - top), 0));
};

/** The index that a uniform in [0, 1) falls on, of indices with these ln weights. */
const pick = (weights: Float64Array, uniform: number): number => {
  const top = most(weights);
  const shares = weights.map((weight) => Math.exp(weight - top));
  let left = uniform * shares.reduce((a, b) => a + b);
  const picked = shares.findIndex((share) => {
    left -= share;
    return left < 0;
  });
  return picked === -1 ? shares.lastIndexOf(most(shares)) : picked;
};

/** How many combinations there are. */
const valuesOf = (choices: readonly Choice[]): number =>
  choices.reduce((product, { length }) => product * (length + 1), 1);

/** As how many labels of two values each they count. */
const bitsOf = (choices: readonly Choice[]): number => Math.log2(valuesOf(choices));

/** Sets labels to the combination of this number, the first choice its highest digit. */
const setValues = (row: Uint8Array, choices: readonly Choice[], combination: number): void => {
  let left = combination;
  for (const labels of choices.toReversed()) {
    const values = labels.length + 1;
    const value = left % values;
    left = Math.floor(left / values);
    for (const label of labels) row[label] = 0;
    if (value > 0) row[labels[labels.length - value] as number] = 1;
  }
};

/** Fills what is free in `row` in the model's order; gives ln probability of the labels that were not. */
const sampleInOrder = (network: LabelNetwork, row: Uint8Array, uniforms: Float64Array): number => {
  const state = labelState(network);
  const ends = factEnds(network);
  let weight = 0;
  let forced = 0;
  for (const [label, requested] of row.entries()) {
    if (label < forced) {
      row[label] = 0;
      continue;
    }
    const logit = state.logits[label] as number;
    if (requested === drawnLabel)
      row[label] = (uniforms[label] as number) < 1 / (1 + Math.exp(-logit)) ? 1 : 0;
    else weight += logSigmoid(requested === 1 ? logit : -logit);
    if (row[label] !== 1) continue;
    setLabel(network, state, state, label, row.length);
    forced = ends[label] as number;
  }
  return weight;
};

/** The uniforms of one patient's labels. */
const uniformsOf = (random: RandomSource, count: number, patient: number, minor: number): Float64Array => {
  const uniforms = new Float64Array(count);
  random.fill(uniforms, 0, count, patient, minor);
  return uniforms;
};

/** All labels of one patient; the draws are addressed by the patient, so that nothing else decides them. */
export type LabelSampler = (random: RandomSource, patient: number) => Uint8Array;

/** Exact: the first half of the choices by the sums over the second, then the second. */
const exactSampler = async (
  network: LabelNetwork,
  given: Uint8Array,
  choices: readonly Choice[],
  end: number,
  pace: Pace,
): Promise<LabelSampler> => {
  const row = given.slice();
  const walk = new LabelWalk(network, row, end);
  let half = 0;
  while (half < choices.length && bitsOf(choices.slice(0, half + 1)) <= bitsOf(choices) / 2) half++;
  const [first, second] = [choices.slice(0, half), choices.slice(half)];
  const sums = new Float64Array(valuesOf(first));
  for (const combination of sums.keys()) {
    setValues(row, first, combination);
    sums[combination] = logSum(walk.weights());
    await pace.rest();
  }
  return (random, patient) => {
    const [one, two] = uniformsOf(random, 2, patient, stream) as Float64Array & [number, number];
    row.set(given);
    setValues(row, first, pick(sums, one));
    setValues(row, second, pick(walk.weights(), two));
    const labels = row.slice();
    sampleInOrder(network, labels, uniformsOf(random, given.length, patient, stream + 1));
    return labels;
  };
};

/** Cuts choices into runs that count as at most so many labels; one choice alone may count as more. */
const runsOf = (choices: readonly Choice[], labels: number): Choice[][] => {
  const runs: Choice[][] = [];
  for (const choice of choices) {
    const run = runs.at(-1);
    if (run && bitsOf([...run, choice]) <= labels) run.push(choice);
    else runs.push([choice]);
  }
  return runs;
};

/** Exact in the limit: eight labels at a time given all others, time and again. */
const sweepSampler =
  (network: LabelNetwork, given: Uint8Array, choices: readonly Choice[], end: number): LabelSampler =>
  (random, patient) => {
    const rows = Array.from({ length: candidates }, () => given.slice());
    const weights = Float64Array.from(rows, (row, i) =>
      sampleInOrder(network, row, uniformsOf(random, given.length, patient, stream + 2 + i)),
    );
    const uniforms = new UniformStream(random, patient, stream);
    const row = rows[pick(weights, uniforms.next())] as Uint8Array;
    const walk = new LabelWalk(network, row, end);
    for (let sweep = 0; sweep < sweeps; sweep++) {
      for (const run of runsOf(uniforms.shuffled(choices), together)) {
        const inOrder = run.toSorted(([a = 0], [b = 0]) => a - b);
        for (const label of inOrder.flat()) row[label] = drawnLabel;
        setValues(row, inOrder, pick(walk.weights(), uniforms.next()));
      }
    }
    row.set(given.subarray(end), end);
    sampleInOrder(network, row, uniformsOf(random, given.length, patient, stream + 1));
    return row;
  };

/**
 * Samples the labels of any patient of whom some are given: 0, 1, or `drawnLabel` where the model decides.
 * All combinations of up to `walked` free labels before the last requested one are walked here and now.
 */
export const labelSampler = async (
  network: LabelNetwork,
  requested: Uint8Array,
  pace: Pace,
  walked = mostWalked,
): Promise<LabelSampler> => {
  const given = settled(network, requested);
  const end = given.findLastIndex((label) => label !== drawnLabel) + 1;
  const choices = choicesOf(network, given, end);
  return bitsOf(choices) <= walked
    ? exactSampler(network, given, choices, end, pace)
    : sweepSampler(network, given, choices, end);
};

/** Sets of requested labels of which the sums are kept: at most 32 KiB each. */
const mostKept = 256;

/** Completes labels of which some are requested. */
export class LabelCompletion {
  readonly #network: HaloNetwork;
  #labelNetwork: LabelNetwork | undefined;
  /**
   * By the labels requested: most requests have the same for all patients, so what a set costs once is kept.
   */
  readonly #samplers = new Map<string, LabelSampler>();

  constructor(network: HaloNetwork) {
    this.#network = network;
  }

  /**
   * `[patients, labels]`: those that are not requested are sampled from their distribution given those that
   * are.
   */
  async complete(requested: Uint8Array, first: number, seed: number): Promise<Uint8Array> {
    if (!requested.includes(drawnLabel)) return requested;
    const random = new RandomSource(seed, 'patients');
    const width = this.#network.architecture.labels;
    const complete = requested.slice();
    for (let from = 0; from < requested.length; from += width) {
      const given = requested.slice(from, from + width);
      if (!given.includes(drawnLabel)) continue;
      const sampler = await this.#samplerOf(given);
      complete.set(sampler(random, first + from / width), from);
      await this.#network.pace.rest();
    }
    return complete;
  }

  async #samplerOf(given: Uint8Array): Promise<LabelSampler> {
    const key = given.join();
    const kept = this.#samplers.get(key);
    if (kept) return kept;
    this.#labelNetwork ??= await labelNetworkOf(this.#network);
    const sampler = await labelSampler(this.#labelNetwork, given, this.#network.pace);
    if (this.#samplers.size === mostKept) this.#samplers.clear();
    this.#samplers.set(key, sampler);
    return sampler;
  }
}
