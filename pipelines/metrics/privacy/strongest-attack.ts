import { defineMetric, type PartialRow, type ScoredRow } from '../metric.ts';
import { trainedOnTargetsPrefix } from './engine/attack-rows.ts';
import { strongestAttack } from './engine/attack-scores.ts';

const isAttack = ({ metric, row, value }: ScoredRow): boolean =>
  metric.startsWith('membership-') &&
  /(^|-)auc$/.test(row) &&
  !row.startsWith(trainedOnTargetsPrefix) &&
  value !== null;

const strongestOf = (attacks: readonly ScoredRow[]): ScoredRow | undefined => {
  const byName = new Map(attacks.map((attack) => [`${attack.metric} ${attack.row}`, attack]));
  const results = [...byName].map(([name, { value }]) => [name, { auc: { value } }] as const);
  const name = strongestAttack(Object.fromEntries(results));
  return name === undefined ? undefined : byName.get(name);
};

/** Rows of the strongest attack that are repeated: their names without the prefix of the variant. */
const repeated = ['auc', 'tpr-at-0.1-percent', 'tpr-at-1-percent', 'tpr-at-10-percent'];

/** An attacker would choose the attack that works best, so the privacy of a cohort is its worst case. */
export default defineMetric({
  name: 'strongest-attack',
  family: 'privacy',
  title: 'Strongest membership attack',
  about:
    'How well can the best of all membership attacks identify training patients? 0.5 is guessing. The best of several is a little above its own average even where nothing leaks.',
  better: 'lower',
  range: [0, 1],
  needs: ['rows'],
  reference: 'none',
  headline: { auc: 'Strongest membership attack, AUC' },
  compute({ rows }) {
    const attacks = rows.filter(isAttack);
    const best = strongestOf(attacks);
    if (!best) {
      const note = 'No membership attack could be made, so there is no strongest one.';
      return { rows: [{ row: 'auc', title: 'Attack AUC', value: null, n: 0, note }] };
    }
    const prefix = best.row.slice(0, -'auc'.length);
    const from = `${best.metric}${prefix && `, ${prefix.slice(0, -1)}`}`;
    return {
      rows: repeated.flatMap((name): PartialRow[] => {
        const source = rows.find(({ metric, row }) => metric === best.metric && row === prefix + name);
        if (!source) return [];
        const { metric, family, note, ...row } = source;
        const own = `The strongest of ${attacks.length}: ${from}.${note === undefined ? '' : ` ${note}`}`;
        return [{ ...row, row: name, note: own }];
      }),
    };
  },
});
