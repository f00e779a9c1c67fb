/** How the learning rate goes over the steps of a training. */
export const schedules = ['cosine', 'linear', 'constant'] as const;
export type Schedule = (typeof schedules)[number];

/**
 * The rate of step number `step`, from 0. It rises in `warmUp` equal steps to the `peak`, then falls to zero
 * at `steps` (or stays). Cosine: Loshchilov and Hutter, SGDR, 2017, equation 5, without restarts.
 */
export const scheduledRate = (
  schedule: Schedule,
  peak: number,
  step: number,
  steps: number,
  warmUp = 0,
): number => {
  if (step < warmUp) return (peak * (step + 1)) / warmUp;
  if (schedule === 'constant') return peak;
  const [past, all] = [step - warmUp, steps - warmUp];
  if (schedule === 'linear') return peak * (1 - past / all);
  return (peak / 2) * (1 + Math.cos((Math.PI * past) / all));
};
