import { RandomSource } from '../../../kernel/random.ts';
import type { PermutedAttack } from '../../metric.ts';
import { logChooser } from '../../statistics/exact-test.ts';
import { type AttackScores, rank } from '../../statistics/roc.ts';

/** Permutations of who is a member; with so many, the smallest p-value is 1 in 2,000. */
const permutations = 1999;

/** Above this share of false positives an attack finds no single patients. */
const highestRate = 0.1;

/** 0, 1, 2, 3, 5, 8, … non-members: the false positives up to `highestRate` at which members are counted. */
const allowances = (nonMembers: number): number[] => {
  const allowed = [0];
  let [next, after] = [1, 2];
  while (next <= highestRate * nonMembers) {
    allowed.push(next);
    [next, after] = [after, next + after];
  }
  return allowed;
};

/**
 * −log₁₀ of the probability that among the first `hits + alarms` of all patients in random order at most
 * `alarms` are non-members (hypergeometric).
 */
const surpriseOf = (members: number, nonMembers: number) => {
  const logChoose = logChooser(members + nonMembers);
  const known = new Map<number, number>();
  return (hits: number, alarms: number): number => {
    const key = alarms * (members + 1) + hits;
    let surprise = known.get(key);
    if (surprise === undefined) {
      const all = logChoose(members + nonMembers, hits + alarms);
      let probability = 0;
      for (let a = 0; a <= alarms; a++)
        probability += Math.exp(logChoose(members, hits + alarms - a) + logChoose(nonMembers, a) - all);
      surprise = Math.max(0, -Math.log10(probability));
      known.set(key, surprise);
    }
    return surprise;
  };
};

/** Rounded, so that a stored number is as short as it is exact. */
const rounded = (value: number): number => Math.round(value * 1e4) / 1e4;

/**
 * An attack under permutations of membership. `seed` addresses them: attacks that are to be compared have the
 * same seed and the same patients in the same order. Scores must be numbers or infinite.
 */
export const permutedAttack = (scores: AttackScores, seed: number): PermutedAttack => {
  const [members, nonMembers] = [scores.members.length, scores.nonMembers.length];
  const count = members + nonMembers;
  const { order, ends } = rank(scores);
  /** By patient: how many stand below, those of equal score counting half. */
  const below = new Float64Array(count);
  for (let step = 0, from = 0; step < ends.length; step++) {
    const end = ends[step] as number;
    const middle = count - (from + end + 1) / 2;
    for (let at = from; at < end; at++) below[order[at] as number] = middle;
    from = end;
  }
  const expected = (members * (count - 1)) / 2;
  const deviation = Math.sqrt((members * nonMembers * (count + 1)) / 12);
  const allowed = allowances(nonMembers);
  const surprise = surpriseOf(members, nonMembers);

  const isMember = Uint8Array.from({ length: count }, (_, patient) => (patient < members ? 1 : 0));
  const aucNow = (): number => {
    let sum = 0;
    for (let patient = 0; patient < count; patient++) if (isMember[patient]) sum += below[patient] as number;
    return (sum - expected) / deviation;
  };
  const fewNow = (): number => {
    let [hits, alarms, at, most] = [0, 0, 0, 0];
    let next = 0;
    for (const end of ends) {
      let [hitsHere, alarmsHere] = [0, 0];
      for (; at < end; at++) {
        if (isMember[order[at] as number]) hitsHere++;
        else alarmsHere++;
      }
      // Before the false positives of this step, each allowance that they exceed is looked at.
      for (; next < allowed.length && alarms + alarmsHere > (allowed[next] as number); next++)
        most = Math.max(most, surprise(hits, alarms));
      if (next === allowed.length) return most;
      hits += hitsHere;
      alarms += alarmsHere;
    }
    return Math.max(most, surprise(hits, alarms));
  };

  const found: PermutedAttack = { auc: [rounded(aucNow())], fewFalsePositives: [rounded(fewNow())] };
  const source = new RandomSource(seed, 'attack');
  const draws = new Uint32Array(count);
  for (let permutation = 0; permutation < permutations; permutation++) {
    // The minor counter keeps attacks on other numbers of patients apart; samples of patients have 0.
    source.words(draws, 0, permutation, count);
    let left = members;
    for (let patient = 0; patient < count; patient++) {
      // So many members are left for so many patients (selection sampling, Knuth 3.4.2, algorithm S).
      const isChosen = (draws[patient] as number) * (count - patient) < left * 2 ** 32;
      isMember[patient] = isChosen ? 1 : 0;
      if (isChosen) left--;
    }
    found.auc.push(rounded(aucNow()));
    found.fewFalsePositives.push(rounded(fewNow()));
  }
  return found;
};

/**
 * The p-value of the strongest of several attacks, (b + 1) / (B + 1): the share of permutations, that which
 * was found among them, in which the largest over the attacks is at least what it was found to be (Westfall
 * and Young 1993, single-step maximum; exact by Phipson and Smyth, Stat Appl Genet Mol Biol 9, 2010).
 * Undefined without attacks.
 */
export const maximumPValue = (attacks: readonly (readonly number[])[]): number | undefined => {
  const [first] = attacks;
  if (!first) return undefined;
  const largest = first.map((_, i) =>
    attacks.reduce((most, attack) => Math.max(most, attack[i] as number), Number.NEGATIVE_INFINITY),
  );
  const [found = Number.NaN] = largest;
  return largest.filter((value) => value >= found).length / largest.length;
};
