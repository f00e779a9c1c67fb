// Apart from baseline.ts, so that the command line can name the choices without loading tensors.
/** Which metrics the baseline is scored by: those that train nothing, all, or none. */
export const baselineChoices = ['cheap', 'all', 'none'] as const;
export type BaselineChoice = (typeof baselineChoices)[number];
