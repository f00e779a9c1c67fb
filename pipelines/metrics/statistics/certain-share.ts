import type { Interval } from './bootstrap.ts';

/**
 * The Clopper–Pearson interval (1934) of a share of which none, or all, of `n` patients are: one end is the
 * share itself. Resampling cannot draw what nobody has, so there a bootstrap would give an interval without
 * width and call eighteen patients as good as a million. `undefined` for other shares, where a bootstrap
 * serves.
 */
export const certainShareInterval = (share: number, n: number, level = 0.95): Interval | undefined => {
  if (n < 1 || (share !== 0 && share !== 1)) return undefined;
  const margin = ((1 - level) / 2) ** (1 / n);
  return share === 0 ? [0, 1 - margin] : [margin, 1];
};
