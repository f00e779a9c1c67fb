import {
  defineMetric,
  type MetricInput,
  type PartialRow,
  type PermutedAttack,
  type ScoredRow,
} from '../metric.ts';
import { widened } from '../statistics/normal.ts';
import { trainedOnTargetsPrefix } from './engine/attack-rows.ts';
import { maximumPValue } from './engine/permuted-attacks.ts';

/**
 * Rows that an attack is judged by; a variant's own prefix stands before the name. With each what its p-value
 * is about: the AUC, or the members found at few false positives, at whichever rate up to 10 % is most
 * telling.
 */
const judged: Record<string, keyof PermutedAttack> = {
  auc: 'auc',
  'tpr-at-0.1-percent': 'fewFalsePositives',
  'tpr-at-1-percent': 'fewFalsePositives',
  'tpr-at-10-percent': 'fewFalsePositives',
};

interface Attack {
  found: ScoredRow & { value: number };
  /** What stands before the row's name: `calibrated-`. */
  prefix: string;
}

/** The rows of this name over all attacks, those that learn from the patients they classify left out. */
const attacksBy = (name: string, rows: readonly ScoredRow[]): Attack[] =>
  rows.flatMap((row) =>
    row.metric.startsWith('membership-') &&
    (row.row === name || row.row.endsWith(`-${name}`)) &&
    !row.row.startsWith(trainedOnTargetsPrefix) &&
    row.value !== null
      ? [{ found: { ...row, value: row.value }, prefix: row.row.slice(0, -name.length) }]
      : [],
  );

/**
 * 95 % of the largest of several numbers. Below: the best one's interval, widened for being the best of them
 * (Bonferroni). Above: the highest end of any, since whichever is truly largest lies below its own.
 */
const intervalOfLargest = (attacks: readonly Attack[], best: Attack): [number, number] | undefined => {
  const { interval, value } = best.found;
  if (!interval) return undefined;
  const [low] = widened(value, interval, attacks.length, [0, 1]);
  return [low, attacks.reduce((most, { found }) => Math.max(most, found.interval?.[1] ?? 0), interval[1])];
};

/** The best of all attacks by one row, the first of equals, as a row of this metric. */
const strongestBy = (
  name: string,
  { rows, permuted = {} }: Pick<MetricInput, 'rows' | 'permuted'>,
): PartialRow[] => {
  const attacks = attacksBy(name, rows);
  const [first, ...others] = attacks;
  if (!first) return [];
  const best = others.reduce(
    (most, attack) => (attack.found.value > most.found.value ? attack : most),
    first,
  );
  const { metric, family, note, interval, ...row } = best.found;
  const variant = best.prefix.replace(/-$/, '');
  const from = variant ? `${metric}, ${variant}` : metric;
  const evidence = judged[name] ?? 'auc';
  const permutations = attacks.map(({ found, prefix }) => permuted[found.metric]?.[prefix]?.[evidence]);
  const isComplete = (all: (number[] | undefined)[]): all is number[][] => all.every(Boolean);
  return [
    {
      ...row,
      row: name,
      interval: intervalOfLargest(attacks, best),
      pValue: isComplete(permutations) ? maximumPValue(permutations) : undefined,
      note: `The strongest of ${attacks.length} by this number: ${from}.${note ? ` ${note}` : ''}`,
    },
  ];
};

/**
 * An attacker would choose the attack that works best, so the privacy of a cohort is its worst case. What is
 * best differs: one attack ranks all patients well, another is certain of a few. So each number is the
 * maximum over all attacks, and its p-value is that of the maximum: members and non-members are permuted, and
 * each time the maximum is formed anew.
 */
export default defineMetric({
  name: 'strongest-attack',
  family: 'privacy',
  title: 'Strongest membership attack',
  about:
    'How well can the best of all membership attacks identify training patients? 0.5 is guessing. Each number is the largest over all attacks; its p-value says how often as strong a best attack arises where nothing leaks, by permuting members and non-members.',
  better: 'lower',
  range: [0, 1],
  needs: ['rows'],
  reference: 'none',
  headline: { auc: 'Strongest membership attack, AUC' },
  compute(input) {
    const strongest = Object.keys(judged).flatMap((name) => strongestBy(name, input));
    if (strongest.length > 0) return { rows: strongest };
    const note = 'No membership attack could be made, so there is no strongest one.';
    return { rows: [{ row: 'auc', title: 'Attack AUC', value: null, n: 0, note }] };
  },
});
