import type { LearningCurve } from '../generation/learning-curve.ts';
import { quantile } from '../metrics/statistics/bootstrap.ts';

/** What a learning curve shows, from the loss on validation patients alone. */
export type CurveShape = 'one step' | 'not validated' | 'overfitting' | 'still falling' | 'levelled off';

/** A rise of the loss by this share of all that it ever fell counts, if it is more than its own noise. */
const leastRise = 0.1;
/** Nor does a rise count by less than this share of the loss itself: a loss that hardly moves shows nothing. */
const leastRiseOfLoss = 0.01;
/** Falling this share of all it ever fell within the last quarter of training is still falling. */
const leastFall = 0.02;

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

interface Validation {
  epoch: number;
  loss: number;
}

const validationsOf = (curve: LearningCurve): Validation[] =>
  curve.flatMap(({ epoch, validationLoss }) =>
    validationLoss === undefined ? [] : [{ epoch, loss: validationLoss }],
  );

/** The first of the least losses. The list must not be empty. */
const least = (validations: readonly Validation[]): Validation =>
  validations.reduce((best, one) => (one.loss < best.loss ? one : best));

/**
 * Standard deviation of the noise of a smooth curve, from the median of its second differences: these have no trend, and
 * for independent normal noise six times its variance.
 */
const noiseOf = (losses: readonly number[]): number => {
  const bends = losses
    .slice(2)
    .map((loss, i) => Math.abs(loss - 2 * (losses[i + 1] ?? loss) + (losses[i] ?? loss)))
    .sort((a, b) => a - b);
  return bends.length === 0 ? 0 : quantile(bends, 0.5) / (0.6745 * Math.sqrt(6));
};

/**
 * The shape of a curve. The loss rose if the mean of the last validations (at most three, all after the least one)
 * exceeds the least by a tenth of its whole fall, by a hundredth of itself, and by four standard deviations of its noise: the least of many noisy
 * values lies about two below what it estimates.
 */
export const curveShape = (curve: LearningCurve): CurveShape => {
  if (curve.length < 2) return 'one step';
  const validations = validationsOf(curve);
  const [first] = validations;
  if (!first || validations.length < 2) return 'not validated';
  const losses = validations.map(({ loss }) => loss);
  const best = least(validations);
  const fall = first.loss - best.loss;
  const after = losses.slice(validations.indexOf(best) + 1);
  const leastOfAll = Math.max(leastRise * fall, leastRiseOfLoss * Math.abs(best.loss), 4 * noiseOf(losses));
  if (after.length > 1 && mean(after.slice(-3)) - best.loss > leastOfAll) return 'overfitting';
  const atThreeQuarters = losses[Math.floor((losses.length - 1) * 0.75)] ?? best.loss;
  const recent = losses.slice(-Math.max(1, Math.ceil(losses.length / 10)));
  return recent.includes(best.loss) && atThreeQuarters - best.loss > leastFall * fall
    ? 'still falling'
    : 'levelled off';
};

/** Which weights the model has; nothing where the artifact does not state it. */
const weightsWords = (earlyStopping: string | undefined, best: number): string => {
  if (earlyStopping === undefined) return '';
  if (earlyStopping.includes('cross-validation'))
    return ` This is the mean of models that each left out some training patients; training on all of them ended ${earlyStopping}.`;
  return earlyStopping.startsWith('off')
    ? ` Early stopping was ${earlyStopping}, so the weights of the last epoch were used.`
    : ` The weights of epoch ${best} were used.`;
};

/**
 * What the curve shows, in words for a reader who does not read curves. `earlyStopping`: as the training reports it, `off: …`
 * its rule.
 */
export const curveConclusion = (curve: LearningCurve, earlyStopping?: string): string => {
  const shape = curveShape(curve);
  const last = curve.at(-1)?.epoch ?? 0;
  if (shape === 'one step') return 'Fitted in one step: there is no curve.';
  if (shape === 'not validated')
    return 'There were no validation patients (or one validation only), so whether the model was overfitting cannot be seen.';
  const best = least(validationsOf(curve)).epoch;
  const weights = weightsWords(earlyStopping, best);
  if (shape === 'overfitting')
    return `Validation loss was least at epoch ${best} of ${last} and rose after that: the model was overfitting.${weights}`;
  if (shape === 'still falling')
    return `Validation loss was still falling when training ended at epoch ${last}: more epochs may give a better model.${weights}`;
  return `Validation loss was least at epoch ${best} of ${last} and stayed near that: no sign of overfitting in the loss.${weights}`;
};
