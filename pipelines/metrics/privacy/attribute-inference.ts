import { z } from 'zod';
import { phase } from '../../kernel/steps.ts';
import { defineMetric, type PartialRow } from '../metric.ts';
import { heldOut, measureRow } from '../rows/measure-row.ts';
import {
  type AttributeOptions,
  type AttributeResult,
  attributeInference,
  inferenceRisk,
} from './engine/attribute-inference.ts';
import { riskRows } from './engine/residual-risk.ts';

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
    "The attacker knows a training patient's labels and common codes: how well can the other codes be guessed from the nearest synthetic patients, better than those of real non-members? GDPR, third test.",
  better: 'lower',
  range: [-1, 1],
  needs: ['train', 'holdout', 'synthetic'],
  reference: 'none',
  headline: { risk: 'Attribute inference, risk' },
  options: z.object({
    neighbors: z.int().positive().default(1).describe('nearest patients who vote on each code; HALO takes 1'),
    knownCodes: z.int().positive().default(100).describe('how many of the commonest codes are known'),
    size: z.int().positive().optional().describe('most patients taken from each cohort'),
  }),
  *compute({ train, holdout, synthetic, seed, replicates, options: given }) {
    const cohorts = { train, test: holdout, synthetic };
    const options: AttributeOptions = { ...given, seed, replicates };
    const fair = yield* phase('shared votes', 0, 3, attributeInference(cohorts, options));
    const published = { ...options, ties: 'order' } as const;
    const reference = yield* phase('first of equals', 1, 3, attributeInference(cohorts, published));
    const risk = yield* phase('with a control', 2, 3, inferenceRisk(cohorts, options));
    const controlled = riskRows(risk, {
      title: 'Attribute inference',
      success:
        'success: micro F1 of the codes guessed from the nearest of all synthetic patients against the patients’ other codes',
      guess: 'F1 of guessing the codes of a synthetic patient drawn at random',
    });
    return { rows: [...controlled, ...rowsOf(fair), ...rowsOf(reference, 'reference-halo-')] };
  },
});
