import { z } from 'zod';
import { defineMetric } from '../metric.ts';
import { heldOut, measureRow } from '../rows/measure-row.ts';
import { identityDisclosure, identityRiskThreshold } from './engine/identity-disclosure.ts';

/** El Emam, Mosquera, Bass: J Med Internet Res 2020;22(11):e23139. */
export default defineMetric({
  name: 'identity-disclosure',
  family: 'privacy',
  title: 'Identity disclosure',
  about: `What is the probability that a synthetic record is matched to the right training patient and reveals something new about them? Below ${identityRiskThreshold} is commonly considered acceptable.`,
  better: 'lower',
  range: [0, 1],
  needs: ['train', 'holdout', 'synthetic'],
  reference: 'none',
  headline: { risk: 'Identity disclosure risk' },
  options: z.object({
    samplingFraction: z
      .number()
      .positive()
      .max(1)
      .default(1)
      .describe('share of the population that was trained on; 1: the attacker knows the target was'),
    learnedShare: z
      .number()
      .min(0)
      .max(1)
      .default(0.05)
      .describe("least share of a patient's rare codes that a match must show to reveal something"),
  }),
  *compute({ train, holdout, synthetic, seed, replicates, options }) {
    const cohorts = { train, test: holdout, synthetic };
    const { risk, reference, acceptable } = yield* identityDisclosure(cohorts, {
      ...options,
      seed,
      replicates,
    });
    const verdict = `${acceptable ? 'Below' : 'Not below'} the customary threshold of ${identityRiskThreshold}.`;
    const row = {
      row: 'risk',
      title: 'Identity disclosure risk',
      about:
        'probability that a training patient is matched correctly on labels and visit count, and that the match shows rare codes of that patient; real patients in the place of synthetic ones give the reference',
    };
    return {
      rows: [
        measureRow(row, risk, { ...heldOut(reference), note: acceptable === null ? undefined : verdict }),
      ],
    };
  },
});
