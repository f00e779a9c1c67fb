import type { PermutedAttack } from '../../metric.ts';
import { bootstrapIntervals, quantile } from '../../statistics/bootstrap.ts';
import { type Measure, measured, missing } from '../../statistics/measure.ts';
import {
  type AttackScores,
  accuracyAt,
  areaUnder,
  bestStep,
  type RocSteps,
  rank,
  rocSteps,
  thinCurve,
  truePositiveRateAt,
  truePositiveRateInterval,
} from '../../statistics/roc.ts';
import { permutedAttack } from './permuted-attacks.ts';

export interface ScoreOptions {
  seed: number;
  /** Bootstrap replicates; 0 for no intervals, and no permutations either. */
  replicates: number;
  /** Most points the ROC curve keeps. */
  curvePoints?: number;
}

/** False positive rates at which an attack's true positive rate is reported. */
export const falsePositiveRates = [0.001, 0.01, 0.1] as const;

/** What comes of classifying all patients above a threshold as members. */
interface ThresholdResult {
  accuracy: Measure;
  precision: Measure;
  recall: Measure;
  f1: Measure;
}

/** All numbers of the report about one membership attack. */
export interface AttackResult {
  auc: Measure;
  /**
   * In the order of `falsePositiveRates`: the best true positive rate at no more false positives than that.
   */
  truePositiveRates: Measure[];
  /** Members are those above the median score of all, ties are not: the reference scripts' rule. */
  atMedian: ThresholdResult;
  /** The threshold that does best on these very patients: the most an attacker could reach with one. */
  atBest: ThresholdResult;
  /** Corners of the ROC curve from (0, 0) to (1, 1); rates, no patients. */
  curve: { falsePositive: number[]; truePositive: number[] };
  /**
   * The same attack with members and non-members permuted; absent where it cannot be made, or without
   * replicates.
   */
  permuted?: PermutedAttack;
}

type Four<T> = [T, T, T, T];

const noneClassified = 'the attack classifies no patient as a member at this threshold';

/** Accuracy, precision, recall and F1 of one step of a curve, in that order. */
const atStep = (at: RocSteps, step: number): (number | null)[] => {
  const [hits, alarms] = [at.hits[step] as number, at.alarms[step] as number];
  const members = at.hits.at(-1) as number;
  return [
    accuracyAt(at, step),
    hits + alarms === 0 ? null : hits / (hits + alarms),
    hits / members,
    (2 * hits) / (hits + alarms + members),
  ];
};

/** The step of the curve that holds exactly those above the median of all. */
function medianStep(scores: AttackScores, ends: Int32Array): number {
  const all = Float64Array.from([...scores.members, ...scores.nonMembers]).sort();
  const median = quantile(all, 0.5);
  return ends.indexOf(all.filter((score) => score > median).length) + 1;
}

function whyMissing(scores: AttackScores): string | undefined {
  if (scores.members.length === 0) return 'there is no member to attack: the training part is empty';
  if (scores.nonMembers.length === 0) return 'there is no non-member to attack: the holdout part is empty';
  if (scores.members.some(Number.isNaN) || scores.nonMembers.some(Number.isNaN))
    return 'a score is not a number, so the patients cannot be ranked';
  return undefined;
}

/** An attack that cannot be made, every number of it with the same sentence. */
export const attackMissing = (note: string): AttackResult => {
  const none = missing(note);
  const nowhere: ThresholdResult = { accuracy: none, precision: none, recall: none, f1: none };
  return {
    auc: none,
    truePositiveRates: falsePositiveRates.map(() => none),
    atMedian: nowhere,
    atBest: nowhere,
    curve: { falsePositive: [], truePositive: [] },
  };
};

/**
 * AUC, true positive rates and threshold results of an attack; intervals by resampling patients, except for
 * the true positive rates, whose threshold would then be one of the few that were drawn. −∞ is a score like
 * any other; NaN is not.
 */
export function scoreAttack(scores: AttackScores, options: ScoreOptions): AttackResult {
  const reason = whyMissing(scores);
  if (reason) return attackMissing(reason);
  const [members, nonMembers] = [scores.members.length, scores.nonMembers.length];
  const ranking = rank(scores);
  const steps = rocSteps(ranking);
  const middle = medianStep(scores, ranking.ends);
  const numbers = (at: RocSteps) => [
    areaUnder(at),
    ...falsePositiveRates.map((rate) => truePositiveRateAt(at, rate)),
    ...atStep(at, middle),
    ...atStep(at, bestStep(at)),
  ];
  const intervals = bootstrapIntervals({
    ...options,
    sizes: [members, nonMembers],
    statistics: ([a, b]) => numbers(rocSteps(ranking, [a as Int32Array, b as Int32Array])),
  });
  const all = numbers(steps).map((value, i): Measure => {
    const rate = falsePositiveRates[i - 1];
    const n = rate === undefined ? members + nonMembers : members;
    if (value === null) return missing(noneClassified, n);
    const isRate = rate !== undefined && intervals[i] !== undefined;
    return measured(value, n, isRate ? truePositiveRateInterval(steps, rate, value) : intervals[i]);
  });
  const [auc, ...rest] = all as [Measure, ...Measure[]];
  const truePositiveRates = rest.splice(0, falsePositiveRates.length);
  for (const [i, rate] of falsePositiveRates.entries())
    if (rate * nonMembers < 1)
      Object.assign(truePositiveRates[i] as Measure, {
        unresolved: true,
        note: `${nonMembers} non-members cannot resolve ${100 * rate} % false positives: measured at no false positive at all`,
      });
  const threshold = (step: number, from: number): ThresholdResult => {
    const [accuracy, precision, recall, f1] = rest.slice(from, from + 4) as Four<Measure>;
    const called = (steps.hits[step] as number) + (steps.alarms[step] as number);
    return { accuracy, precision: { ...precision, n: called }, recall: { ...recall, n: members }, f1 };
  };
  return {
    auc,
    truePositiveRates,
    atMedian: threshold(middle, 0),
    atBest: threshold(bestStep(steps), 4),
    curve: thinCurve(steps, options.curvePoints ?? 200),
    permuted: options.replicates > 0 ? permutedAttack(scores, options.seed) : undefined,
  };
}
