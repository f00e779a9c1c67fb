/** Values paired by position. All three coefficients are null where they are undefined, never NaN. */
type Numbers = Float64Array;

/** Σ x·y, or Σ x alone, with Neumaier's compensation: millions of tiny terms lose no digits. */
const sum = (x: Numbers, y?: Numbers): number => {
  let total = 0;
  let lost = 0;
  for (let i = 0; i < x.length; i++) {
    const value = y ? (x[i] as number) * (y[i] as number) : (x[i] as number);
    const next = total + value;
    lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total;
    total = next;
  }
  return total + lost;
};

const deviations = (values: Numbers): Numbers => {
  const mean = sum(values) / values.length;
  const away = new Float64Array(values);
  for (let i = 0; i < away.length; i++) away[i] = (away[i] as number) - mean;
  return away;
};

/** True for none or one distinct value; compares values because a mean of equal floats need not equal them. */
export const isConstant = (values: Numbers): boolean => values.every((value) => value === values[0]);

/**
 * Coefficient of determination, 1 − Σ(observed − predicted)² / Σ(observed − mean)². Not a squared
 * correlation: not symmetric, and below 0 when the mean would predict better. Null when `observed` is constant.
 */
export const r2 = (observed: Numbers, predicted: Numbers): number | null => {
  if (isConstant(observed)) return null;
  const residual = new Float64Array(observed);
  for (let i = 0; i < residual.length; i++) residual[i] = (residual[i] as number) - (predicted[i] as number);
  const total = deviations(observed);
  return 1 - sum(residual, residual) / sum(total, total);
};

/** Linear correlation; null when either side is constant. */
export const pearson = (x: Numbers, y: Numbers): number | null => {
  if (isConstant(x) || isConstant(y)) return null;
  const dx = deviations(x);
  const dy = deviations(y);
  return Math.max(-1, Math.min(1, sum(dx, dy) / Math.sqrt(sum(dx, dx) * sum(dy, dy))));
};

/** Ranks from 1 of counts; equal counts share the mean of their ranks. By counting sort, so for whole numbers. */
export const averageRanks = (counts: Uint32Array): Numbers => {
  const ranks = new Float64Array(counts.reduce((most, count) => Math.max(most, count), 0) + 1);
  for (const count of counts) ranks[count] = (ranks[count] as number) + 1;
  let below = 0;
  for (let count = 0; count < ranks.length; count++) {
    const equal = ranks[count] as number;
    ranks[count] = below + (equal + 1) / 2;
    below += equal;
  }
  const ranked = new Float64Array(counts.length);
  for (let i = 0; i < counts.length; i++) ranked[i] = ranks[counts[i] as number] as number;
  return ranked;
};

/** Rank correlation of counts with ties averaged; null when either side is constant. */
export const spearman = (x: Uint32Array, y: Uint32Array): number | null =>
  pearson(averageRanks(x), averageRanks(y));
