import type { Interval } from './bootstrap.ts';
import { logChooser } from './exact-test.ts';
import { wilsonInterval } from './normal.ts';

/** Scores of an attack: the higher, the more certain that a patient was used for training. */
export interface AttackScores {
  members: Float64Array;
  nonMembers: Float64Array;
}

/** All patients by falling score, cut into steps of equal score. */
export interface Ranking {
  /** Members are 0 … memberCount − 1, non-members follow. */
  order: Int32Array;
  /** `ends[i]`: how many of `order` score at least as high as step i. */
  ends: Int32Array;
  memberCount: number;
}

/**
 * A ROC curve in counts: members and non-members called members at each threshold, from none to all.
 */
export interface RocSteps {
  hits: Float64Array;
  alarms: Float64Array;
}

/** Sorts once; every threshold, and every bootstrap resample, reads from the result. */
export function rank({ members, nonMembers }: AttackScores): Ranking {
  const scores = new Float64Array(members.length + nonMembers.length);
  scores.set(members);
  scores.set(nonMembers, members.length);
  const order = Int32Array.from(scores, (_, i) => i);
  // −∞ less −∞ is NaN, and falls to the index like any tie.
  order.sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
  const ends: number[] = [];
  for (let i = 1; i <= order.length; i++)
    if (i === order.length || scores[order[i] as number] !== scores[order[i - 1] as number]) ends.push(i);
  return { order, ends: Int32Array.from(ends), memberCount: members.length };
}

/** The curve of a ranking; `counts` is how often each member and each non-member is counted. */
export function rocSteps(
  { order, ends, memberCount }: Ranking,
  counts?: readonly [Int32Array, Int32Array],
): RocSteps {
  const hits = new Float64Array(ends.length + 1);
  const alarms = new Float64Array(ends.length + 1);
  let at = 0;
  for (let step = 0; step < ends.length; step++) {
    let hit = hits[step] as number;
    let alarm = alarms[step] as number;
    for (; at < (ends[step] as number); at++) {
      const patient = order[at] as number;
      if (patient < memberCount) hit += counts ? (counts[0][patient] as number) : 1;
      else alarm += counts ? (counts[1][patient - memberCount] as number) : 1;
    }
    hits[step + 1] = hit;
    alarms[step + 1] = alarm;
  }
  return { hits, alarms };
}

const last = (values: Float64Array): number => values[values.length - 1] as number;

/** Probability that a member scores above a non-member, ties counting half (Mann–Whitney). */
export function areaUnder({ hits, alarms }: RocSteps): number {
  let area = 0;
  for (let i = 1; i < hits.length; i++) {
    const width = (alarms[i] as number) - (alarms[i - 1] as number);
    area += width * ((hits[i] as number) + (hits[i - 1] as number));
  }
  return area / 2 / (last(hits) * last(alarms));
}

/**
 * Highest true positive rate of any threshold whose false positive rate is at most `rate`; not interpolated.
 */
export function truePositiveRateAt({ hits, alarms }: RocSteps, rate: number): number {
  // A hair of slack: 0.1 × 30 must allow 3.
  const allowed = rate * last(alarms) * (1 + 1e-12);
  let best = 0;
  for (let i = 0; i < hits.length && (alarms[i] as number) <= allowed; i++) best = hits[i] as number;
  return best / last(hits);
}

/**
 * The probability that at least `r` of `n` non-members lie above the threshold that a share `rate` of all of
 * them exceeds, by r; it falls from 1, and ends where it is next to nothing.
 */
const tailsOf = (n: number, rate: number): number[] => {
  const choose = logChooser(n);
  const tails = [1];
  for (let k = 0, left = 1; k < n && left > 1e-9; k++) {
    left -= Math.exp(choose(n, k) + k * Math.log(rate) + (n - k) * Math.log1p(-rate));
    tails.push(Math.max(0, left));
  }
  return tails;
};

/** Where falling tails reach a probability, between whole ranks by linear interpolation. */
const rankAt = (tails: readonly number[], probability: number): number => {
  const next = tails.findIndex((tail) => tail <= probability);
  if (next < 0) return tails.length - 1;
  const [above, below] = [tails[next - 1] as number, tails[next] as number];
  return next - (probability - below) / (above - below);
};

/**
 * 95 % interval of the true positive rate of the population at a false positive rate of the population. Two
 * things are uncertain: which threshold that is, and how many members lie above a threshold. The threshold
 * lies between two order statistics of the non-members (binomial; David and Nagaraja, Order Statistics, 2003,
 * section 7.1), the share above it has Wilson's interval, and as the two are independent their distances are
 * joined by the square root of the sum of squares (MOVER: Zou and Donner 2008). Above the highest non-member
 * the curve is taken to fall to 0 in a straight line, the least that a concave curve can do: up to about 370
 * non-members cannot exclude that they miss the threshold of 1 %, and the lower end is near 0. `value` is the
 * rate as it is reported, at the last threshold allowed, and lies inside.
 */
export function truePositiveRateInterval(steps: RocSteps, rate: number, value: number): Interval {
  const { hits, alarms } = steps;
  const [members, nonMembers] = [last(hits), last(alarms)];
  const tails = tailsOf(nonMembers, rate);
  // Members above the r-th highest non-member; ties are not above.
  const above = (r: number): number => {
    let best = 0;
    for (let i = 0; i < hits.length && (alarms[i] as number) < r; i++) best = hits[i] as number;
    return best / members;
  };
  const between = (r: number): number => {
    const whole = Math.floor(r);
    const below = whole === 0 ? 0 : above(whole);
    return below + (r - whole) * (above(whole + 1) - below);
  };
  const center = between(rate * (nonMembers + 1));
  const [low, high] = wilsonInterval(center, members);
  const least = center - Math.hypot(center - low, center - between(rankAt(tails, 0.975)));
  const most = center + Math.hypot(high - center, between(rankAt(tails, 0.025)) - center);
  return [Math.max(0, Math.min(value, least)), Math.min(1, Math.max(value, most))];
}

/** The threshold that is right most often; the strictest of several. */
export function bestStep({ hits, alarms }: RocSteps): number {
  let best = 0;
  for (let i = 1; i < hits.length; i++)
    if ((hits[i] as number) - (alarms[i] as number) > (hits[best] as number) - (alarms[best] as number))
      best = i;
  return best;
}

/** Share of all that a threshold puts on the right side. */
export const accuracyAt = ({ hits, alarms }: RocSteps, step: number): number =>
  ((hits[step] as number) + last(alarms) - (alarms[step] as number)) / (last(hits) + last(alarms));

/** At most `limit` corners of the curve as rates, spread evenly over both axes; both ends always stay. */
export function thinCurve({ hits, alarms }: RocSteps, limit: number) {
  const falsePositive: number[] = [];
  const truePositive: number[] = [];
  let passed = -1;
  for (let i = 0; i < hits.length; i++) {
    const x = (alarms[i] as number) / last(alarms);
    const y = (hits[i] as number) / last(hits);
    const mark = Math.floor(((x + y) / 2) * (limit - 2));
    if (mark === passed && i < hits.length - 1) continue;
    passed = mark;
    falsePositive.push(x);
    truePositive.push(y);
  }
  return { falsePositive, truePositive };
}
