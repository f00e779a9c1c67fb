import { z } from 'zod';
import { phase } from '../../kernel/steps.ts';
import { defineMetric, type PartialRow } from '../metric.ts';
import { heldOut, measureRow } from '../rows/measure-row.ts';
import {
  type AttributeOptions,
  type AttributeResult,
  attributeInference,
} from './engine/attribute-inference.ts';

const referenceNote =
  'Computed as in the HALO script: of equally near patients only the first votes, so the number depends on their order.';

const rowsOf = ({ attack, reference, excess }: AttributeResult, prefix = ''): PartialRow[] => {
  const title = prefix === '' ? '' : ', as published';
  const note = prefix === '' ? undefined : referenceNote;
  return [
    measureRow(
      {
        row: `${prefix}excess`,
        title: `F1 advantage${title}`,
        about:
          'F1 of guessing from synthetic patients, less that of guessing from real non-members (patients not used for training): what the synthetic cohort discloses about its training patients',
      },
      excess,
      { range: [-1, 1], note },
    ),
    measureRow(
      {
        row: `${prefix}f1`,
        title: `F1 of the guessed codes${title}`,
        about: "micro F1 of the codes guessed against the patients' other codes, over all attacked patients",
      },
      attack,
      { ...heldOut(reference), note },
    ),
  ];
};

/** HALO (Theodorou et al. 2023), supplement; evaluate_privacy_attribute.py lines 38–69. */
export default defineMetric({
  name: 'attribute-inference',
  family: 'privacy',
  title: 'Attribute inference',
  about:
    "The attacker knows a training patient's labels and common codes: how well can the other codes be guessed from the nearest synthetic patients, compared with the nearest real non-members?",
  better: 'lower',
  range: [-1, 1],
  needs: ['train', 'holdout', 'synthetic'],
  reference: 'none',
  headline: { excess: 'Attribute inference, F1 advantage' },
  options: z.object({
    neighbors: z.int().positive().default(1).describe('nearest patients who vote on each code; HALO takes 1'),
    knownCodes: z.int().positive().default(100).describe('how many of the commonest codes are known'),
    size: z.int().positive().optional().describe('most patients taken from each cohort'),
  }),
  *compute({ train, holdout, synthetic, seed, replicates, options: given }) {
    const cohorts = { train, test: holdout, synthetic };
    const options: AttributeOptions = { ...given, seed, replicates };
    const fair = yield* phase('shared votes', 0, 2, attributeInference(cohorts, options));
    const published = { ...options, ties: 'order' } as const;
    const reference = yield* phase('first of equals', 1, 2, attributeInference(cohorts, published));
    return { rows: [...rowsOf(fair), ...rowsOf(reference, 'reference-halo-')] };
  },
});
