import { bootstrapIntervals } from '../../statistics/bootstrap.ts';
import { type Measure, measured, missing } from '../../statistics/measure.ts';
import { areaUnder, type Ranking, type RocSteps, rank, rocSteps, thinCurve } from '../../statistics/roc.ts';

/** The attacker's score that each patient has each code, and which patients have it. */
export interface BelievedCodes {
  /** `[patients, codes]` ln P̂ − ln P0 */
  scores: Float64Array;
  present: Uint8Array;
  codes: number;
}

/** What comes of believing every code whose score is at least δ. */
interface AtThreshold {
  threshold: number;
  /** Share of the codes that are there and of those that are not, which are believed. */
  truePositiveRate: Measure;
  falsePositiveRate: Measure;
  /** Share of the believed codes that are there. */
  precision: Measure;
}

export interface BeliefResult {
  auc: Measure;
  atThresholds: AtThreshold[];
  curve: { falsePositive: number[]; truePositive: number[] };
  /** Rates over δ from 0 to 4, where the paper's figure 4 ends. */
  sweep: { threshold: number[]; falsePositive: number[]; truePositive: number[] };
}

export interface BeliefOptions {
  seed: number;
  replicates: number;
  thresholds: readonly number[];
}

/** An attack that cannot be made. */
export const noBelief = (note: string): BeliefResult => ({
  auc: missing(note),
  atThresholds: [],
  curve: { falsePositive: [], truePositive: [] },
  sweep: { threshold: [], falsePositive: [], truePositive: [] },
});

const sweepSteps = Array.from({ length: 41 }, (_, i) => i / 10);

/** One attack, ranked once; every threshold and every resample of patients reads from it. */
class RankedBelief {
  readonly pairs: number;
  readonly patients: number;
  readonly ranking: Ranking;
  /** Patient of each code that is there, and of each that is not. */
  readonly #owners: [Int32Array, Int32Array];
  readonly #counts: [Int32Array, Int32Array];
  readonly #scores: Float64Array;

  constructor({ scores, present, codes }: BelievedCodes) {
    this.pairs = scores.length;
    this.patients = scores.length / codes;
    const there = scores.filter((_, i) => present[i] === 1);
    const absent = scores.filter((_, i) => present[i] !== 1);
    this.#scores = Float64Array.from([...there, ...absent]);
    this.ranking = rank({ members: there, nonMembers: absent });
    const owners = Int32Array.from(scores, (_, i) => Math.floor(i / codes));
    this.#owners = [owners.filter((_, i) => present[i] === 1), owners.filter((_, i) => present[i] !== 1)];
    this.#counts = [new Int32Array(there.length), new Int32Array(absent.length)];
  }

  /** The curve, with every patient counted `counts` times. */
  steps(counts?: Int32Array): RocSteps {
    if (!counts) return rocSteps(this.ranking);
    for (const [side, owners] of this.#owners.entries())
      for (let i = 0; i < owners.length; i++)
        (this.#counts[side] as Int32Array)[i] = counts[owners[i] as number] as number;
    return rocSteps(this.ranking, this.#counts);
  }

  /** The step of the curve that believes exactly the scores of at least `threshold`. */
  stepAt(threshold: number): number {
    const { order, ends } = this.ranking;
    let step = 0;
    while (
      step < ends.length &&
      (this.#scores[order[(ends[step] as number) - 1] as number] as number) >= threshold
    )
      step++;
    return step;
  }
}

const divided = (above: number, below: number): number | null => (below === 0 ? null : above / below);

/** True and false positive rate and precision of one step. */
const atStep = ({ hits, alarms }: RocSteps, step: number): (number | null)[] => {
  const [hit, alarm] = [hits[step] as number, alarms[step] as number];
  return [
    divided(hit, hits.at(-1) as number),
    divided(alarm, alarms.at(-1) as number),
    divided(hit, hit + alarm),
  ];
};

const aucOf = (steps: RocSteps): number | null => {
  const area = areaUnder(steps);
  return Number.isNaN(area) ? null : area;
};

const difference = (a: number | null = null, b: number | null = null): number | null =>
  a === null || b === null ? null : a - b;

const oneSided = 'all of the patients, or none of them, have the codes asked about';
const nothingBelieved = 'no code is inferred at this threshold';

/** The numbers of one attack in a row: AUC, then three for each threshold. */
const numbersOf = (steps: RocSteps, thresholds: readonly number[]): (number | null)[] => [
  aucOf(steps),
  ...thresholds.flatMap((step) => atStep(steps, step)),
];

const isPrecision = (place: number): boolean => place > 0 && place % 3 === 0;

const resultOf = (
  attack: RankedBelief,
  [auc, ...rest]: readonly [Measure, ...Measure[]],
  thresholds: readonly number[],
): BeliefResult => {
  if (auc.value === null) return noBelief(auc.note ?? oneSided);
  const steps = attack.steps();
  const swept = sweepSteps.map((threshold) => atStep(steps, attack.stepAt(threshold)));
  return {
    auc,
    atThresholds: thresholds.map((threshold, t) => {
      const [truePositiveRate, falsePositiveRate, precision] = rest.slice(3 * t) as [
        Measure,
        Measure,
        Measure,
      ];
      return { threshold, truePositiveRate, falsePositiveRate, precision };
    }),
    curve: thinCurve(steps, 200),
    sweep: {
      threshold: sweepSteps,
      truePositive: swept.map(([rate]) => rate ?? 0),
      falsePositive: swept.map(([, rate]) => rate ?? 0),
    },
  };
};

/** An attack, and which group of patients it is about. */
interface GroupedBelief {
  believed: BelievedCodes;
  group: number;
}

/**
 * AUC and success of several attacks, and differences of the AUCs of those `compared`. Intervals resample
 * patients, with all their codes; attacks on one group are resampled together.
 */
export const beliefResults = (
  attacks: readonly GroupedBelief[],
  compared: readonly (readonly [number, number])[],
  { seed, replicates, thresholds }: BeliefOptions,
): { results: BeliefResult[]; differences: Measure[] } => {
  const ranked = attacks.map(({ believed }) => new RankedBelief(believed));
  const stepsAt = ranked.map((attack) => thresholds.map((threshold) => attack.stepAt(threshold)));
  const width = 1 + 3 * thresholds.length;
  const statistics = (counts?: readonly Int32Array[]): (number | null)[] => {
    const own = ranked.flatMap((attack, i) =>
      numbersOf(attack.steps(counts?.[attacks[i]?.group as number]), stepsAt[i] as number[]),
    );
    return [...own, ...compared.map(([a, b]) => difference(own[a * width], own[b * width]))];
  };
  const sizes: number[] = [];
  for (const [i, { group }] of attacks.entries()) sizes[group] = (ranked[i] as RankedBelief).patients;
  const intervals = bootstrapIntervals({ seed, replicates, sizes, statistics });
  const measures = statistics().map((value, i): Measure => {
    const at = Math.floor(i / width);
    const pairs = (ranked[at] ?? (ranked[0] as RankedBelief)).pairs;
    const note = at < ranked.length && isPrecision(i % width) ? nothingBelieved : oneSided;
    return value === null ? missing(note, pairs) : measured(value, pairs, intervals[i]);
  });
  const results = ranked.map((attack, i) => {
    const own = measures.slice(i * width, (i + 1) * width) as [Measure, ...Measure[]];
    return resultOf(attack, own, thresholds);
  });
  return { results, differences: measures.slice(ranked.length * width) };
};
