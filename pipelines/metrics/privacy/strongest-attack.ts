import { defineMetric, type PartialRow, type ScoredRow } from '../metric.ts';
import { widened } from '../statistics/normal.ts';
import { trainedOnTargetsPrefix } from './engine/attack-rows.ts';

/** Rows that an attack is judged by; a variant's own prefix stands before the name. */
const judged = ['auc', 'tpr-at-0.1-percent', 'tpr-at-1-percent', 'tpr-at-10-percent'] as const;

/** The rows of this name over all attacks, those that learn from the patients they classify left out. */
const attacksBy = (name: string, rows: readonly ScoredRow[]): (ScoredRow & { value: number })[] =>
  rows.filter(
    (found): found is ScoredRow & { value: number } =>
      found.metric.startsWith('membership-') &&
      (found.row === name || found.row.endsWith(`-${name}`)) &&
      !found.row.startsWith(trainedOnTargetsPrefix) &&
      found.value !== null,
  );

/** The best of all attacks by one row, the first of equals, as a row of this metric. */
const strongestBy = (name: string, rows: readonly ScoredRow[]): PartialRow[] => {
  const attacks = attacksBy(name, rows);
  const [first, ...others] = attacks;
  if (!first) return [];
  const best = others.reduce((most, attack) => (attack.value > most.value ? attack : most), first);
  const variant = best.row.slice(0, -name.length).replace(/-$/, '');
  const from = variant ? `${best.metric}, ${variant}` : best.metric;
  const { metric, family, note, interval, ...row } = best;
  const corrected =
    interval && attacks.length > 1 ? ' Its interval is widened for being the best of them.' : '';
  return [
    {
      ...row,
      row: name,
      interval: interval && widened(best.value, interval, attacks.length, [0, 1]),
      note: `The strongest of ${attacks.length} by this number: ${from}.${corrected}${note ? ` ${note}` : ''}`,
    },
  ];
};

/**
 * An attacker would choose the attack that works best, so the privacy of a cohort is its worst case. What is
 * best differs: one attack ranks all patients well, another is certain of a few. So each number is the
 * maximum over all attacks, with an interval that holds for the maximum (Bonferroni over the attacks).
 */
export default defineMetric({
  name: 'strongest-attack',
  family: 'privacy',
  title: 'Strongest membership attack',
  about:
    'How well can the best of all membership attacks identify training patients? 0.5 is guessing. Each number is the largest over all attacks; its interval is widened for the number of attacks (Bonferroni, normal approximation).',
  better: 'lower',
  range: [0, 1],
  needs: ['rows'],
  reference: 'none',
  headline: { auc: 'Strongest membership attack, AUC' },
  compute({ rows }) {
    const strongest = judged.flatMap((name) => strongestBy(name, rows));
    if (strongest.length > 0) return { rows: strongest };
    const note = 'No membership attack could be made, so there is no strongest one.';
    return { rows: [{ row: 'auc', title: 'Attack AUC', value: null, n: 0, note }] };
  },
});
