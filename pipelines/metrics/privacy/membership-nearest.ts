import { z } from 'zod';
import { phase } from '../../kernel/steps.ts';
import { defineMetric } from '../metric.ts';
import type { Distance } from '../statistics/distance-rows.ts';
import { type AttackVariant, attackResult, ours } from './engine/attack-rows.ts';
import type { AttackResult } from './engine/attack-scores.ts';
import { calibratedDatasetAttack, datasetAttack } from './engine/membership.ts';

const calibrated: AttackVariant = {
  prefix: 'calibrated-',
  title: ', calibrated by other patients',
  note: 'How much nearer the nearest synthetic patient is than the nearest other patient of those attacked.',
};

const variants: (AttackVariant & { distance: Distance })[] = [
  { ...ours, distance: 'hamming' },
  {
    prefix: 'reference-halo-',
    title: ", HALO's distance",
    distance: 'halo',
    note: 'Computed as in the HALO script: codes in visits that only the synthetic record has cost nothing, so long records look near to every patient.',
  },
  {
    prefix: 'reference-pyhealth-',
    title: ", PyHealth's distance",
    distance: 'codes',
    note: 'Computed as in PyHealth: labels are not compared, and records without codes are dropped.',
  },
];

/** The dataset attack of HALO (Theodorou et al. 2023, Table 4); evaluate_privacy_membership_dataset.py. */
export default defineMetric({
  name: 'membership-nearest',
  family: 'privacy',
  title: 'Membership by nearest record',
  about:
    'Can an attacker identify training patients? Patients with a synthetic patient near are classified as training patients; as many training patients as non-members are attacked.',
  better: 'lower',
  range: [0, 1],
  needs: ['train', 'holdout', 'synthetic'],
  reference: 'halves',
  options: z.object({
    size: z.int().positive().optional().describe('most training patients attacked; HALO takes 7500'),
  }),
  *compute({ train, holdout, synthetic, seed, replicates, options: { size } }) {
    const cohorts = { train, test: holdout, synthetic };
    const found: [AttackVariant, AttackResult][] = [];
    for (const [i, variant] of variants.entries()) {
      const options = { distance: variant.distance, seed, replicates, size };
      const steps = datasetAttack(cohorts, options);
      found.push([variant, yield* phase(variant.distance, i, variants.length + 1, steps)]);
    }
    const steps = calibratedDatasetAttack(cohorts, { seed, replicates, size });
    found.splice(1, 0, [calibrated, yield* phase('calibrated', variants.length, variants.length + 1, steps)]);
    return attackResult(found);
  },
});
