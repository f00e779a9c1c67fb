import { z } from 'zod';
import type { StepReport } from './generator.ts';

/** `curve.json` of a model: one point per epoch, at its last step so far. */
export const learningCurve = z.array(
  z.object({
    step: z.int(),
    epoch: z.int(),
    loss: z.number().describe('mean over the batches of the epoch'),
    batches: z.int(),
    validationLoss: z.number().optional(),
  }),
);
export type LearningCurve = z.output<typeof learningCurve>;

/**
 * Adds one step to the curve, in place. After cross-validation the curve is the mean of its folds, beyond the
 * epoch that it has chosen; the training that follows repeats it and adds nothing.
 */
export const recordStep = (curve: LearningCurve, step: number, report: StepReport): void => {
  const { epoch, loss, validationLoss, isRepeat } = report;
  if (isRepeat) return;
  const last = curve.at(-1);
  const validated = validationLoss === undefined ? {} : { validationLoss };
  if (last?.epoch !== epoch) {
    curve.push({ step, epoch, loss, batches: 1, ...validated });
    return;
  }
  last.batches++;
  last.loss += (loss - last.loss) / last.batches;
  Object.assign(last, { step }, validated);
};
