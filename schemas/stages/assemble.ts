import { z } from 'zod';
import { defineStage } from '../stage.ts';

const fraction = z.number().min(0).max(1);

export const assemble = defineStage({
  name: 'assemble',
  title: 'Events to patients, visits, labels and split',
  version: 2,
  inputs: { events: 'events' },
  output: 'cohort',
  params: z.object({
    split: z
      .strictObject({
        validation: fraction.default(0.08).describe('share of patients that training is validated on'),
        holdout: fraction.default(0.2).describe('share of patients that no generator ever sees'),
      })
      .prefault({})
      .refine((s) => s.validation + s.holdout < 1, 'validation and holdout leave nothing to train on')
      .describe('patients are assigned by a seeded hash; the rest is the training split'),
    minVisits: z.int().positive().default(1).describe('patients with fewer visits are left out'),
    minAge: z.number().min(0).default(0).describe('years at first admission; younger patients are left out'),
    drugTypes: z
      .array(z.enum(['MAIN', 'ADDITIVE', 'BASE']))
      .min(1)
      .default(['MAIN'])
      .describe('prescription rows that count as drugs; BASE are the fluids they are diluted in'),
    labValue: z
      .enum(['last', 'first', 'median'])
      .default('last')
      .describe('which measurement of a lab test stands for an admission that has several'),
    seed: z.int().nonnegative().default(0).describe('of the split'),
  }),
  policy: { queue: 'cpu', startToClose: '2h', heartbeat: '2m', attempts: 4 },
});
