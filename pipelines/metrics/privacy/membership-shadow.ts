import { z } from 'zod';
import { defineMetric } from '../metric.ts';
import { type AttackVariant, attackResult, ours, trainedOnTargetsPrefix } from './engine/attack-rows.ts';
import type { AttackResult } from './engine/attack-scores.ts';
import { defined, recordTrainingOptions } from './engine/record-training-options.ts';
import { attackerTrainingDefaults, shadowAttack } from './engine/shadow-attack.ts';

const published: AttackVariant = {
  prefix: trainedOnTargetsPrefix,
  title: ', as published',
  note: 'Computed as in the PromptEHR paper: the attack model is trained on the very test patients it then classifies, so it seems to find training patients where nothing leaks. It is not among the attacks from which the strongest is chosen.',
};

const { width, learningRate, updates } = attackerTrainingDefaults;

/**
 * PromptEHR (Wang and Sun 2022), sections 3.6 and 4.2; no code of it is published: docs/privacy-metrics.md.
 */
export default defineMetric({
  name: 'membership-shadow',
  family: 'privacy',
  title: 'Membership by shadow model',
  about:
    'Can an attacker identify training patients with a shadow model trained on the synthetic cohort? Patients whom it predicts as it predicts synthetic patients, and not as it predicts real non-members (patients not used for training), are classified as training patients.',
  better: 'lower',
  range: [0, 1],
  needs: ['train', 'holdout', 'synthetic'],
  reference: 'halves',
  trains: true,
  options: z.object({
    size: z.int().positive().optional().describe('most training patients attacked'),
    shadow: recordTrainingOptions,
    attacker: z
      .strictObject({
        width: z.int().positive().default(width).describe('of the two inner layers'),
        learningRate: z.number().positive().default(learningRate),
        updates: z.int().positive().default(updates).describe('each on all its patients at once'),
      })
      .prefault({}),
  }),
  async *compute({ train, holdout, synthetic, vocabulary, seed, replicates, options }) {
    const { apart, published: asPublished } = yield* shadowAttack(
      { train, test: holdout, synthetic },
      vocabulary,
      {
        ...defined({ size: options.size }),
        shadow: defined(options.shadow),
        attacker: options.attacker,
        seed,
        replicates,
      },
    );
    const found: [AttackVariant, AttackResult][] = [
      [ours, apart],
      [published, asPublished],
    ];
    return attackResult(found);
  },
});
