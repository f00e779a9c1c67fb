import { z } from 'zod';
import { defineMetric, type PartialRow } from '../metric.ts';
import { heldOut, measureRow } from '../rows/measure-row.ts';
import { copies, type RatePair, type Spread } from './engine/copies.ts';

const rateRows = (row: string, what: string, { synthetic, test, excess }: RatePair): PartialRow[] => [
  measureRow(
    {
      row: `${row}-excess`,
      title: `${what}, beyond chance`,
      about:
        'the rate among synthetic patients less the rate among real non-members (patients not used for training), who can resemble a training patient by chance only',
    },
    excess,
    { range: [-1, 1] },
  ),
  measureRow(
    { row, title: what, about: 'share of synthetic patients that are such a copy of some training patient' },
    synthetic,
    { ...heldOut(test), range: [0, 1] },
  ),
];

const spreadRows = (
  row: string,
  what: string,
  spread: { synthetic: Spread; test: Spread },
  greatest: number | null,
): PartialRow[] =>
  (['low', 'median'] as const).map((at) =>
    measureRow(
      {
        row: `${row}-${at}`,
        title: `${what}, ${at === 'low' ? 'fifth percentile' : 'median'}`,
        about: 'a description, not a test: compare with the real non-members',
      },
      spread.synthetic[at],
      {
        better: 'closer-to-real',
        real: spread.test[at].value,
        ...heldOut(spread.test[at]),
        range: [0, greatest],
      },
    ),
  );

/** No published definition; ours is in docs/privacy-metrics.md. */
export default defineMetric({
  name: 'copies',
  family: 'privacy',
  title: 'Copies of training patients',
  about:
    'Does the synthetic cohort hold copies of training patients, exact or near, more often than real patients resemble each other by chance? Labels are not compared.',
  better: 'lower',
  range: [-1, 1],
  needs: ['train', 'holdout', 'synthetic'],
  reference: 'none',
  headline: { 'near-excess': 'Near copies, excess rate' },
  options: z.object({
    nearShare: z
      .number()
      .min(0)
      .max(1)
      .default(0.2)
      .describe('a near copy differs in at most this share of its own codes'),
    neighbor: z.int().min(2).default(2).describe('which neighbor the nearest is compared with'),
  }),
  *compute({ train, holdout, synthetic, seed, replicates, options }) {
    const cohorts = { train, test: holdout, synthetic };
    const { exact, near, distance, ratio } = yield* copies(cohorts, { ...options, seed, replicates });
    return {
      rows: [
        ...rateRows('exact', 'Exact copies', exact),
        ...rateRows('near', 'Exact or near copies', near),
        ...spreadRows('distance', 'Codes that differ from the nearest training patient', distance, null),
        ...spreadRows('ratio', 'Distance to the nearest over that to the next', ratio, 1),
      ],
    };
  },
});
