import type { Histogram } from '../../patients/visit-columns.ts';

/** Numbers of one thing in ascending order, each with the patient it is of. */
export interface NumberColumn {
  values: Float32Array;
  patients: Int32Array;
}

/**
 * Numbers in any order as a column; equal numbers stand by patient, so the order they came in does not
 * matter.
 */
export const numberColumn = (values: ArrayLike<number>, patients: ArrayLike<number>): NumberColumn => {
  const order = Int32Array.from({ length: values.length }, (_, i) => i);
  const at = (from: ArrayLike<number>, i: number) => from[i] as number;
  order.sort((a, b) => at(values, a) - at(values, b) || at(patients, a) - at(patients, b));
  return {
    values: Float32Array.from(order, (i) => at(values, i)),
    patients: order.map((i) => at(patients, i)),
  };
};

interface Moments {
  mean: number;
  /** Of the population: divided by n. */
  sd: number;
  /** Numbers, each as often as its patient. */
  n: number;
}

/** Mean and deviation with each patient's numbers as often as `weights` states; null of nothing. */
export const numberMoments = ({ values, patients }: NumberColumn, weights: Int32Array): Moments | null => {
  let [n, sum] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const weight = weights[patients[i] as number] as number;
    n += weight;
    sum += weight * (values[i] as number);
  }
  if (n === 0) return null;
  const mean = sum / n;
  let squares = 0;
  for (let i = 0; i < values.length; i++)
    squares += (weights[patients[i] as number] as number) * ((values[i] as number) - mean) ** 2;
  return { mean, sd: Math.sqrt(squares / n), n };
};

const total = ({ patients }: NumberColumn, weights: Int32Array): number => {
  let sum = 0;
  for (const patient of patients) sum += weights[patient] as number;
  return sum;
};

/**
 * The greatest gap between the two cumulative shares (Kolmogorov–Smirnov), and the area between them
 * (Wasserstein-1, in units of the numbers). Null where either side has no number.
 */
export const numberDistance = (
  [a, b]: readonly [NumberColumn, NumberColumn],
  [weightsA, weightsB]: readonly [Int32Array, Int32Array],
): { ks: number; wasserstein: number } | null => {
  const [allA, allB] = [total(a, weightsA), total(b, weightsB)];
  if (allA === 0 || allB === 0) return null;
  let [i, j, belowA, belowB, ks, wasserstein] = [0, 0, 0, 0, 0, 0];
  let last = Number.NaN;
  while (i < a.values.length || j < b.values.length) {
    const value = Math.min(a.values[i] ?? Number.POSITIVE_INFINITY, b.values[j] ?? Number.POSITIVE_INFINITY);
    const gap = Math.abs(belowA / allA - belowB / allB);
    if (gap > 0) wasserstein += gap * (value - last);
    for (; a.values[i] === value; i++) belowA += weightsA[a.patients[i] as number] as number;
    for (; b.values[j] === value; j++) belowB += weightsB[b.patients[j] as number] as number;
    ks = Math.max(ks, Math.abs(belowA / allA - belowB / allB));
    last = value;
  }
  return { ks, wasserstein };
};

/** Mean and population standard deviation (ddof 0), or null of nothing. */
export const moments = ({ counts, n }: Histogram): { mean: number; sd: number } | null => {
  if (n === 0) return null;
  const mean = counts.reduce((sum, count, value) => sum + count * value, 0) / n;
  const squares = counts.reduce((sum, count, value) => sum + count * (value - mean) ** 2, 0);
  return { mean, sd: Math.sqrt(squares / n) };
};

/**
 * Greatest gap between the two cumulative shares (Kolmogorov–Smirnov), and the area between them
 * (Wasserstein-1, in units of the value). Null when either side is empty.
 */
export const gaps = (a: Histogram, b: Histogram): { ks: number; wasserstein: number } | null => {
  if (a.n === 0 || b.n === 0) return null;
  let ks = 0;
  let wasserstein = 0;
  let belowA = 0;
  let belowB = 0;
  for (let value = 0; value < Math.max(a.counts.length, b.counts.length); value++) {
    belowA += a.counts[value] ?? 0;
    belowB += b.counts[value] ?? 0;
    const gap = Math.abs(belowA / a.n - belowB / b.n);
    ks = Math.max(ks, gap);
    wasserstein += gap;
  }
  return { ks, wasserstein };
};

const average = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

const isConstant = (values: readonly number[]): boolean => values.every((value) => value === values[0]);

/**
 * Coefficient of determination, 1 − Σ(observed − predicted)² / Σ(observed − mean)²; null where `observed` is
 * constant.
 */
export const valueR2 = (observed: readonly number[], predicted: readonly number[]): number | null => {
  if (isConstant(observed)) return null;
  const mean = average(observed);
  const spread = observed.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const residual = observed.reduce((sum, value, i) => sum + (value - (predicted[i] as number)) ** 2, 0);
  return 1 - residual / spread;
};

/** Linear correlation; null where either side is constant. */
export const valuePearson = (x: readonly number[], y: readonly number[]): number | null => {
  if (isConstant(x) || isConstant(y)) return null;
  const [meanX, meanY] = [average(x), average(y)];
  let [xy, xx, yy] = [0, 0, 0];
  x.forEach((value, i) => {
    const [dx, dy] = [value - meanX, (y[i] as number) - meanY];
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  });
  return Math.max(-1, Math.min(1, xy / Math.sqrt(xx * yy)));
};
