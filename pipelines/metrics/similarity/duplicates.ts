import { commonestShare, type RecordGroups, recordGroups, twinShare } from '../../plausibility/duplicates.ts';
import { defineMetric, type PartialRow } from '../metric.ts';

interface Sides {
  synthetic: RecordGroups;
  real: RecordGroups;
  holdout: RecordGroups;
}

/** The size at which all cohorts are compared: that of the smallest that is there. */
const commonSize = (sides: Sides): number =>
  Math.min(...Object.values(sides).flatMap(({ n }: RecordGroups) => (n > 0 ? [n] : [])), sides.synthetic.n);

/** Patients who have the commonest record, of whom there may be few. */
const largestGroup = ({ sizes }: RecordGroups): number => sizes.at(-1) ?? 0;

const rowOf = (
  row: Pick<PartialRow, 'row' | 'title' | 'about' | 'behind'>,
  { synthetic, real, holdout }: Sides,
  compute: (groups: RecordGroups) => number | null,
): PartialRow => {
  const value = compute(synthetic);
  return {
    ...row,
    value,
    real: compute(real),
    holdout: compute(holdout),
    n: synthetic.n,
    note: value === null ? 'No synthetic patient has such a record.' : undefined,
  };
};

const twinRow = (row: string, title: string, whose: string, sides: Sides): PartialRow => {
  const size = commonSize(sides);
  const about = `share of ${whose} with the same codes in the same visits as another of their cohort, as expected among ${size} of them, so that a larger cohort does not look worse`;
  return rowOf({ row, title, about }, sides, (groups) => twinShare(groups, size));
};

/**
 * No published definition. Copies of training patients are a matter of privacy (`copies`); this is about a
 * generator that repeats itself. No intervals: resampling patients itself makes duplicates.
 */
export default defineMetric({
  name: 'duplicates',
  family: 'similarity',
  title: 'Duplicate records',
  about:
    'Do synthetic patients repeat each other more than real ones do? Short records of frequent codes repeat in any cohort. Patients without a code are left out, and labels are not looked at.',
  better: 'closer-to-real',
  range: [0, 1],
  needs: ['train', 'synthetic'],
  reference: 'none',
  compute({ train, holdout, synthetic }) {
    const sides = (leastVisits: number): Sides => ({
      synthetic: recordGroups(synthetic, leastVisits),
      real: recordGroups(train, leastVisits),
      holdout: recordGroups(holdout, leastVisits),
    });
    const all = sides(1);
    return {
      rows: [
        twinRow('share', 'Duplicate records', 'patients', all),
        twinRow(
          'long-share',
          'Duplicate records of two or more visits',
          'patients with two or more visits',
          sides(2),
        ),
        rowOf(
          {
            row: 'commonest',
            title: 'Commonest record',
            about: 'share of patients who have the record that most patients have',
            behind: {
              real: largestGroup(all.real),
              judged: largestGroup(all.synthetic),
              holdout: largestGroup(all.holdout),
            },
          },
          all,
          commonestShare,
        ),
      ],
    };
  },
});
