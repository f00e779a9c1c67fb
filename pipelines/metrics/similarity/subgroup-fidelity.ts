import { z } from 'zod';
import type { Steps } from '../../kernel/steps.ts';
import { patientCount } from '../../patients/visit-columns.ts';
import { defineMetric, type MetricResult, type PartialRow } from '../metric.ts';
import { agreement, type Compared } from '../rows/agreement.ts';
import { recordView } from '../rows/agreement-rows.ts';
import { countOccurrences } from '../statistics/occurrence-counts.ts';
import { cohortOf, type Subgroup, subgroupsOf, usualFacts } from '../statistics/subgroups.ts';

const kinds = [
  { keys: 'codes', what: 'code', title: 'code prevalence' },
  { keys: 'pairs', what: 'pair', title: 'same-visit co-occurrence' },
] as const;
type Kind = (typeof kinds)[number];

/** R² of one kind of keys, among some patients of both sides. */
function* fidelity(
  { keys, what }: Kind,
  cohorts: Compared,
): Steps<Pick<PartialRow, 'value' | 'interval' | 'n' | 'note'>> {
  const { train, synthetic } = cohorts;
  const view = { ...recordView(what, train, synthetic), statistics: ['r2'] as const };
  const counts = countOccurrences(train, synthetic, keys);
  const [row] = yield* agreement(keys, cohorts, counts, [{ views: [view] }]);
  if (!row) throw new RangeError('a view of one statistic gives one row');
  return row;
}

const noGroups = (facts: readonly string[], least: number): string =>
  `No group of at least ${least} real patients by ${facts.join(', ')}.`;

const about = (title: string): string =>
  `R² of ${title} per patient, of this group’s synthetic patients against its real ones: 1 is exact. Smaller groups vary more: compare with the real holdout`;

interface GroupRow {
  row: PartialRow;
  group: Subgroup;
}

/** The group with the lowest R², and how far below that of all patients it is. */
const summaryRows = (
  { keys, title }: Kind,
  rows: readonly GroupRow[],
  whole: number | null,
  note: string,
): PartialRow[] => {
  const known = rows.filter(({ row }) => row.value !== null);
  const worst = known.toSorted((a, b) => (a.row.value as number) - (b.row.value as number))[0];
  const value = worst?.row.value ?? null;
  const gap = value === null || whole === null ? null : whole - value;
  const behind = worst && { patients: worst.row.patients, behind: worst.row.behind };
  const why = value === null ? (rows[0]?.row.note ?? note) : `It is ${worst?.group.name}.`;
  return [
    {
      row: `${keys}-worst`,
      title: `R² of ${title}, lowest of all groups`,
      about: `${about(title)}; the group with the lowest value`,
      value,
      n: worst?.row.n ?? 0,
      nIs: 'keys',
      interval: worst?.row.interval,
      note: why,
      ...behind,
    },
    {
      row: `${keys}-gap`,
      title: `R² of ${title}, all patients less the lowest group`,
      about:
        'how much worse than all patients together the worst group is; part of it is that a group is smaller',
      value: gap,
      n: worst?.row.n ?? 0,
      nIs: 'keys',
      better: 'lower',
      range: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
      note: gap === null ? (value === null ? why : 'There is no R² of all patients.') : undefined,
      ...behind,
    },
  ];
};

/** No paper's definition; the R² are those of HALO (Theodorou et al. 2023, figure 3), group by group. */
export default defineMetric({
  name: 'subgroup-fidelity',
  family: 'similarity',
  title: 'Fidelity by subgroup',
  about:
    'Are codes, and codes that occur together, as frequent among synthetic women, men, age bands and ethnic groups as among the real ones? Groups of enough real patients; patients of whom the fact is not known are in none.',
  better: 'higher',
  range: [Number.NEGATIVE_INFINITY, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  options: z.object({
    facts: z
      .array(z.string())
      .min(1)
      .default(usualFacts)
      .describe('facts that groups are formed by; of numbers only age'),
    leastPatients: z.int().positive().default(20).describe('real patients that a group must have'),
  }),
  *compute({ options, ...input }): Steps<MetricResult> {
    const { train, synthetic } = input;
    const { facts, leastPatients } = options;
    const groups = subgroupsOf(train, facts, leastPatients);
    const rows: PartialRow[] = [];
    for (const kind of kinds) {
      const found: GroupRow[] = [];
      for (const group of groups) {
        const [real, ours] = [cohortOf(group, train), cohortOf(group, synthetic)];
        const lacking = group.members(synthetic) === undefined;
        const { value, n, interval, note } = yield* fidelity(kind, {
          ...input,
          train: real,
          synthetic: ours,
        });
        found.push({
          group,
          row: {
            row: `${kind.keys}: ${group.name}`,
            title: `R² of ${kind.title}, ${group.name}`,
            about: about(kind.title),
            value,
            n,
            nIs: 'keys',
            interval,
            note: lacking ? `The synthetic patients have no ${group.fact}.` : note,
            patients: patientCount(real),
            behind: { real: patientCount(real), judged: patientCount(ours) },
          },
        });
      }
      const whole = yield* fidelity(kind, { ...input, replicates: 0 });
      rows.push(
        ...summaryRows(kind, found, whole.value, noGroups(facts, leastPatients)),
        ...found.map(({ row }) => row),
      );
    }
    return { rows };
  },
});
