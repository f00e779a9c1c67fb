/** Settings of a training: the keys that every method has, and presets for those that a user leaves out. */
import { z } from 'zod';
import { fewestToSteer, type TrainerSettings } from './epoch-trainer.ts';
import { type Schedule, schedules } from './learning-rate.ts';

/** A whole number above 0. */
export const size = z.int().positive();

/** The key `preset`; `paper` names the sizes of the paper in a few words. */
export const presetKey = (paper: string) =>
  z
    .enum(['auto', 'paper'])
    .default('auto')
    .describe(`values of the keys left out: by cohort size, or as in the paper (${paper})`);

/** Keys of a config that every trained method has, each optional: one left out takes the preset's value. */
export const trainingKeys = {
  batch: size.optional().describe('patients per step'),
  learningRate: z.number().positive().optional().describe('of Adam, at its peak'),
  weightDecay: z
    .number()
    .min(0)
    .optional()
    .describe('L2 penalty on matrices: added to the gradient, as PyTorch’s Adam does'),
  epochs: size.optional().describe('most passes over the training split'),
  patience: size
    .optional()
    .describe(
      `epochs without a better validation loss before training stops; needs ${fewestToSteer} patients to validate on`,
    ),
  schedule: z
    .enum(schedules)
    .optional()
    .describe('of the learning rate after its peak: down to zero over all epochs, or constant'),
  start: z
    .enum(['prevalence', 'random'])
    .optional()
    .describe(
      'first weights: biases that give every code its training prevalence, or random as in the authors’ code',
    ),
  calibration: z
    .int()
    .min(0)
    .optional()
    .describe(
      'rounds of shifting output biases after training until sampled records have the training prevalences; the paper has none',
    ),
  memoryGib: z
    .number()
    .positive()
    .optional()
    .describe('memory that training may take; default: what the machine or its container has free'),
};

/** What a preset decides of the training. */
export interface TrainingPreset extends Omit<TrainerSettings, 'warmUpEpochs' | 'sparsity'> {
  batch: number;
  schedule: Schedule;
  /** Rounds. */
  calibration: number;
}

/**
 * Settings by cohort size: each row holds from so many training patients on, up to the next; rows ascend from
 * 0.
 */
export interface Presets<S> {
  paper: S;
  bySize: readonly [from: number, settings: S][];
}

/** The settings for the keys left out. */
export const presetFor = <S>({ paper, bySize }: Presets<S>, preset: 'auto' | 'paper', patients: number): S =>
  preset === 'paper' ? paper : (bySize.findLast(([from]) => patients >= from)?.[1] ?? paper);

/** The preset, with what a config sets in place of its values. */
export const withPreset = <C extends object, S extends object>(
  { memoryGib: _, ...config }: C & { memoryGib?: number | undefined },
  preset: S,
): Omit<C, keyof S | 'memoryGib'> & S => {
  const given = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
  return { ...preset, ...given } as Omit<C, keyof S | 'memoryGib'> & S;
};
