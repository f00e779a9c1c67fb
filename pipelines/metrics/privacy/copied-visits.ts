import { z } from 'zod';
import { defineMetric, type PartialRow } from '../metric.ts';
import { heldOut, measureRow } from '../rows/measure-row.ts';
import { type CopyRate, copiedVisits } from './engine/copied-visits.ts';

const rateRows = (row: string, what: string, { synthetic, holdout, excess }: CopyRate): PartialRow[] => [
  measureRow(
    {
      row: `${row}-excess`,
      title: `${what}, beyond chance`,
      about:
        'the share among synthetic patients less what chance explains: the larger of the share among real non-members (patients not used for training) and of how often synthetic visits repeat those of non-members, had these as many patients',
    },
    excess,
    { range: [-1, 1] },
  ),
  measureRow(
    {
      row,
      title: what,
      about: 'share of synthetic visits, or of pairs of visits in a row, that are such a copy',
    },
    synthetic,
    { ...heldOut(holdout), range: [0, 1] },
  ),
];

/** No published definition; ours is in docs/privacy-metrics.md. */
export default defineMetric({
  name: 'copied-visits',
  family: 'privacy',
  title: 'Copied visits',
  about:
    'Is a synthetic record put together from visits of real ones? Visits with enough codes are searched among those of training patients, whichever patients they belong to, and compared with how often real patients repeat each other’s visits by chance.',
  better: 'lower',
  range: [-1, 1],
  needs: ['train', 'holdout', 'synthetic'],
  reference: 'none',
  headline: { 'near-excess': 'Copied visits, excess rate' },
  options: z.object({
    leastCodes: z
      .int()
      .min(1)
      .default(5)
      .describe('visits of fewer codes are not looked at: they coincide by chance'),
    similarity: z
      .number()
      .min(0.5)
      .max(1)
      .default(0.8)
      .describe('a near copy shares at least this part of the codes that either visit has (Jaccard)'),
  }),
  *compute({ train, holdout, synthetic, seed, replicates, options }) {
    const cohorts = { train, test: holdout, synthetic };
    const { exact, near, runs } = yield* copiedVisits(cohorts, { ...options, seed, replicates });
    return {
      rows: [
        ...rateRows('near', 'Exact or near copies of visits', near),
        ...rateRows('exact', 'Exact copies of visits', exact),
        ...rateRows('runs', 'Exact copies of two visits in a row', runs),
      ],
    };
  },
});
