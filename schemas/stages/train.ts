import { z } from 'zod';
import { defineStage } from '../stage.ts';

/**
 * How many of the training patients a generator is trained on: a share of them up to 1, or a number from 2
 * on.
 */
export const trainingSize = z
  .number()
  .positive()
  .refine((size) => size <= 1 || Number.isInteger(size), 'a share up to 1, or a whole number of patients');

/** Name of a branch of a run. No character of it means anything in a node id (`train:halo-small@25%`). */
export const branchName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$/,
    'expected a name of at most 40 letters (a–z, A–Z), digits, ".", "_" and "-" that begins with a letter or a digit',
  );

/**
 * What the cohort of a model is called: the name of its branch, or of its generator, and how many patients
 * the model learned from where these are not all: `halo-small@25%`. `patients` as in `trainingSize`.
 */
export const cohortName = (branch: string, patients = 1): string => {
  if (patients === 1) return branch;
  return `${branch}@${patients < 1 ? `${Number((100 * patients).toPrecision(6))}%` : patients}`;
};

/** The name of the branch in the name of one of its cohorts: `halo-small` of `halo-small@25%`. */
export const branchOf = (cohort: string): string => cohort.replace(/@[^@]*$/, '');

export const train = defineStage({
  name: 'train',
  title: 'Fit one generator to the training split',
  version: 2,
  // At most one model in `from`: what the training starts from, instead of fresh weights.
  inputs: { cohort: 'token-cohort', from: ['model'] },
  output: 'model',
  params: z.object({
    generator: z.string().describe('a name from `understudy models`'),
    config: z.record(z.string(), z.json()).default({}).describe("checked by the generator's own schema"),
    patients: trainingSize
      .optional()
      .describe(
        'train on some of the training patients only: a share, or a number; smaller sets are part of larger ones',
      ),
    seed: z.int().nonnegative().default(0).describe('of weights and order'),
    checkpointEvery: z.number().min(0).default(60).describe('seconds between checkpoints'),
  }),
  incidental: ['checkpointEvery'],
  policy: { queue: 'gpu', startToClose: '72h', heartbeat: '2m', attempts: 8 },
});
